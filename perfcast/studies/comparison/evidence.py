"""What two datasets show of the machine and of the noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from perfcast.studies.comparison.variance import (
    MIN_MODELS,
    OF_THE_MIDDLE,
    SMALLEST,
    moderated,
    of_repeats,
    round_effects,
    visit_variances,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.studies.comparison.pairs import Pairs
    from perfcast.studies.comparison.visits import Visits

_ONE_SIGMA = 0.683
"""Confidence of an interval of one standard error to either side."""


@dataclass(frozen=True)
class Machine:
    """How the machine changed.

    Attributes:
        calibration: the log ratio of the calibration workload's times, NaN where it was not timed in both.
        below, above: by how much a model's change may be smaller, or larger, than its ratio in `Evidence` since
            nothing shows how much the models share of the calibration workload's change.
        variance, dof: of a round's effect on all models.
    """

    calibration: float
    below: float
    above: float
    variance: float
    dof: int


@dataclass(frozen=True)
class Evidence:
    """What separates change from noise; variances are those of log ratios.

    Attributes:
        ratios: the logarithm of second over first, one number per model, without what the calibration around the
            visits explains.
        own, own_dof: the variance of each model's ratio from its visits, and degrees of freedom.
        repeats, repeats_count: how far repetitions differ, and how many there are.
        machine: how the machine changed; None for a metric that its load does not touch.
    """

    ratios: np.ndarray
    own: np.ndarray
    own_dof: np.ndarray
    repeats: float
    repeats_count: int
    machine: Machine | None


def undecided(pairs: Pairs) -> str:
    """Return why two datasets cannot tell what changed; empty if they can."""
    count = len(pairs.a)
    if not count:
        return "no model was measured twice"
    if count >= MIN_MODELS:
        return ""
    models = f"{count} model{'s' if count > 1 else ''}"
    if not _is_steady(pairs):
        return f"with {models}, a slower machine and slower models cannot be separated; measure at least {MIN_MODELS}"
    if len(pairs.repeats):
        return ""
    return (
        f"with {models} and no repetition, noise and change cannot be separated; measure with replicates, or "
        f"at least {MIN_MODELS} models"
    )


def evidence_of(pairs: Pairs) -> Evidence:
    """Return what is known of the noise."""
    first, second = pairs.values
    ratios, count = np.log(second) - np.log(first), len(pairs.a)
    repeats = of_repeats(pairs.repeats) if len(pairs.repeats) else 0.0
    smallest, many = np.full(count, SMALLEST**2), np.full(count, float(count))
    if _is_steady(pairs):
        return Evidence(ratios, smallest, many, repeats, len(pairs.repeats), None)
    followed = _calibrations(pairs)
    known = followed[np.isfinite(followed)]
    calibration = float(np.median(known)) if len(known) else np.nan
    within = _slope(pairs)
    slope = _between(within, ratios, followed) if within else 0.0
    adjusted = [[_adjusted(visits, slope) for visits in side] for side in pairs.visits]
    effects = [round_effects(side) for side in adjusted]
    if all(len(visits) for side in adjusted for visits in side):
        first, second = (np.array([visits.middle for visits in side]) for side in adjusted)
        ratios = second - first
    own, own_dof = _own_noise(adjusted, effects)
    machine = _machine(float(np.nan_to_num(calibration)), slope, max(1.0, within, slope), effects)
    return Evidence(ratios, own, own_dof, repeats, len(pairs.repeats), replace(machine, calibration=calibration))


def _is_steady(pairs: Pairs) -> bool:
    return pairs.column.endswith("_mb")


def _calibrations(pairs: Pairs) -> np.ndarray:
    """Return the log ratio of the calibration times around each model, NaN where not timed in both."""
    means = [
        np.array([np.mean(visits.calibrations) if len(visits) else np.nan for visits in side]) for side in pairs.visits
    ]
    return means[1] - means[0]


def _slope(pairs: Pairs) -> float:
    """Return by how much a visit's log value follows the log of the calibration around it.

    One least-squares slope within the measurements, of all visits together, shrunk towards 0 as far as it is uncertain
    (the positive-part estimate of James and Stein 1961). Calibration is timed around a visit, not in it, so the slope
    is smaller than that of the machine's part alone. It is 0 where a visit lacks the calibration.
    """
    visits = [visits for side in pairs.visits for visits in side if len(visits) > 1]
    dof = sum(len(of_one) - 1 for of_one in visits) - 1
    if dof < 1 or not all(np.isfinite(of_one.calibrations).all() for side in pairs.visits for of_one in side):
        return 0.0
    x, y = (
        np.concatenate([getattr(of_one, name) - getattr(of_one, name).mean() for of_one in visits])
        for name in ("calibrations", "values")
    )
    if not (squares := float(x @ x)):
        return 0.0
    slope = float(x @ y) / squares
    error2 = float(np.sum((y - slope * x) ** 2)) / dof / squares
    kept = max(0.0, 1 - error2 / slope**2) if slope > 0 else 0.0
    return slope * kept


def _between(within: float, ratios: np.ndarray, followed: np.ndarray) -> float:
    """Return by how much the models' log ratios follow those of the calibration around them.

    What slows down single visits need not be what slows down a campaign, so the slope within measurements is worth one
    observation, uncertain by its own size; the other is the slope of Theil (1950) and Sen (1968), which a few changed
    models do not move. Their mean is weighted by precision.
    """
    if not np.ptp(followed):
        return within
    found = stats.theilslopes(ratios, followed, _ONE_SIGMA)
    error = (found.high_slope - found.low_slope) / 2
    return max(0.0, (within * error**2 + found.slope * within**2) / (error**2 + within**2))


def _adjusted(visits: Visits, slope: float) -> Visits:
    return replace(visits, values=visits.values - slope * visits.calibrations) if slope else visits


def _own_noise(sides: Sequence[Sequence[Visits]], effects: Sequence[dict[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance of each model's log ratio from its visits, and degrees of freedom."""
    found = [visit_variances(side, rounds) for side, rounds in zip(sides, effects, strict=True)]
    variances, dof = (np.concatenate(parts) for parts in zip(*found, strict=True))
    count = len(sides[0])
    if not dof.any():
        return np.full(count, SMALLEST**2), np.full(count, float(count))
    each, degrees = moderated(variances, dof)
    counts = np.array([max(1, len(visits)) for side in sides for visits in side])
    first, second = np.split(each * np.where(counts > 3, OF_THE_MIDDLE, 1.0) / counts, 2)
    total = first + second
    return total, total**2 / (first**2 / degrees[:count] + second**2 / degrees[count:])


def _machine(calibration: float, slope: float, steepest: float, effects: Sequence[dict[int, float]]) -> Machine:
    """Return what may be the machine's.

    Nothing shows whether the models slow down as much as the calibration workload when the machine does, or not at
    all: the machine's part is anything between, or more where their visits follow the calibration more steeply.
    """
    taken, most = slope * calibration, steepest * calibration
    values = [np.array(list(rounds.values())) for rounds in effects]
    several = [of_side for of_side in values if len(of_side) > 1]
    dof = sum(len(of_side) - 1 for of_side in several)
    squares = sum(float(np.sum((of_side - of_side.mean()) ** 2)) for of_side in several)
    return Machine(
        calibration=calibration,
        below=max(0.0, most) - taken,
        above=taken - min(0.0, most),
        variance=squares / dof if dof else np.nan,
        dof=dof,
    )
