"""How much each model changed from one dataset to the other, and how sure that is, as the kind of metric allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from perfcast.errors import UsageError
from perfcast.studies.comparison.variance import (
    FEWEST_MODELS,
    OF_THE_MIDDLE,
    SMALLEST,
    between_models,
    moderated,
    of_repeats,
    round_effects,
    visit_variances,
)
from perfcast.studies.comparison.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.studies.comparison.pairs import Pairs

_EFFICIENCY = 0.6
"""Degrees of freedom a model of the robust scale Qn: 0.8 by its variance, less for the tails of that of few."""


@dataclass(frozen=True)
class Change:
    """Changes of log values, as arrays: estimates, their variances and degrees of freedom."""

    log: np.ndarray
    variance: np.ndarray
    dof: np.ndarray

    def slower_p(self) -> np.ndarray:
        """Return the one-sided p-values of an increase."""
        return np.asarray(stats.t.sf(self.log / np.sqrt(self.variance), self.dof))

    def margin(self, probability: float) -> np.ndarray:
        """Return how far from an estimate the one-sided bound of this probability is."""
        return np.asarray(stats.t.ppf(probability, self.dof) * np.sqrt(self.variance))


@dataclass(frozen=True)
class Changes:
    """What changed.

    Attributes:
        models: of each model, without what is the machine's.
        machine: the log ratio that was taken for the machine's.
        calibration: the log ratio of the calibration workload, NaN where it was not timed.
        typical: the log ratio of the typical model, None where it was not taken for the machine's.
        together: of all models alike, beyond the calibration workload; None where that is not judged.
    """

    models: Change
    machine: float
    calibration: float
    typical: float | None = None
    together: Change | None = None


def changes_of(pairs: Pairs, ratios: np.ndarray) -> Changes:
    """Return what changed; the docstrings of the ways below say how it is found.

    Args:
        pairs: what the noise is estimated from.
        ratios: the logarithm of second over first, one number per model.

    Raises:
        UsageError: the datasets cannot separate noise from change.
    """
    if pairs.column.endswith("_mb"):
        return _of_a_steady_metric(pairs, ratios)
    return _of_few(pairs, ratios) if len(pairs.a) < FEWEST_MODELS else _of_many(pairs, ratios)


def _of_a_steady_metric(pairs: Pairs, ratios: np.ndarray) -> Changes:
    """Take each model's ratio as such: memory does not depend on how busy the machine is.

    Noise is how far repetitions differ, else how far the models' ratios do.
    """
    if len(pairs.repeats):
        variance, dof = of_repeats(pairs.repeats), float(len(pairs.repeats))
    elif len(ratios) >= FEWEST_MODELS:
        variance, dof = between_models(ratios, np.full(len(ratios), SMALLEST**2)), _EFFICIENCY * (len(ratios) - 1)
    else:
        raise _inseparable_noise(pairs)
    return Changes(_alike(ratios, variance + SMALLEST**2, dof), 0.0, np.nan)


def _of_few(pairs: Pairs, ratios: np.ndarray) -> Changes:
    """Take each model's ratio over that of the calibration workload: there is no telling what is typical.

    Noise is how far single visits differ, not their mean: two campaigns may differ as two visits of one do, and
    visits that follow each other see the same machine.
    """
    calibration = _calibration(pairs)
    net = ratios - np.nan_to_num(calibration)
    variances, dof = (
        np.concatenate(parts) for parts in zip(*(_plain_variances(side) for side in pairs.visits), strict=True)
    )
    if dof.any():
        (first, second), (first_dof, second_dof) = (np.split(found, 2) for found in moderated(variances, dof))
        both = first + second
        models = Change(net, both, both**2 / (first**2 / first_dof + second**2 / second_dof))
    elif len(pairs.repeats):
        models = _alike(net, of_repeats(pairs.repeats) + SMALLEST**2, float(len(pairs.repeats)))
    else:
        raise _inseparable_noise(pairs)
    return Changes(models, float(np.nan_to_num(calibration)), calibration)


def _of_many(pairs: Pairs, ratios: np.ndarray) -> Changes:
    """Take each model's ratio over the typical one, which holds how the machine was, and judge that one by itself.

    Noise of a model: how far its visits differ, and how far models, or repetitions, differ beyond that. It is known no
    better than the models' number allows: where machines are busy, its tails are heavier than normal ones.
    """
    shift = float(np.median(ratios))
    own, own_dof = _own_noise(pairs)
    extra, extra_dof = between_models(ratios, own), _EFFICIENCY * (len(ratios) - 1)
    if len(pairs.repeats) and (beyond := of_repeats(pairs.repeats) - float(own.mean())) > extra:
        extra, extra_dof = beyond, float(len(pairs.repeats))
    noise = own + extra
    of_typical = np.pi / 2 / np.sum(1 / noise)
    dof = np.minimum(noise**2 / (own**2 / own_dof + extra**2 / extra_dof), float(len(ratios) - 1))
    models = Change(ratios - shift, noise, dof)
    calibration = _calibration(pairs)
    return Changes(models, shift, calibration, shift, _together(pairs, shift, calibration, float(of_typical)))


def _own_noise(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance of each model's log ratio from its visits, and degrees of freedom."""
    found = [visit_variances(side, round_effects(side)) for side in pairs.visits]
    variances, dof = (np.concatenate(parts) for parts in zip(*found, strict=True))
    count = len(pairs.a)
    if not dof.any():
        return np.full(count, SMALLEST**2), np.full(count, float(count))
    each, degrees = moderated(variances, dof)
    counts = np.array([max(1, len(visits)) for side in pairs.visits for visits in side])
    first, second = np.split(each * np.where(counts > 3, OF_THE_MIDDLE, 1.0) / counts, 2)
    total = first + second
    return total, total**2 / (first**2 / degrees[:count] + second**2 / degrees[count:])


def _together(pairs: Pairs, shift: float, calibration: float, of_typical: float) -> Change | None:
    """Judge the typical ratio over that of the calibration workload.

    Its noise is how far single rounds differ, see `_of_few`; None where no campaign had two rounds of enough models.
    """
    squares, dof = 0.0, 0
    for side in pairs.visits:
        effects = np.array(list(round_effects([_normalised(visits) for visits in side]).values()))
        if len(effects) > 1:
            squares += float(np.sum((effects - effects.mean()) ** 2))
            dof += len(effects) - 1
    if not dof:
        return None
    variance = 2 * squares / dof + of_typical + SMALLEST**2
    return Change(*(np.array([value]) for value in (shift - np.nan_to_num(calibration), variance, float(dof))))


def _normalised(visits: Visits) -> Visits:
    known = np.isfinite(visits.calibrations).all()
    return Visits(visits.values - visits.calibrations, visits.rounds, visits.calibrations) if known else visits


def _plain_variances(side: Sequence[Visits]) -> tuple[np.ndarray, np.ndarray]:
    return visit_variances([_normalised(visits) for visits in side], {})


def _calibration(pairs: Pairs) -> float:
    """Return the log ratio of the calibration workload's times, NaN where it was not timed in both."""
    means = [
        np.array([np.mean(visits.calibrations) if len(visits) else np.nan for visits in side]) for side in pairs.visits
    ]
    ratios = means[1] - means[0]
    known = ratios[np.isfinite(ratios)]
    return float(np.median(known)) if len(known) else np.nan


def _alike(ratios: np.ndarray, variance: float, dof: float) -> Change:
    return Change(ratios, np.full(len(ratios), variance), np.full(len(ratios), dof))


def _inseparable_noise(pairs: Pairs) -> UsageError:
    count = len(pairs.a)
    return UsageError(
        f"{pairs.column}: noise cannot be separated from change for {count} model{'s' if count > 1 else ''}: measure "
        f"with replicates, in several visits (protocol.visits), or at least {FEWEST_MODELS} models"
    )
