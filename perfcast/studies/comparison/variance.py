"""How much numbers differ without a reason: variances of a measurement, of the models, of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.studies.comparison.visits import Visits

SMALLEST = 1e-3
"""No number is known better than to a thousandth: clocks have ticks, and a median of few may hit them all."""
MIN_MODELS = 5
"""From this many models on, the typical one shows how the machine was."""
FAR_OUT = 3.0
"""Standard deviations from the typical model beyond which a model is not used to estimate noise."""
OF_THE_MIDDLE = 1.2
"""Variance of the mean of the middle half of 4 normal values or more over that of their mean."""
_ENOUGH_ROBUST = 5
_TO_SIGMA = 1.4826
_QN = 2.2219
_SMALL_QN = {2: 0.399, 3: 0.994, 4: 0.512, 5: 0.844, 6: 0.611, 7: 0.857, 8: 0.669, 9: 0.872}
_MAX_PAIRED = 300


def moderated(variances: np.ndarray, dof: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances drawn towards a common one, as far as they are alike, and their degrees of freedom.

    A variance of two or four degrees of freedom is hardly known; many of them together show what is usual. The
    empirical Bayes estimate of Smyth (2004), "Linear models and empirical Bayes methods for assessing differential
    expression", Statistical Applications in Genetics and Molecular Biology 3(1).

    Args:
        variances: a variance each.
        dof: their degrees of freedom; those with none take the common variance. One at least has some.
    """
    known = dof > 0
    given, degrees = np.maximum(variances[known], SMALLEST**2), dof[known].astype(float)
    total = float(degrees.sum())
    scattered = np.log(given) - special.digamma(degrees / 2) + np.log(degrees / 2)
    excess = 0.0
    if len(given) > 1:
        excess = float(np.var(scattered, ddof=1) - np.mean(special.polygamma(1, degrees / 2)))
    if excess <= 0:
        return np.full(len(dof), np.average(given, weights=degrees)), np.full(len(dof), total)
    prior = 2 * _inverse_trigamma(excess)
    common = float(np.exp(scattered.mean() + special.digamma(prior / 2) - np.log(prior / 2)))
    own = np.where(known, np.maximum(np.nan_to_num(variances), SMALLEST**2), 0.0)
    return (prior * common + dof * own) / (prior + dof), np.minimum(prior + dof, total)


def _inverse_trigamma(value: float) -> float:
    low, high = 1e-8, 1e8
    if not special.polygamma(1, high) < value < special.polygamma(1, low):
        return high if value <= special.polygamma(1, high) else low
    return float(optimize.brentq(lambda x: special.polygamma(1, x) - value, low, high))


def between_models(log_ratios: np.ndarray, variances: np.ndarray) -> float:
    """Return the variance of the models' log ratios beyond what their own ``variances`` explain.

    Machines treat models differently from one campaign to the next, which no visit of one campaign shows. The
    estimate of Paule and Mandel (1982), "Consensus values and weighting factors", J. Res. NBS 87(5), with a robust
    scale, and again without the models that are far out: those that did change should not count.
    """
    extra = _between(log_ratios, variances)
    near = np.abs(log_ratios - np.median(log_ratios)) < FAR_OUT * np.sqrt(variances + extra)
    return _between(log_ratios[near], variances[near]) if near.sum() >= MIN_MODELS - 1 else extra


def _between(log_ratios: np.ndarray, variances: np.ndarray) -> float:
    centred = log_ratios - np.median(log_ratios)

    def unexplained(extra: float) -> float:
        return scale(centred / np.sqrt(variances + extra)) - 1

    if unexplained(0.0) <= 0:
        return 0.0
    high = 4 * scale(centred) ** 2
    while unexplained(high) > 0:
        high *= 4
    return float(optimize.brentq(unexplained, 0.0, high, xtol=1e-9))


def scale(values: np.ndarray) -> float:
    """Return a robust standard deviation, of two values or more.

    Of few values Qn of Rousseeuw and Croux (1993), "Alternatives to the median absolute deviation", JASA 88(424),
    which makes most of them; of many the median absolute deviation, which takes no time.
    """
    count = len(values)
    if count > _MAX_PAIRED:
        return float(_TO_SIGMA * np.median(np.abs(values - np.median(values))))
    first, second = np.triu_indices(count, 1)
    half = count // 2 + 1
    chosen = half * (half - 1) // 2 - 1
    distance = float(np.partition(np.abs(values[first] - values[second]), chosen)[chosen])
    correction = _SMALL_QN.get(count) or (count / (count + 1.4) if count % 2 else count / (count + 3.8))
    return _QN * correction * distance


def of_repeats(log_ratios: np.ndarray) -> float:
    """Return the variance of the log ratios of repetitions, around 0; robust where there are enough of them."""
    if len(log_ratios) < _ENOUGH_ROBUST:
        return float(np.mean(log_ratios**2))
    return float((_TO_SIGMA * np.median(np.abs(log_ratios))) ** 2)


def round_effects(side: Sequence[Visits]) -> dict[int, float]:
    """Return how much slower than usual all models were in each round, of rounds that have enough models."""
    deviations: dict[int, list[float]] = {}
    for visits in filter(len, side):  # A model may have no visit that counts.
        for number, deviation in zip(visits.rounds, visits.values - np.median(visits.values), strict=True):
            deviations.setdefault(int(number), []).append(float(deviation))
    return {number: float(np.median(found)) for number, found in deviations.items() if len(found) >= MIN_MODELS}


def visit_variances(side: Sequence[Visits], rounds: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return each measurement's variance between visits, the rounds' effects taken off, and degrees of freedom."""
    variances, dof = np.zeros(len(side)), np.zeros(len(side))
    for at, visits in enumerate(side):
        if len(visits) > 1:
            effects = np.array([rounds.get(int(number), 0.0) for number in visits.rounds])
            variances[at], dof[at] = np.var(visits.values - effects, ddof=1), len(visits) - 1
    return variances, dof
