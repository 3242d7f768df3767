"""The registry of power sources: one entry each, in the order that they are looked for.

`base.PowerSource` says what one consists of. A package may register another one as an entry point of the group
`perfcast.power_sources`.
"""

import sys

from perfcast.runner.plugs import find_plugs
from perfcast.runner.power.base import AbsentError
from perfcast.runner.power.ina3221 import Ina3221
from perfcast.runner.power.nvml import Nvml
from perfcast.runner.power.rapl import Rapl
from perfcast.runner.power.tegrastats import Tegrastats
from perfcast.runner.protocol import REFUSED

SOURCES = find_plugs((Rapl, Ina3221, Tegrastats, Nvml), "perfcast.power_sources")
AUTO, OFF = "auto", "off"
ASKED = (AUTO, OFF, *SOURCES)
"""What a target may ask for."""
POWER_METRICS = ("power_idle_w", "power_mean_w", "energy_run_mj", "energy_run_above_idle_mj")
"""Columns of the dataset that power gives, of any workload, for predictors to learn: empty where there is no source."""


def find_source(asked, device_kind, root="/"):
    """Return the power source of a kind of device, and why there is none: one of the two is None.

    Args:
        asked: one of `ASKED` but `off`; `auto` takes the first source that is there.
        device_kind: `cpu` or `gpu`.
        root: where /sys is looked for.

    """
    kinds = list(SOURCES.values()) if asked == AUTO else [SOURCES[asked]]
    fitting = [kind for kind in kinds if device_kind in kind.device_kinds]
    reasons = []
    for kind in fitting:
        try:
            return kind(root), None
        except AbsentError as absent:
            if absent.reason:
                reasons.append(absent.reason)
    if not fitting:
        return None, "%s does not say the power of a %s" % (kinds[0].title, device_kind)
    looked = "no sensor found (looked for %s)" % ", ".join(kind.title for kind in fitting)
    return None, "; ".join([looked, *reasons])


def source_asked_for(asked, device_kind):
    """Return what `find_source` returns; without a source that was asked for by its name, end the program in one line.

    `off` has no source, and no reason.
    """
    if asked == OFF:
        return None, None
    if asked != AUTO and asked not in SOURCES:
        raise SystemExit("unknown power source %s; known are %s" % (asked, ", ".join(ASKED)))
    source, reason = find_source(asked, device_kind)
    if source is None and asked != AUTO:
        print("power: %s; set power of the target to auto or off" % reason, file=sys.stderr)
        raise SystemExit(REFUSED)
    return source, reason


def seconds_per_visit(in_words):
    """Return how much longer visits take with the source that an environment names, 0 where it names none."""
    source = SOURCES.get((in_words or "").split(" ")[0])
    return 2 * (source.settling_s + source.block_s) if source else 0.0


def facts_of(source, reason):
    """Return where power is read, as an answer and a measurement's record have it."""
    facts = dict.fromkeys(("source", "parts", "rate_hz", "block_s"))
    if source:
        rate_hz = 1 / source.period_s if source.period_s else None
        facts = {"source": source.name, "parts": source.parts, "rate_hz": rate_hz, "block_s": source.block_s}
    return dict(facts, reason=reason)
