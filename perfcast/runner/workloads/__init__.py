"""The registry of workloads: one entry each. No other file knows a workload's name.

A package may register another one as an entry point of the group `perfcast.workloads`.
"""

from perfcast.runner.plugs import find_plugs
from perfcast.runner.workloads.evaluation import Evaluation
from perfcast.runner.workloads.forward_backward import ForwardBackward
from perfcast.runner.workloads.inference import Inference
from perfcast.runner.workloads.training_step import TrainingStep

WORKLOADS = find_plugs((Inference, Evaluation, ForwardBackward, TrainingStep), "perfcast.workloads")
DEFAULT = Inference.name
METRICS = tuple(dict.fromkeys(column for plug in WORKLOADS.values() for column in plug.METRICS))
"""Columns of the dataset that the samples of any workload give."""


def workload_named(name, factors):
    """Return the workload of a name, with a plan's factors."""
    if name not in WORKLOADS:
        raise SystemExit("unknown workload %s; known are %s" % (name, ", ".join(sorted(WORKLOADS))))
    return WORKLOADS[name](factors)
