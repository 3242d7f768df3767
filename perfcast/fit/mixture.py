"""A physical model for each large family of networks, and a gate that says how like each a network is.

What a multiply-accumulate or a layer costs differs between families more than features show. Where a family has many
networks, such as random ones, this is trained on them, held near the costs of all. So there is an expert for each
large family, corrected by a Gaussian process, whose noise grows where it is far off. A family of few networks at many
sizes says little of its next network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.encoding import logarithms
from perfcast.fit.learners import Forest, matern
from perfcast.fit.physical import least_absolute, with_one

if TYPE_CHECKING:
    from perfcast.fit.training_data import TrainingData

MIN_MODELS = 20
"""With fewer networks a family has no expert."""

_UNSURE, _SURE = 0.6, 1.0
_SHARPNESS, _UNLIKELY = 2, 0.01
_FACTOR = 5.0
_LOW = 1e-6
_KNEE, _ROUNDS = 0.05, 8
_ALONE, _AMONG_OTHERS = 1e-2, 0.55
_SIGNAL, _LENGTH, _NOISE = 0.1, 2.0, 0.08


@dataclass(frozen=True)
class MixtureOfExperts:
    """Experts and the gate before them.

    Attributes:
        terms: indices of the features that may have a cost.
        ratios: exponents of the features in ratios that are looked at, too, ratios × features.
        overall: cost of running anything, and of each of ``terms``.
        costs: the same of each family, families × costs.
        gate: says of each family how likely it is, and of all others together where there are any.
        offsets: by family, in logarithms.
        centres, scales: of the inputs of each family's Gaussian process, families × inputs.
        points, weights, owners: of all Gaussian processes, and which family's each point is.
    """

    terms: np.ndarray
    ratios: np.ndarray
    overall: np.ndarray
    costs: np.ndarray
    gate: Forest
    offsets: np.ndarray
    centres: np.ndarray
    scales: np.ndarray
    points: np.ndarray
    weights: np.ndarray
    owners: np.ndarray

    def predict(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return one prediction per row of ``inputs`` (rows × features), in the target's unit, and its gating weight.

        The gating weight is 0 where the gate does not know a row's family, and 1 where it is sure of it.
        """
        seen, terms = logarithms(inputs, self.ratios), with_one(inputs[:, self.terms])
        likely = self.gate.predict(seen)[:, : len(self.costs)]
        gating_weight = np.clip((likely.max(axis=1) - _UNSURE) / (_SURE - _UNSURE), 0, 1)
        return np.exp(self._mean(seen, terms, likely)), gating_weight

    def _mean(self, seen: np.ndarray, terms: np.ndarray, likely: np.ndarray) -> np.ndarray:
        """Return the mean of what the experts say, in logarithms, each by how likely its family is."""
        shares = likely**_SHARPNESS
        shares = np.where(shares < _UNLIKELY * shares.sum(axis=1, keepdims=True), 0.0, shares)
        # Where none is likely none is heard, but each must say something.
        shares = np.where(shares.any(axis=1, keepdims=True), shares, 1.0)
        shares = shares / shares.sum(axis=1, keepdims=True)
        overall, mean = _estimate(terms, self.overall), np.zeros(len(terms))
        for family, costs in enumerate(self.costs):
            asked = shares[:, family] > 0
            answer = _near(terms[asked] @ costs, overall[asked]) + self.offsets[family]
            own, where = self.owners == family, (seen[asked] - self.centres[family]) / self.scales[family]
            answer = answer + matern(where, self.points[own], _LENGTH) @ self.weights[own]
            mean[asked] += shares[asked, family] * answer
        return mean


def fit_mixture(rows: TrainingData, seed: int) -> MixtureOfExperts | None:
    """Return the experts trained on ``rows``, None where no family has twenty networks."""
    from sklearn.ensemble import ExtraTreesClassifier

    from perfcast.fit.regressors import forest_of

    groups, experts = _groups(rows)
    if not experts:
        return None
    terms_of = np.flatnonzero(rows.additive)
    seen, terms = logarithms(rows.inputs, rows.ratios), with_one(rows.inputs[:, terms_of])
    overall = least_absolute(terms / rows.target[:, None], _KNEE, _ALONE, _ROUNDS)
    gate = ExtraTreesClassifier(60, min_samples_leaf=2, max_features=0.3, random_state=seed).fit(seen, groups)
    members = [_fit_expert(seen, terms, rows.target, groups == group, overall) for group in range(experts)]
    return MixtureOfExperts(
        terms=terms_of,
        ratios=rows.ratios,
        overall=overall,
        costs=np.stack([member.costs for member in members]),
        gate=forest_of(gate),
        offsets=np.array([member.offset for member in members]),
        centres=np.stack([member.centre for member in members]),
        scales=np.stack([member.scale for member in members]),
        points=np.vstack([member.points for member in members]),
        weights=np.concatenate([member.weights for member in members]),
        owners=np.repeat(np.arange(len(members)), [len(member.points) for member in members]),
    )


@dataclass(frozen=True)
class _Expert:
    costs: np.ndarray
    offset: float
    centre: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    weights: np.ndarray


def has_large_family(rows: TrainingData) -> bool:
    """Return whether `fit_mixture` finds a family that is large enough."""
    return _groups(rows)[1] > 0


def _groups(rows: TrainingData) -> tuple[np.ndarray, int]:
    """Return the number of each row's family and how many have experts; all others share the number after these."""
    names, members = np.unique(rows.families.astype(str), return_inverse=True)
    networks = [len(set(rows.networks[members == family])) for family in range(len(names))]
    large = np.array(networks) >= MIN_MODELS
    return np.where(large, np.cumsum(large) - 1, large.sum())[members], int(large.sum())


def _fit_expert(
    seen: np.ndarray, terms: np.ndarray, target: np.ndarray, own: np.ndarray, overall: np.ndarray
) -> _Expert:
    costs = least_absolute(terms[own] / target[own, None], _KNEE, _AMONG_OTHERS, _ROUNDS, overall)
    errors = np.log(target[own]) - _near(terms[own] @ costs, _estimate(terms[own], overall))
    offset, centre = float(np.median(errors)), seen[own].mean(axis=0)
    # What hardly differs within a family must not count for more than what does between all.
    scale = np.maximum(seen[own].std(axis=0), 0.1 * seen.std(axis=0) + 1e-9)
    points = (seen[own] - centre) / scale
    return _Expert(costs, offset, centre, scale, points, _robust_weights(points, errors - offset))


def _robust_weights(points: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the weights of a Gaussian process whose noise grows where it is far off: an outlier bends it little."""
    kernel = _SIGNAL**2 * matern(points, points, _LENGTH)
    noise = np.full(len(errors), _NOISE**2)
    for _ in range(4):
        solved = np.linalg.solve(kernel + np.diag(noise), errors)
        noise = _NOISE**2 * np.maximum(1, np.abs(errors - kernel @ solved) / _NOISE)
    return _SIGNAL**2 * solved


def _estimate(terms: np.ndarray, costs: np.ndarray) -> np.ndarray:
    return np.maximum(terms @ costs, _LOW)


def _near(estimates: np.ndarray, overall: np.ndarray) -> np.ndarray:
    """Return the logarithm of ``estimates``, held to within a factor of five of those of the overall costs."""
    return np.log(np.clip(estimates, overall / _FACTOR, overall * _FACTOR))
