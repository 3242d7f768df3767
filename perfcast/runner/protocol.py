"""What the runner and its host agree on: both import it from here, and nothing of it stands anywhere else.

The shapes of plans and answers stand in `shapes`, beside this. Standard library only.
"""

import hashlib
import json

RUNNER_VERSION = 6

# Exit codes, besides 0 and 1.
GONE = 74
"""The runner is not there any more: another version of perfcast removed it (EX_IOERR of sysexits.h)."""
BUSY = 75
"""Somebody else measures on the device: try again later (EX_TEMPFAIL)."""
REFUSED = 78
"""The device is not what the target says, and nothing was measured (EX_CONFIG); the last line says why."""

# Answers: each a JSON object on a line, named by its `event`.
ENVIRONMENT, PEAKS = "environment", "peaks"
VISITING, VISIT, MEASUREMENT, DONE = "visiting", "visit", "measurement", "done"
LACKING, RECEIVED = "lacking", "received"
STARTED, ENDED = "started", "ended"
"""What the program of an offline bundle records itself."""

NO_CALM, BUDGET = "no_calm", "budget"
"""What may end a model's visits before the protocol does: no calm in sight, so that disturbed visits are not
repeated; or the budget, after which the next run continues."""

MAX_FREEZES = 2
"""A model that froze a device is tried once more, at the end; then it is on record."""

# An offline bundle: a folder with these files.
BUNDLE_VERSION = 4
BUNDLE, ANSWERS, RUNNER_FILE, STARTER, PROGRAMS = "bundle.json", "answers.jsonl", "runner.pyz", "run.py", "graphs"

FINGERPRINT = {
    "machine": ("identity", "architecture", "board", "cpu", "cpus", "gpu", "swap_bytes"),
    "not_software": ("runner",),
}
"""What of an environment changes numbers: these facts of the machine, all software but these, all settings and all
environment variables."""
PARTS = ("machine", "software", "settings", "variables")
"""Of an environment, and of its fingerprint."""


def fingerprint_of(environment):
    """Return an environment's fingerprint: the same parts with less in them.

    Excluded is what does not change numbers (host, memory, clock limit), and the runner's own version, which a
    protocol's version stands for.
    """
    software = environment["software"]
    return {
        "machine": {name: environment["machine"].get(name) for name in FINGERPRINT["machine"]},
        "software": {name: software[name] for name in software if name not in FINGERPRINT["not_software"]},
        "settings": dict(environment["settings"]),
        "variables": dict(environment["variables"]),
    }


def median_ns(samples):
    """Return the median wall time in ns of the samples of a visit that are kept."""
    kept = sorted(wall for wall, discarded in zip(samples["wall_ns"], samples["discarded"]) if not discarded)
    middle = len(kept) // 2
    return kept[middle] if len(kept) % 2 else (kept[middle - 1] + kept[middle]) / 2


def resume_of(environment, visits):
    """Return what a task of a plan says of visits made before in an environment, by its name: None without any."""
    known = [
        {"visit": visit["visit"], "median_ns": median_ns(visit["samples"]), "disturbed": visit["disturbed"]}
        for visit in visits
    ]
    return {"environment": environment, "visits": known} if known else None


def checksum_of(before, text):
    """Return the checksum of a line of an offline log: of its answer, behind the checksum of the line before it."""
    return hashlib.sha256((before + text).encode()).hexdigest()


def log_line(before, text):
    """Return a line of an offline log and its checksum."""
    checksum = checksum_of(before, text)
    return json.dumps({"answer": text, "checksum": checksum}).encode() + b"\n", checksum


def answer_in(line, before):
    """Return the answer of an offline log's line and its checksum; None where it was changed or cut off."""
    try:
        entry = json.loads(line.decode())
        answer, checksum = entry["answer"], entry["checksum"]
        is_whole = line.endswith(b"\n") and checksum == checksum_of(before, answer)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (answer, checksum) if is_whole else None
