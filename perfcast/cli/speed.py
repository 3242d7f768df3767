"""Whether this machine is as fast as the one that predictions are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.bench.calibrations import Speed, ratio_in_words
from perfcast.bench.target import available_cpus

if TYPE_CHECKING:
    from perfcast.fit.predictor import Predictor

_TIMES = 5
"""Mostly one is enough: of a machine that was never calm, 95% of single times agreed with the whole campaign, and 98%
of blocks of five."""


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
    times: list[float] = []
    while len(times) < _TIMES:
        times.append(calibration.time_ns() * 1e-6)
        here = Speed.of(times)
        if here.agrees(there):
            return None
    return f"this machine is {ratio_in_words(here.usual / there.usual)} than the one these predictions are for"


def _is_named_like_this(predictor: Predictor) -> bool:
    from perfcast.runner.machine import read_machine

    return read_machine()["cpu"] in predictor.environment.get("device", [])
