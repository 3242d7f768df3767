"""A runner that measures nothing and answers by the protocol, or breaks it where a test asks for that.

What it does instead stands in the JSON file that FAKE_RUNNER names:

    settings    facts of its environment's settings
    host        its environment's host
    identity    its environment's identity
    variables   its environment's variables
    looks       times of the calibration workload before it measures
    computed_on   what its null model was computed on
    runner_version
    boot        what names the device's start
    visits      how many visits each model has, instead of the fewest that the protocol allows
    calibration   nanoseconds of the calibration workload
    status     of all measurements
    first_hour  hour of the day of its first visit; each next one is an hour earlier
    instead     {"event": changes}: changes to the first answer of this event
    twice       an event: its first answer is given twice
    lines       answers to a plan, as they are
    refuses     the last words of a runner that refuses the device
    killed_after  kills itself after that many answers, not counting what it is going to visit
    seen        file that each plan is appended to, a line each
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plan", nargs="?")
    parser.add_argument("--die-with-parent", action="store_true")
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--probe")
    parser.add_argument("--settings")
    parser.add_argument("--variables")
    parser.add_argument("--calibrate")
    parser.add_argument("--power")
    arguments = parser.parse_args()
    wishes = json.loads(Path(os.environ["FAKE_RUNNER"]).read_text())
    if arguments.probe:
        sys.stdout.write(json.dumps(context_of(wishes)) + "\n")
        return
    plan = json.loads(sys.stdin.readline())
    with Path(wishes["seen"]).open("a") as file:
        file.write(json.dumps(plan) + "\n")
    if "refuses" in wishes:
        sys.stderr.write(wishes["refuses"] + "\n")
        sys.exit(78)
    number = 0
    for line in spoiled(plan, wishes):
        number += '"visiting"' not in line
        sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\n")
        sys.stdout.flush()
        if number == wishes.get("killed_after") and '"visiting"' not in line:
            os.kill(os.getpid(), signal.SIGKILL)
        if not sys.stdin.readline():
            return


def spoiled(plan, wishes):
    """Yield the lines of the answers, with what a test wants changed in them."""
    if "lines" in wishes:
        yield from wishes["lines"]
        return
    instead, twice = dict(wishes.get("instead", {})), wishes.get("twice")
    for answer in answers(plan, wishes):
        line = json.dumps(changed(answer, instead.pop(answer["event"], {})))
        yield line
        if answer["event"] == twice:
            twice = None
            yield line


def changed(answer, changes):
    for name, value in changes.items():
        answer[name] = changed(answer.get(name, {}), value) if isinstance(value, dict) else value
    return answer


def context_of(wishes):
    environment = {
        "machine": {
            "host": wishes.get("host", "board"), "identity": wishes.get("identity", "0" * 16),
            "identity_from": "machine-id", "architecture": "x86_64", "cpu": "a processor", "cpus": 2,
            "cpu_max_mhz": None, "gpu": None, "memory_bytes": 10**9, "swap_bytes": 0,
        },
        "software": {"os": "an OS", "kernel": "6", "python": "3.11", "numpy": "2", "noop": "1", "runner": 4},
        "settings": {"governor": "performance", "memory_limit_bytes": None, **wishes.get("settings", {})},
        "variables": wishes.get("variables", {}),
    }  # fmt: skip
    return {
        "event": "environment", "runner_version": wishes.get("runner_version", 6), "boot": wishes.get("boot", "first"),
        "environment": environment, "calibration_ns": wishes.get("looks", [wishes.get("calibration", 1000)]),
    }  # fmt: skip


def answers(plan, wishes):
    """Yield what a sound runner answers: all models in rounds, in the plan's order."""
    yield context_of(wishes)
    peaks = {"flops_per_s": 1e11, "bytes_per_s": 1e10, "seconds": 0.5}
    yield {"event": "peaks", "peaks": peaks, "clock_resolution_ns": 20, "computed_on": {"cpu": 1}}
    protocol = plan["protocol"]
    here = context_of(wishes)["environment"]
    fewest = protocol.get("min_visits") or protocol["visits"]
    made = {task["key"]: visits_before(task["resume"], plan, here) for task in plan["tasks"]}
    count = 0
    for turn in range(wishes.get("visits", fewest)):
        for task in plan["tasks"]:
            if made[task["key"]] <= turn:
                yield {"event": "visiting", "key": task["key"]}
                yield visit_of(task["key"], made[task["key"]], turn, protocol, wishes, count)
                made[task["key"]] += 1
                count += 1
    for task in plan["tasks"]:
        yield measurement_of(task["key"], wishes.get("status", "measured"))
    yield {"event": "done"}


def visits_before(resume, plan, environment):
    """Return how many visits count, as the runner decides it: those of its own environment."""
    return len(resume["visits"]) if resume and plan["environments"][resume["environment"]] == environment else 0


def visit_of(key, number, turn, protocol, wishes, count):
    size = protocol["iterations"] // protocol["visits"]
    warmup = protocol["discard"] // protocol["visits"]
    calibration = wishes.get("calibration", 1000)
    state = ("load_1_minute", "memory_available_bytes", "cpu_mhz", "temperature_c", "throttle_count")
    counted = ("voluntary_switches", "involuntary_switches", "minor_faults", "major_faults")
    hour = wishes["first_hour"] - count if "first_hour" in wishes else 12
    return {
        "event": "visit", "key": key, "visit": number, "round": turn,
        "started_at": f"2026-01-01T{hour:02}:00:{count % 60:02}Z",
        "state": dict.fromkeys(state, 1) | {"swapped_meanwhile": 0},
        "calibration": {"before_ns": calibration, "after_ns": calibration + 1},
        "disturbed": False,
        "samples": {
            "wall_ns": [1000 * (number + 1) + index for index in range(size)],
            "process_ns": [900] * size,
            "discarded": [index < warmup for index in range(size)],
            **{name: [0] * size for name in counted},
            "run_delay_ns": None, "steal_ns": None, "interrupt_ns": None,
        },
    }  # fmt: skip


def measurement_of(key, status):
    memory = {"peak_bytes": 10**8}
    timing = sustained = computed_on = None
    reason = "as the test wants it"
    if status == "measured":
        peaks = ("load_peak_bytes", "run_peak_bytes", "null_load_peak_bytes", "null_run_peak_bytes")
        memory = {**dict.fromkeys(peaks, 10**8), "peak_resettable": True, "allocator_peak_bytes": None}
        memory["system_drop_bytes"] = 10**8
        timing = dict.fromkeys(("load_s", "first_call_s", "fork_s", "overhead_s"), 0.1)
        reason, computed_on = None, {"cpu": 1}
    return {
        "event": "measurement", "key": key, "status": status, "reason": reason,
        "memory": memory, "timing": timing, "sustained": sustained, "computed_on": computed_on, "stopped_by": None,
    }  # fmt: skip


if __name__ == "__main__":
    main()
