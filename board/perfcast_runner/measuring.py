"""Measuring one model, in its child."""

import time
import traceback

from perfcast_runner.memory import SystemMemory, peak_rss_bytes, release_free_memory, reset_peak
from perfcast_runner.sampling import check_outputs, draw_inputs, time_inferences, time_reference


def measure(toolchain, task, protocol):
    """Load a model, warm it up, time it; return a measurement without what only the parent knows."""
    batch, iterations = toolchain.factors["batch"], protocol["iterations"]
    started = time.monotonic()
    system = SystemMemory()
    resettable = reset_peak()
    infer = toolchain.load(task)
    loaded = time.monotonic()
    system.look()
    inputs = draw_inputs(task, batch)
    check_outputs(task, infer(*inputs), batch)
    called = time.monotonic()
    system.look()
    load_peak = peak_rss_bytes()
    release_free_memory()
    reset_peak()
    reference_before = time_reference()
    wall, process = time_inferences(infer, inputs, iterations)
    reference_after = time_reference()
    system.look()
    return {
        "verdict": "measured",
        "reason": None,
        "samples": {
            "wall_ns": wall,
            "process_ns": process,
            "round": [0] * iterations,
            "visit": [0] * iterations,
            "discarded": [index < protocol["discard"] for index in range(iterations)],
        },
        "reference_ns": [{"visit": 0, "before_ns": reference_before, "after_ns": reference_after}],
        "memory": {
            "load_peak_bytes": load_peak,
            "inference_peak_bytes": peak_rss_bytes(),
            "peak_resettable": resettable,
            "allocator_peak_bytes": toolchain.allocator_peak_bytes(),
            "system_drop_bytes": system.drop_bytes(),
        },
        "timing": {
            "load_s": loaded - started,
            "first_call_s": called - loaded,
            "measure_s": time.monotonic() - started,
        },
    }


def failure(verdict, reason):
    """Return the measurement of a model that could not be measured."""
    return {"verdict": verdict, "reason": reason, "samples": None, "reference_ns": [], "memory": None, "timing": None}


def measure_or_say_why(toolchain, task, protocol):
    """Return the measurement, or the failure that an exception tells of."""
    try:
        return measure(toolchain, task, protocol)
    except MemoryError as error:
        return failure("out_of_memory", str(error) or "not enough memory")
    except Exception as error:  # Whatever a runtime raises: it goes on record, and the campaign goes on.
        traceback.print_exc()
        verdict = "out_of_memory" if type(error).__name__ == "ResourceExhaustedError" else "failed"
        return failure(verdict, "%s: %s" % (type(error).__name__, str(error).strip().split("\n")[0][:500]))
