"""The judgement of a measurement: its latency, how sure that is, and whether to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.doubts import doubt
from perfcast.stability.location import learn_machine, locate
from perfcast.stability.normality import normality_p
from perfcast.stability.patterns import classify
from perfcast.stability.warmup import warm

if TYPE_CHECKING:
    from perfcast.stability.machine import Machine
    from perfcast.stability.series import Series


@dataclass(frozen=True)
class Judgement:
    """What the samples of a measurement are worth.

    Attributes:
        location_ms: typical latency on the machine in its usual state, in ms.
        low_ms, high_ms: its 95% interval.
        trust: `trusted`, `noisy` or `rejected`.
        reason: why, in words; empty where trusted.
        pattern: one of `perfcast.stability.PATTERNS`.
        warmup: inferences found to be warm-up, the most over undisturbed visits.
        normality_p: p-value of a normality test of the warm samples, NaN where too few.
        proven_outliers: samples that are slow for a cause that was seen, and left out.
        outlier_gain_percent: how much narrower leaving them out made the interval.
        calm_visits, visits: how many visits were neither disturbed nor slowed down, of how many.
    """

    location_ms: float
    low_ms: float
    high_ms: float
    trust: str
    reason: str
    pattern: str
    warmup: int
    normality_p: float
    proven_outliers: int
    outlier_gain_percent: float
    calm_visits: int
    visits: int


def judge(series: Series, machine: Machine | None = None) -> Judgement:
    """Return the judgement of ``series``, without visits during which the system swapped.

    Args:
        series: the measurement.
        machine: what was learned of the machine from all that was measured on it; of this series where None.

    Raises:
        ValueError: no sample is left without the declared warm-up.
    """
    if series.discarded.all():
        raise ValueError("there is nothing to judge: all samples are declared warm-up")
    visits, series = len(series.visits), series.without_swapping()
    chosen, warmup = warm(series)
    location = locate(series, chosen, machine or learn_machine([series]))
    trust, reason = doubt(series, chosen, location)
    kept = series.wall_ms[chosen]
    return Judgement(
        location_ms=location.ms,
        low_ms=location.low_ms,
        high_ms=location.high_ms,
        trust=trust,
        reason=reason,
        pattern=classify(kept),
        warmup=warmup,
        normality_p=normality_p(kept),
        proven_outliers=int(location.outliers.sum()),
        outlier_gain_percent=location.gain_percent,
        calm_visits=len(np.unique(series.visit[location.usual & ~np.isin(series.visit, list(series.disturbed))])),
        visits=visits,
    )
