"""A campaign: the tasks of a plan."""

import gc
import json
import os
import sys
import time

from perfcast.runner.answers import emit
from perfcast.runner.apply_settings import applied_with
from perfcast.runner.budget import BudgetedRounds
from perfcast.runner.calibration import Calibration, UsualCalibration
from perfcast.runner.children import TaskFailure, end_all
from perfcast.runner.clocks import resolution_ns
from perfcast.runner.cpu_contention import usable_cpus
from perfcast.runner.effort import History
from perfcast.runner.machine import read_environment
from perfcast.runner.models import Model, Process
from perfcast.runner.peaks import measure_peaks
from perfcast.runner.power import OFF, facts_of, source_asked_for
from perfcast.runner.power.metering import Meter
from perfcast.runner.protocol import DONE, ENVIRONMENT, PEAKS, REFUSED, RUNNER_VERSION
from perfcast.runner.rounds import Rounds
from perfcast.runner.system_files import boot_id
from perfcast.runner.toolchains import importing, toolchain_named
from perfcast.runner.variables import conditions_of, recorded
from perfcast.runner.workloads import workload_named

NULL_PROTOCOL = {"iterations": 50, "discard": 0, "visits": 1}
FORKING_LIMIT_S = 180
"""A forked child that takes longer for a model which does nothing hangs."""


OTHER_DEVICE = "install the driver, and a build of the runtime for it, or set device.kind of the target"


class Bench:
    """What the models of a campaign share."""

    def __init__(self, plan, toolchain, acknowledge, parent_pid):
        self.plan = plan
        self.toolchain = toolchain
        self.workload = workload_named(plan["factors"]["workload"], plan["factors"])
        self.acknowledge = acknowledge
        self.parent_pid = parent_pid
        self.protocol = plan["protocol"]
        self.limit_s = plan["time_limit_s"]
        self.soak_s = plan["soak_s"]
        # Made before any model: what it takes is part of the null model too, and cancels out.
        self.calibration = Calibration(plan["factors"]["threads"])
        self.spare_cpus = max(0, len(usable_cpus()) - plan["factors"]["threads"])
        self.usual = UsualCalibration(self.calibration, plan["calibration_ns"])
        self.power, self.no_power_because = source_asked_for(plan["power"], plan["factors"]["device_kind"])
        self.meter = Meter(self.power) if self.power else None
        self.null_memory = {}
        self.settled_programs = set()
        self.computed_on = None
        self.spawns = False

    def device_facts(self):
        """Return what is found out once about the device, and where power is read if that was asked for."""
        # Where nothing is computed, nothing is compared with them.
        peaks = measure_peaks(self.toolchain, self.parent_pid, self.spawns) if self.toolchain.COMPUTES else None
        facts = {"peaks": peaks, "clock_resolution_ns": resolution_ns(), "computed_on": self.computed_on}
        if self.plan["power"] != OFF:
            facts["power"] = facts_of(self.power, self.no_power_because)
        return facts

    def answer(self, event, **values):
        """Write a line of the answer, and wait until it is taken."""
        emit(event, **values)
        self.acknowledge()

    def measure_null(self):
        """Find out the memory that a model which does nothing takes under the same toolchain.

        Where that fails in a forked child, as runtimes may not survive a fork, children start again from then on.
        """
        process = self.null_process(min(self.limit_s, FORKING_LIMIT_S))
        if isinstance(process, TaskFailure):
            print("forked children do not work here (%s); each model starts a new process" % process, file=sys.stderr)
            self.spawns = True
            process = self.null_process(self.limit_s)
        if isinstance(process, TaskFailure):
            raise SystemExit("the null model could not be measured: %s" % process)
        self.computed_on = process.computed_on
        why = self.why_elsewhere(self.computed_on)
        if why:
            print("%s: %s" % (why, OTHER_DEVICE), file=sys.stderr)
            raise SystemExit(REFUSED)
        self.null_memory = {"null_" + key: process.memory[key] for key in ("load_peak_bytes", "run_peak_bytes")}

    def why_elsewhere(self, computed_on):
        """Return why operations, counted by kind of device, were not those of the target's; None where they were.

        A runtime that does not say what it computes on may be used for CPUs alone.
        """
        wanted = self.plan["factors"]["device_kind"]
        if not self.toolchain.COMPUTES or (computed_on or {"cpu": 1}).get(wanted):
            return None
        if computed_on is None:
            return "%s does not report that it computes on a %s" % (self.toolchain.name, wanted)
        return "%s computes on a %s, not on a %s" % (self.toolchain.name, " and ".join(sorted(computed_on)), wanted)

    def null_process(self, limit_s):
        """Return the process that has measured the null model, ended; or how it failed."""
        process = Process(self, self.toolchain.null_task(), NULL_PROTOCOL)
        process.limit_s = limit_s
        try:
            process.load()
            process.visit()
        except TaskFailure as failed:
            return failed
        finally:
            process.end()
        return process

    def models(self, environment):
        """Return the models of the plan, each with the visits that it has had in the same environment."""
        return [Model(task, self.visits_before(task["resume"], environment)) for task in self.plan["tasks"]]

    def visits_before(self, resume, environment):
        if resume is None or self.plan["environments"].get(resume["environment"]) != environment:
            return []
        return [(visit["median_ns"], visit["disturbed"]) for visit in resume["visits"]]


def rounds_of(plan, bench, models, start):
    """Return the rounds of a plan: under its budget, where it has one, of the time since `start`."""
    history, budget_s = History(*plan["history"]), plan["budget_s"]
    if budget_s is None:
        return Rounds(bench, models, plan["seed"], history)
    return BudgetedRounds(bench, models, plan["seed"], history, start + budget_s)


def run_campaign(plan, given=None, acknowledge=lambda: None, parent_pid=None):
    """Measure the models of a plan, and answer what is found out as soon as it is.

    `given` is what whoever started this has set on the device already. `acknowledge` returns once the last answer
    is acknowledged. Where the kernel does not end this with whoever started it, `parent_pid` is whose end to look for.
    """
    start = time.monotonic()
    toolchain = toolchain_named(plan["factors"]["toolchain"], plan["factors"])
    # Before the runtime is imported, which sets some itself.
    variables = recorded(os.environ, conditions_of(plan["factors"], plan["environment_variables"]))
    with applied_with(given, plan["settings"]) as outcome:
        with importing(toolchain):
            toolchain.preload()
        gc.collect()
        if hasattr(gc, "freeze"):  # Since Python 3.7: children neither walk nor copy what the runtime's import made.
            gc.freeze()
        bench = Bench(plan, toolchain, acknowledge, parent_pid)
        # As the host will have stored it.
        environment = read_environment(toolchain, outcome, given=given, variables=variables, power=bench.power)
        environment = json.loads(json.dumps(environment))
        try:
            looks = bench.usual.first_ns
            bench.answer(
                ENVIRONMENT,
                runner_version=RUNNER_VERSION,
                boot=boot_id(),
                environment=environment,
                calibration_ns=looks,
            )
            bench.measure_null()
            bench.answer(PEAKS, **bench.device_facts())
            rounds_of(plan, bench, bench.models(environment), start).run()
        finally:
            end_all()
    emit(DONE)
