"""The shape of a plan, and of each answer: both sides of the protocol have it from here.

The runner makes answers, and the host checks them as JSON schemas say, since devices are not to be trusted. The host
makes plans, and the runner sees that nothing is missing. Standard library only.
"""

from perfcast.runner.power.base import MAX_W
from perfcast.runner.protocol import (
    BUDGET,
    DONE,
    ENDED,
    ENVIRONMENT,
    LACKING,
    MEASUREMENT,
    NO_CALM,
    PEAKS,
    RECEIVED,
    STARTED,
    VISIT,
    VISITING,
)

PLAN = {
    "factors": "the factor set, and `device_kind`",
    "protocol": "the target's, as in a measurement's record",
    "settings": "what to set on the device",
    "environment_variables": "what the target sets; None removes one",
    "power": "where to read power: a source, `auto` or `off`",
    "soak_s": "how long a model runs before its sustained latency is timed, None to skip this",
    "time_limit_s": "of a model",
    "seed": "of the order of visits",
    "tasks": "list of `TASK`",
    "environments": "by the names that tasks give them: those that models were visited in before",
    "calibration_ns": "times of the calibration workload so far, list of integers",
    "history": "how many visits of earlier measurements were calm, and of how many",
    "budget_s": "when to end with what there is, None for never",
}
NOTHING_BEFORE = {"environments": {}, "calibration_ns": [], "history": [0, 0], "budget_s": None}
"""The part of a plan that earlier runs make, where there were none."""
TASK = {
    "key": "of the measurement",
    "program": "the file of the model's program",
    "inputs": "as the program's converter described them",
    "outputs": "likewise",
    "seed": "of weights and inputs",
    "resume": "what `protocol.resume_of` says of earlier visits, None without any",
    "alone": "whether nothing else may be loaded beside it",
    "answered": "whether its visits so far are stored as a measurement under a budget",
    "can_wait": "whether it may be left without a visit when the budget ends",
}

MAX_INTEGER = (1 << 53) - 1
"""The largest integer that every reader of JSON keeps."""
KEY = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
COUNT = {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}
DURATION = {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER}
AMOUNT = {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_INTEGER}
DIFFERENCE = {"type": ["integer", "null"], "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}
SECONDS = {"type": "number", "minimum": 0}
RATE = {"type": "number", "exclusiveMinimum": 0}
NUMBER = {"type": "number"}
BOOLEAN = {"type": "boolean"}
NOTHING = {"const": None}
BOOT = {"type": ["string", "null"], "maxLength": 200}
FACT = {"type": ["string", "number", "null"], "maxLength": 10000}
DURATIONS = {"type": "array", "minItems": 1, "items": DURATION}
MOMENT = {
    "type": "string",
    "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-6][0-9]Z$(?!\n)",
}


def record(**fields):
    """Return the schema of an object with these fields and no others, all of them required."""
    return {"type": "object", "properties": fields, "required": sorted(fields), "additionalProperties": False}


def mapping(values, most, names=None):
    """Return the schema of an object of at most so many entries, whose names match a pattern."""
    checked = {"propertyNames": {"pattern": names}} if names else {}
    return dict(checked, type="object", maxProperties=most, additionalProperties=values)


def optional(schema):
    """Return the schema of what may be null."""
    return {"oneOf": [{"type": "null"}, schema]}


FACTS = mapping(FACT, 1000)
COMPUTED_ON = optional(mapping(COUNT, 20, r"^[a-z][a-z0-9_]{0,30}$(?!\n)"))
COUNTS = optional({"type": "array", "items": COUNT})
MACHINE = dict(
    FACTS,
    required=["cpu", "identity"],
    properties={"cpu": {"type": "string"}, "identity": {"type": "string", "pattern": r"^[0-9a-f]{16}$(?!\n)"}},
)
VARIABLES = mapping({"type": "string", "maxLength": 1000}, 1000, r"^[A-Za-z_][A-Za-z0-9_]{0,99}$(?!\n)")
SAMPLES = record(
    wall_ns=DURATIONS,
    process_ns={"type": "array", "minItems": 1, "items": COUNT},
    discarded={"type": "array", "minItems": 1, "items": BOOLEAN, "contains": {"const": False}},
    voluntary_switches=COUNTS,
    involuntary_switches=COUNTS,
    minor_faults=COUNTS,
    major_faults=COUNTS,
    run_delay_ns=COUNTS,
    steal_ns=COUNTS,
    interrupt_ns=COUNTS,
)
WATTS = dict(RATE, maximum=MAX_W)
POWER = record(idle_w=WATTS, mean_w=WATTS, seconds=RATE, runs=DURATION, readings=DURATION)
WORDS = {"type": ["string", "null"], "maxLength": 2000}
POWER_SOURCE = record(source=WORDS, parts=WORDS, rate_hz=optional(RATE), block_s=optional(RATE), reason=WORDS)
MEASURED = {
    "key": KEY,
    "status": {"const": "measured"},
    "reason": NOTHING,
    "memory": record(
        load_peak_bytes=AMOUNT,
        run_peak_bytes=AMOUNT,
        null_load_peak_bytes=AMOUNT,
        null_run_peak_bytes=AMOUNT,
        peak_resettable=BOOLEAN,
        allocator_peak_bytes=AMOUNT,
        system_drop_bytes=DIFFERENCE,  # Others may have freed more than the model took.
    ),
    "timing": record(load_s=SECONDS, first_call_s=SECONDS, fork_s=NUMBER, overhead_s=NUMBER),
    "sustained": optional(record(wall_ns=DURATIONS, seconds=SECONDS)),
    "computed_on": COMPUTED_ON,
    "stopped_by": {"enum": [NO_CALM, BUDGET, None]},
}
FAILED = dict(
    dict.fromkeys(("timing", "sustained", "computed_on", "stopped_by"), NOTHING),
    key=KEY,
    status={"enum": ["failed", "unsupported", "rejected", "out_of_memory", "timed_out", "crashed"]},
    reason={"type": "string", "minLength": 1, "maxLength": 2000},
    memory=record(peak_bytes=AMOUNT),
)
DEVICE = {
    "peaks": optional(record(flops_per_s=RATE, bytes_per_s=RATE, seconds=SECONDS)),
    "clock_resolution_ns": DURATION,
    "computed_on": COMPUTED_ON,
}
VISITED = {
    "key": KEY,
    "visit": COUNT,
    "round": COUNT,
    "started_at": MOMENT,
    "state": mapping({"type": ["number", "null"]}, 100),
    "calibration": record(before_ns=DURATION, after_ns=DURATION),
    "disturbed": BOOLEAN,
    "samples": SAMPLES,
}
ANSWERS = {
    DONE: [{}],
    ENVIRONMENT: [
        {
            "runner_version": {"type": "integer"},
            "boot": BOOT,
            "environment": record(machine=MACHINE, software=FACTS, settings=FACTS, variables=VARIABLES),
            "calibration_ns": optional(dict(DURATIONS, maxItems=1000)),
        }
    ],
    STARTED: [{"boot": BOOT}],
    ENDED: [{}],
    PEAKS: [DEVICE, dict(DEVICE, power=POWER_SOURCE)],
    LACKING: [
        {
            "names": {
                "type": "array",
                "uniqueItems": True,
                "maxItems": 1000000,
                "items": {"type": "string", "maxLength": 100},
            }
        }
    ],
    RECEIVED: [{"count": COUNT}],
    VISITING: [{"key": KEY}],
    VISIT: [VISITED, dict(VISITED, power=optional(POWER))],
    MEASUREMENT: [MEASURED, FAILED],
}
"""The fields that an answer to each event has besides `event`, with the schema of each; one of several shapes."""


def schemas_of(event):
    """Return the schemas of the answers to an event; none where there is no such event."""
    return [record(event={"const": event}, **fields) for fields in ANSWERS.get(event, ())]


def answer_of(event, values):
    """Return an answer as it is sent. Raises ValueError where no answer to this event has just these fields."""
    if not any(set(values) == set(fields) for fields in ANSWERS[event]):
        raise ValueError("an answer %s does not have the fields %s" % (event, ", ".join(sorted(values))))
    return dict(values, event=event)


def plan_with(**values):
    """Return a plan of these values. Raises ValueError where one is missing or unknown."""
    return shaped(PLAN, values)


def task_with(**values):
    """Return a task of these values. Raises ValueError where one is missing or unknown."""
    return shaped(TASK, values)


def shaped(shape, values):
    if set(values) != set(shape):
        raise ValueError("expected are %s, not %s" % (", ".join(sorted(shape)), ", ".join(sorted(values))))
    return values


def check_plan(plan):
    """End the program in one line where a plan lacks something; what it has besides does no harm."""
    missing = [name for name in PLAN if name not in plan]
    missing += ["tasks: " + name for task in plan.get("tasks", ()) for name in TASK if name not in task]
    if missing:
        raise SystemExit("the plan has no %s: it was written for another version of the runner" % missing[0])
