"""Why not to trust a measurement, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.levels import lasting_levels
from perfcast.stability.segments import MIN_MS

if TYPE_CHECKING:
    from perfcast.stability.levels import Levels
    from perfcast.stability.location import Location
    from perfcast.stability.series import Series

MIN_SAMPLES = 10
"""Fewer samples show neither patterns nor noise."""
TRUSTED_WIDTH = 0.1
"""A latency whose 95% interval is ±10% has a standard error of 5%: to a prediction that errs by 10% it adds 1%."""
HOPELESS_WIDTH = 0.5
HOPELESS_VISITS = 5
"""A latency that five visits or more leave open by half says nothing; fewer show too little to condemn it."""
SAME_LEVEL = 0.05
"""What returns to within 5% of a level is at that level again."""
SLOW_FACTOR = 1.3
MAX_SLOW_SHARE = 0.25
"""Where over a quarter of the samples are slow by 30%, or of slow segments, for no cause seen, slow may be typical."""


def doubt(series: Series, chosen: np.ndarray, location: Location) -> tuple[str, str]:
    """Return `trusted`, `noisy` or `rejected`, and the reason in words.

    Args:
        series: the measurement.
        chosen: its samples that are warm, as a mask.
        location: what was made of them.
    """
    visits = np.unique(series.visit[chosen])
    if location.ms <= 2 * MIN_MS:
        return "rejected", "inferences are too short for the resolution of the device's clock"
    if series.swapped.issuperset(visits.tolist()):
        return "rejected", "the system swapped during all visits; free memory, and measure again"
    if _half_width(location) > HOPELESS_WIDTH and len(visits) >= HOPELESS_VISITS:
        return "rejected", f"{_known_to(series, chosen, location)}; measure again on a quiet machine"
    reason = _too_few(series, chosen, location) or _not_one_level(series, chosen, location)
    return ("noisy" if reason else "trusted"), reason


def _half_width(location: Location) -> float:
    return max(location.high_ms / location.ms - 1, 1 - location.low_ms / location.ms)


def _too_few(series: Series, chosen: np.ndarray, location: Location) -> str:
    if chosen.sum() < MIN_SAMPLES:
        return f"only {chosen.sum()} samples: too few to judge"
    visits, usual = (np.unique(series.visit[samples]) for samples in (chosen, location.usual))
    if series.disturbed.issuperset(usual.tolist()):
        return f"{_all_of(len(visits))} disturbed by other work; measure again on a quiet machine"
    if len(usual) == 1 < len(visits):
        return f"only 1 of {len(visits)} visits was not slowed down: no other confirms it"
    return ""


def _all_of(visits: int) -> str:
    return {1: "its only visit was", 2: "both visits were"}.get(visits, f"all {visits} visits were")


def _not_one_level(series: Series, chosen: np.ndarray, location: Location) -> str:
    """Say what spoils the latency where it is not known well, or where much was slow for no cause that was seen."""
    left = chosen & ~location.outliers
    undisturbed = left & ~np.isin(series.visit, list(series.disturbed))
    slower = location.slowed | (series.wall_ms > SLOW_FACTOR * location.expected_ms)
    slow = float((slower & undisturbed).sum()) / chosen.sum()
    if slow <= MAX_SLOW_SHARE and _half_width(location) <= TRUSTED_WIDTH:
        return ""
    judged = undisturbed if undisturbed.any() else left
    levels = lasting_levels(series.wall_ms[judged])
    if len(levels.values) > 1:
        return _levels_in_words(levels, int(judged.sum()))
    if slow > MAX_SLOW_SHARE:
        return f"{100 * slow:.0f}% of the inferences were slower than {in_ms(location.ms)}, without a recorded cause"
    return _known_to(series, chosen, location)


def _known_to(series: Series, chosen: np.ndarray, location: Location) -> str:
    medians = [float(np.median(series.wall_ms[chosen & (series.visit == visit)])) for visit in np.unique(series.visit)]
    known = f"known to ±{100 * _half_width(location):.0f}% only"
    if location.tick_ms > TRUSTED_WIDTH * location.ms:
        return f"{known}: the device's clock advances in steps of {in_ms(location.tick_ms)}"
    if len(medians) < 2:
        return known
    return f"{known}: the visits' medians go from {in_ms(min(medians))} to {in_ms(max(medians))}"


def _levels_in_words(levels: Levels, count: int) -> str:
    lengths = np.diff([*levels.starts, count])
    first, second = levels.values[:2]
    share = f"{100 * lengths[0] / count:.0f}% of the time"
    if len(levels.values) == 2:
        return f"two levels: {in_ms(first)} for {share}, {in_ms(second)} after sample {levels.starts[1]}"
    if len(levels.values) == 3 and abs(levels.values[2] / first - 1) < SAME_LEVEL:
        start, end = levels.starts[1:]
        return f"two levels: {in_ms(first)}, but {in_ms(second)} from sample {start + 1} to {end}"
    low, high = min(levels.values), max(levels.values)
    return f"{len(levels.values)} levels between {in_ms(low)} and {in_ms(high)}: it changed {len(lengths) - 1} times"


def in_ms(value: float) -> str:
    """Return a time in ms with three digits."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"
