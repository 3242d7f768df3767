"""A campaign: the tasks of a plan; each answer is a JSON object on a line."""

import gc
import json
import sys

from perfcast_runner import RUNNER_VERSION
from perfcast_runner.children import Failed, end_all
from perfcast_runner.limits import measure_limits
from perfcast_runner.machine import read_context
from perfcast_runner.models import Model, Process
from perfcast_runner.others import usable_cpus
from perfcast_runner.reference import Floor, Reference
from perfcast_runner.rounds import Rounds
from perfcast_runner.settings import applied
from perfcast_runner.toolchains import TOOLCHAINS

NULL_PROTOCOL = {"iterations": 50, "discard": 0, "visits": 1}


class Bench:
    """What the models of a campaign share."""

    def __init__(self, plan, toolchain, take, starter):
        self.plan = plan
        self.toolchain = toolchain
        self.take = take
        self.starter = starter
        self.protocol = plan["protocol"]
        self.limit_s = plan["time_limit_s"]
        self.sustained_s = plan["sustained_s"]
        # Made before any model: what it takes is part of the null model too, and cancels out.
        self.reference = Reference(plan["factors"]["threads"])
        self.spare_cpus = max(0, len(usable_cpus()) - plan["factors"]["threads"])
        self.floor = Floor(self.reference, plan["reference_floor_ns"])
        self.null_memory = {}

    def answer(self, event, **values):
        """Write a line of the answer, and wait until it is taken."""
        emit(event, **values)
        self.take()

    def measure_null(self):
        """Find out the memory that a model which does nothing takes under the same toolchain."""
        try:
            process = Process(self, self.toolchain.null_task(), NULL_PROTOCOL)
            process.load()
            process.visit()
        except Failed as failed:
            raise SystemExit("the null model could not be measured: %s" % failed) from None
        process.end()
        self.null_memory = {"null_" + key: process.memory[key] for key in ("load_peak_bytes", "inference_peak_bytes")}

    def models(self, context):
        """Return the models of the plan, those that were visited before under the same context with these visits."""
        return [Model(task, self.visits_before(task["resume"], context)) for task in self.plan["tasks"]]

    def visits_before(self, resume, context):
        if resume is None or self.plan["contexts"].get(resume["context"]) != context:
            return []
        return [(visit["median_ns"], visit["disturbed"]) for visit in resume["visits"]]


def run_campaign(plan, take=lambda: None, starter=None):
    """Measure the models of a plan, and answer what is found out as soon as it is.

    `take` returns once the last answer is taken. Where the kernel does not end this with whoever started it, `starter`
    is whose end to look for.
    """
    toolchain = TOOLCHAINS[plan["factors"]["toolchain"]](plan["factors"])
    with applied(plan["settings"]) as outcome:
        toolchain.preload()
        gc.collect()
        if hasattr(gc, "freeze"):  # Since Python 3.7: children neither walk nor copy what the runtime's import made.
            gc.freeze()
        bench = Bench(plan, toolchain, take, starter)
        # As the host will have stored it.
        context = json.loads(json.dumps(read_context(toolchain, outcome)))
        try:
            bench.answer("context", runner_version=RUNNER_VERSION, context=context)
            bench.measure_null()
            bench.answer("limits", limits=measure_limits(toolchain, starter))
            Rounds(bench, bench.models(context), plan["seed"]).run()
        finally:
            end_all()
    emit("done")


def emit(event, **values):
    """Write a line of the answer."""
    print(json.dumps(dict(values, event=event)), flush=True)


def wait_for_taker():
    """Wait for the line that says that the last answer is stored: nobody works beside what is measured next."""
    if not sys.stdin.readline():
        raise SystemExit("what started this has ended")
