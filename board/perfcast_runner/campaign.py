"""A campaign: the tasks of a plan, in order; each answer is a JSON object on a line."""

import functools
import gc
import json
import sys
import time

from perfcast_runner import RUNNER_VERSION
from perfcast_runner.children import in_child
from perfcast_runner.machine import read_context, read_state
from perfcast_runner.measuring import measure_or_say_why
from perfcast_runner.toolchains import TOOLCHAINS

NULL_ITERATIONS = 50


def emit(event, **values):
    """Write one line of the answer."""
    print(json.dumps(dict(values, event=event)), flush=True)


def measure_null(toolchain, time_limit_s, starter):
    """Return the memory that a model which does nothing takes under the same toolchain."""
    protocol = {"iterations": NULL_ITERATIONS, "discard": 0}
    answer = in_child(lambda: measure_or_say_why(toolchain, toolchain.null_task(), protocol), time_limit_s, starter)
    if answer["verdict"] != "measured":
        raise SystemExit("the null model could not be measured: %s" % answer["reason"])
    return {
        "null_load_peak_bytes": answer["memory"]["load_peak_bytes"],
        "null_inference_peak_bytes": answer["memory"]["inference_peak_bytes"],
    }


def add_what_the_parent_knows(result, elapsed_s, null_memory):
    """Complete a measurement: what it cost beside the timed inferences, and the memory baseline."""
    timing = result["timing"]
    timing["overhead_s"] = elapsed_s - sum(result["samples"]["wall_ns"]) * 1e-9
    timing["fork_s"] = elapsed_s - timing.pop("measure_s")
    result["memory"].update(null_memory)


def run_campaign(plan, take=lambda: None, starter=None):
    """Measure each task of a plan, in order, and emit each result as it is made.

    `take` returns once the last result is taken. Where the kernel does not end this with whoever started it, `starter`
    is whose end to look for.
    """
    toolchain = TOOLCHAINS[plan["factors"]["toolchain"]](plan["factors"])
    toolchain.preload()
    gc.collect()
    if hasattr(gc, "freeze"):  # Since Python 3.7: children neither walk nor copy what the runtime's import made.
        gc.freeze()
    emit("context", runner_version=RUNNER_VERSION, context=read_context(toolchain))
    take()
    limit = plan["time_limit_s"]
    null_memory = measure_null(toolchain, limit, starter)
    for task in plan["tasks"]:
        started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        state = read_state()
        print("measuring %s" % task["key"], file=sys.stderr, flush=True)
        start = time.monotonic()
        result = in_child(functools.partial(measure_or_say_why, toolchain, task, plan["protocol"]), limit, starter)
        if result["verdict"] == "measured":
            add_what_the_parent_knows(result, time.monotonic() - start, null_memory)
        emit("measurement", key=task["key"], started_at=started_at, state=state, **result)
        take()
    emit("done")


def wait_for_taker():
    """Wait for the line that says that the last answer is stored: nobody works beside what is measured next."""
    if not sys.stdin.readline():
        raise SystemExit("what started this has ended")
