"""Why not to trust a measurement, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.levels import lasting_levels
from perfcast.stability.location import LEAST_MS
from perfcast.stability.outliers import never_waited

if TYPE_CHECKING:
    from perfcast.stability.levels import Levels
    from perfcast.stability.location import Location
    from perfcast.stability.series import Series

FEWEST = 10
"""Fewer samples show neither patterns nor noise."""
TRUSTED_WIDTH = 0.05
"""A latency known to within 5% adds little to a prediction that errs by 10%."""
HOPELESS_WIDTH = 0.5
HOPELESS_VISITS = 5
"""A latency that five visits or more leave open by half says nothing; fewer show too little to condemn it."""
SALVAGED_SHARE = 0.25
"""A quarter of the samples that is known not to have waited for a CPU is worth mentioning, however disturbed the
visits were."""
LEVEL_SHARE = 0.05
LEVEL_TIME = 0.05
"""Another level counts if it is 5% away, the width of trust, and holds for 5% of the time."""
SLOWER_MACHINE = 0.08
"""The calibration is slower by 8% only where the machine is: it repeats to within 2 or 3% where nothing disturbs."""
SLOW_FACTOR = 1.3
MOST_SLOW = 0.25
"""Where over a quarter of the samples are slow by 30% for no cause that was seen, slow may be what is typical."""


def doubt(series: Series, chosen: np.ndarray, location: Location) -> tuple[str, str]:
    """Return `trusted`, `noisy` or `rejected`, and the reason in words.

    Args:
        series: the measurement.
        chosen: its samples that are warm, as a mask.
        location: what was made of them.
    """
    visits = np.unique(series.visit[chosen])
    undisturbed = [visit for visit in visits.tolist() if visit not in series.disturbed]
    if location.ms <= 2 * LEAST_MS:
        return "rejected", "inferences are too short for the resolution of the device's clock"
    if series.swapped.issuperset(visits.tolist()):
        return "rejected", "the system swapped during all visits; free memory, and measure again"
    half = location.high_ms / location.ms - 1
    if half > HOPELESS_WIDTH and len(visits) >= HOPELESS_VISITS:
        return "rejected", f"{_known_to(series, chosen, location)}; measure again on a quiet machine"
    if not undisturbed:
        spared = float((location.calm & never_waited(series)).sum() / chosen.sum())
        return "noisy", _all_disturbed(len(visits), spared if spared >= SALVAGED_SHARE else 0.0)
    if chosen.sum() < FEWEST:
        return "noisy", f"only {chosen.sum()} samples: too few to judge"
    unexplained = chosen & np.isin(series.visit, undisturbed) & ~location.outliers
    reason = (
        _several_levels(series.wall_ms[unexplained])
        or _often_slow(series.wall_ms[unexplained], location.ms)
        or _too_few_calm(len(visits), len(undisturbed))
        or _slow_machine(series, location)
        or (_known_to(series, chosen, location) if half > TRUSTED_WIDTH else "")
    )
    return ("noisy" if reason else "trusted"), reason


def _all_disturbed(visits: int, calm: float) -> str:
    who = {1: "its only visit was", 2: "both visits were"}.get(visits, f"all {visits} visits were")
    left = f", which spared {100 * calm:.0f}% of the inferences" if calm else ""
    return f"{who} disturbed by other work{left}; measure again on a quiet machine"


def _too_few_calm(visits: int, calm: int) -> str:
    return f"only 1 of {visits} visits was undisturbed: no other confirms it" if calm == 1 and visits > 1 else ""


def _known_to(series: Series, chosen: np.ndarray, location: Location) -> str:
    percent = 100 * max(location.high_ms / location.ms - 1, 1 - location.low_ms / location.ms)
    medians = [float(np.median(series.wall_ms[chosen & (series.visit == visit)])) for visit in np.unique(series.visit)]
    known = f"known to ±{percent:.0f}% only"
    if len(medians) < 2:
        return known
    return f"{known}: the visits' medians go from {in_ms(min(medians))} to {in_ms(max(medians))}"


def _slow_machine(series: Series, location: Location) -> str:
    """Say by how much the calibration was slower around the calm visits than around the best visit."""
    calm = [
        series.calibration_ms[visit]
        for visit in np.unique(series.visit[location.calm])
        if visit in series.calibration_ms
    ]
    if not calm:
        return ""
    slower = float(np.median(calm)) / min(series.calibration_ms.values()) - 1
    if slower <= SLOWER_MACHINE:
        return ""
    return f"the machine itself was {100 * slower:.0f}% slower than at best around the visits that count"


def _often_slow(wall_ms: np.ndarray, location_ms: float) -> str:
    slow = float(np.mean(wall_ms > SLOW_FACTOR * location_ms)) if len(wall_ms) else 0.0
    if slow <= MOST_SLOW:
        return ""
    share = f"{100 * slow:.0f}% of the inferences"
    return f"{share} took over {SLOW_FACTOR} times {in_ms(location_ms)}, without a recorded cause"


def _several_levels(wall_ms: np.ndarray) -> str:
    """Say which levels undisturbed visits have that no recorded cause explains; empty where there is one."""
    if len(wall_ms) < FEWEST:
        return ""
    levels = lasting_levels(wall_ms)
    lengths = np.diff([*levels.starts, len(wall_ms)])
    lowest = min(levels.values)
    away = [value > (1 + LEVEL_SHARE) * lowest for value in levels.values]
    share = float(lengths[away].sum()) / len(wall_ms)
    if not LEVEL_TIME <= share <= 1 - LEVEL_TIME:
        return ""
    return _levels_in_words(levels, lengths, len(wall_ms))


def _levels_in_words(levels: Levels, lengths: np.ndarray, count: int) -> str:
    first, second = levels.values[:2]
    share = f"{100 * lengths[0] / count:.0f}% of the time"
    if len(levels.values) == 2:
        return f"two levels: {in_ms(first)} for {share}, {in_ms(second)} after sample {levels.starts[1]}"
    if len(levels.values) == 3 and abs(levels.values[2] / first - 1) < LEVEL_SHARE:
        start, end = levels.starts[1:]
        return f"two levels: {in_ms(first)}, but {in_ms(second)} from sample {start + 1} to {end}"
    low, high = min(levels.values), max(levels.values)
    return f"{len(levels.values)} levels between {in_ms(low)} and {in_ms(high)}: it changed {len(lengths) - 1} times"


def in_ms(value: float) -> str:
    """Return a time in ms with three digits."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"
