"""Whether this machine is as fast as the one that predictions are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.bench.calibrations import Speed, ratio_in_words
from perfcast.bench.target import available_cpus

if TYPE_CHECKING:
    from perfcast.fit.predictor import Predictor

_TIMES = 5
"""30 ms each on the machines seen. On one that was never calm, 98% of such blocks agreed with the whole campaign."""


def speed_here(predictor: Predictor, is_for_here: bool) -> str | None:
    """Time the calibration workload; return in one line that this machine is slower or faster than the predictor's.

    Args:
        predictor: of some target.
        is_for_here: whether its predictions are taken for this machine, whatever the device is called; else they are
            where its device has the name of this machine's processor.

    Returns:
        None where the difference is within what calibration varies by, the predictions are for another device, or the
        predictor does not say how fast its machine was on as many threads as there are CPUs here.
    """
    threads = max((count for count in predictor.calibrations_ms if count <= available_cpus()), default=None)
    if threads is None or not (is_for_here or _is_named_like_this(predictor)):
        return None
    from perfcast.runner.calibration import Calibration

    calibration, there = Calibration(threads), predictor.calibrations_ms[threads]
    here = Speed.of([calibration.time_ns() * 1e-6 for _ in range(_TIMES)])
    if here.agrees(there):
        return None
    return f"this machine is {ratio_in_words(here.usual / there.usual)} than the one these predictions are for"


def _is_named_like_this(predictor: Predictor) -> bool:
    from perfcast.runner.machine import read_machine

    return read_machine()["cpu"] in predictor.environment.get("device", [])
