"""Profiling: a model's steps on this machine, operation by operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.plans import plan_entry, program_of
from perfcast.bench.profiles import profile_table
from perfcast.bench.target import Target, runs_apart
from perfcast.errors import SourceError, UsageError
from perfcast.models.external.keras_files import quiet_errors
from perfcast.runner.clocks import perf_counter_ns
from perfcast.runner.machine import read_machine
from perfcast.runner.toolchains import TOOLCHAINS
from perfcast.runner.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.exports import Export

_WARM_UP = 3
"""Steps before those that count, with and without tracing: the first of each builds what it runs."""


@dataclass(frozen=True)
class Subject:
    """A model to profile, under one factor set.

    Attributes:
        factors: of the toolchain and the workload.
        task: its program, as toolchains load it.
        about: a value for each of `perfcast.bench.profiles.KEYS`.
        layers: names of its layers.
    """

    factors: dict[str, Any]
    task: dict[str, Any]
    about: dict[str, Any]
    layers: tuple[str, ...]


def subject_of(target: Target, export: Export, artifacts: ArtifactStore) -> Subject:
    """Return a model as it runs under the one factor set of a target.

    Raises:
        UsageError: the target is not this machine's CPU, or its workload is no single step.
        SourceError: the model has no program for the target.
    """
    factors = target.factors | {"device_kind": target.device_kind}
    _refuse(target, WORKLOADS[factors["workload"]](factors))
    about = {
        "model": export.spec.model,
        "target": target.name,
        "device": target.device_name or read_machine()["cpu"],
        "toolchain_version": TOOLCHAINS[factors["toolchain"]](factors).version(),
        "optimizer": factors.get("optimizer", ""),
        **{name: factors[name] for name in ("toolchain", "workload", "threads", "batch")},
    }
    layers = tuple(layer["name"] for layer in artifacts.descriptor(export.artifact)["layers"])
    return Subject(factors, _task(target, export, artifacts), about, layers)


def profile_steps(subject: Subject, steps: int) -> pd.DataFrame:
    """Return the profile of a model, as `perfcast.bench.profiles` describes it.

    The model runs in this process, without and with tracing in turns, ``steps`` times each.

    Raises:
        UsageError: the toolchain does not trace.
        SourceError: the model cannot be run.
    """
    name = subject.factors["toolchain"]
    toolchain = TOOLCHAINS[name](subject.factors)
    workload = WORKLOADS[subject.factors["workload"]](subject.factors)
    with quiet_errors(name, "run"):
        toolchain.preload()
        run, inputs = workload.load(toolchain, subject.task), workload.inputs(subject.task)
        workload.check(subject.task, run(*inputs))
        tracer = toolchain.tracer()
        if tracer is None:
            raise UsageError(f"{subject.about['target']}: {name} does not trace operations; tensorflow does")
        # In turns, so that what disturbs the machine disturbs both.
        pairs = [(_timed(run, inputs), tracer(inputs)) for _ in range(_WARM_UP + steps)][_WARM_UP:]
    untraced, traces = zip(*pairs, strict=True)
    return profile_table(subject.about, untraced, traces, subject.layers)


def _refuse(target: Target, workload: Any) -> None:
    if not target.is_local or runs_apart(target.transport) or target.device_kind != "cpu":
        what = "only this machine's CPU can be profiled, by perfcast's own Python"
        raise UsageError(f"{target.name}: {what}; choose such a target")
    if workload.examples(workload.factors) != target.factors["batch"]:
        raise UsageError(f"{target.name}: a sample of {workload.name} is many steps; profile another workload")


def _task(target: Target, export: Export, artifacts: ArtifactStore) -> dict[str, Any]:
    program = program_of(export, target)
    if program.digest is None:
        raise SourceError(program.reason)
    artifacts.verify(export.artifact, [program])
    path = artifacts.program_path(export.artifact, program)
    return plan_entry("", export, program) | {"program": str(path)}


def _timed(run: Callable[..., Any], inputs: Sequence[Any]) -> int:
    start = perf_counter_ns()
    run(*inputs)
    return perf_counter_ns() - start
