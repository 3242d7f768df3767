"""Whether the arrays of a predictor can be what `perfcast.fit` made: shapes, indices, signs and ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.errors import PredictorError
from perfcast.fit.learners import LEAF, Boosted, Forest, GaussianProcess
from perfcast.fit.linear import LinearModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.features.plausible import OutlierBounds
    from perfcast.fit.domain import Domain
    from perfcast.fit.encoding import Encoding
    from perfcast.fit.fitted import Fitted
    from perfcast.fit.intervals import Intervals
    from perfcast.fit.mixture import MixtureOfExperts
    from perfcast.fit.physical import Physics
    from perfcast.fit.predictor import MetricModel

_LOG_LIMIT = 700.0
"""exp of more than this is no 64-bit float."""
_ROUNDING = 1e-6
_MAX_EXPONENT = 10


class _UnsoundError(Exception):
    """The array that cannot be, and why."""


def check_model(name: str, model: MetricModel, features: int, inputs: int, families: int) -> None:
    """Refuse arrays that do not fit each other, or that make predictions which no measurement could be.

    Args:
        name: of the file that holds them.
        model: made of them.
        features: how many the metric needs.
        inputs: how many inputs learners are given besides families.
        families: how many are known.

    Raises:
        PredictorError: it names the file and the array.
    """
    try:
        _check_domain(model.domain, features)
        _check_outlier_bounds(model.ensemble.outlier_bounds, features)
        _check_intervals(model.intervals)
        for member in model.ensemble.members:
            if isinstance(member, LinearModel):
                _check_linear(member, inputs)
            else:
                _check_member(member, inputs, families)
        if model.ensemble.experts is not None:
            _check_mixture(model.ensemble.experts, inputs)
    except _UnsoundError as error:
        raise PredictorError(f"{name}: {error}") from error


def _check_member(member: Fitted, features: int, families: int) -> None:
    _check_encoding(member.encoding, features)
    learner, inputs = member.learner, len(member.encoding.mean) + families
    if isinstance(learner, Forest):
        _check_forest(learner, inputs)
    if isinstance(learner, Boosted):
        _check_shapes("learner", learner, {"base": (1,), "value": learner.feature.shape})
    if isinstance(learner, GaussianProcess):
        _check_shapes("learner", learner, {"length": (1,)})
        _require((learner.length > 0).all(), "learner.length", "is not a length")


def _check_linear(model: LinearModel, inputs: int) -> None:
    rest = model.rest
    _require(rest.ndim == 1 and _are_indices(rest, inputs), "rest", "is not a list of inputs")
    _require(_are_exponents(model.exponents, inputs + 1), "exponents", "is not a table of exponents")
    _check_shapes("linear", model, {"costs": (len(model.exponents),)})
    _check_not_negative("linear", model, "costs")


def _check_encoding(encoding: Encoding, features: int) -> None:
    _check_physics(encoding.physics, features)
    varying, ratios = encoding.varying, encoding.ratios
    _check_shapes("encoding", encoding, {"anchored": (1,), "output": (4,)})
    _require(_are_exponents(ratios, features), "encoding.ratios", "is not a table of exponents")
    is_list = varying.ndim == 1 and varying.size > 0
    _require(is_list and _are_indices(varying, features), "encoding.varying", "is not a list of features")
    inputs = varying.size + len(ratios) + bool(encoding.anchored[0])
    _check_shapes("encoding", encoding, dict.fromkeys(("mean", "scale", "low", "high"), (inputs,)))
    _require((encoding.scale > 0).all(), "encoding.scale", "is not positive")
    _require((encoding.low <= encoding.high).all(), "encoding.low", "is above encoding.high")
    mean, scale, low, high = encoding.output
    slack = _ROUNDING * (1 + abs(mean))
    sound = -_LOG_LIMIT <= low <= high <= _LOG_LIMIT and low - slack <= mean <= high + slack and 0 < scale <= _LOG_LIMIT
    _require(sound, "encoding.output", "is not a mean, a scale and the range around it")


def _check_physics(physics: Physics, features: int) -> None:
    pairs = physics.pairs
    is_list = pairs.ndim == 2 and pairs.shape[1] == 2 and _are_indices(pairs, features)
    _require(is_list, "physics.pairs", "is not a list of pairs of features")
    sizes = {"costs": (1 + features,), "roots": (features,), "caps": (len(pairs),), "capped": (len(pairs),)}
    _check_shapes("physics", physics, sizes)
    _check_not_negative("physics", physics, *sizes)


def _check_mixture(experts: MixtureOfExperts, features: int) -> None:
    terms, ratios, owners = experts.terms, experts.ratios, experts.owners
    _require(terms.ndim == 1 and _are_indices(terms, features), "experts.terms", "is not a list of features")
    _require(_are_exponents(ratios, features), "experts.ratios", "is not a table of exponents")
    _require(experts.costs.ndim == 2 and len(experts.costs) > 0, "experts.costs", "is not a table")
    families, inputs = len(experts.costs), features + len(ratios)
    per_input, per_point = (families, inputs), (owners.size,)
    sizes = {"overall": (1 + terms.size,), "costs": (families, 1 + terms.size), "offsets": (families,)}
    sizes |= {"centres": per_input, "scales": per_input, "points": (owners.size, inputs), "weights": per_point}
    _check_shapes("experts", experts, sizes)
    _check_forest(experts.gate, inputs)
    shares = experts.gate.value
    is_share = shares.ndim == 2 and shares.shape[1] - families in (0, 1) and (shares >= 0).all()
    _require(is_share, "experts.gate", "is not one share a family")
    sums = shares[experts.gate.left == LEAF].sum(axis=-1)
    _require(np.allclose(sums, 1), "experts.gate", "holds shares whose sum is not 1")
    _require(_are_indices(owners, families), "experts.owners", "leads beyond the families")
    _require((experts.scales > 0).all(), "experts.scales", "is not positive")
    _check_not_negative("experts", experts, "overall", "costs")
    _require(experts.overall.any(), "experts.overall", "is not a sum of costs")
    _require((np.abs(experts.offsets) <= _LOG_LIMIT).all(), "experts.offsets", "is more than any number")


def _check_outlier_bounds(bounds: OutlierBounds, features: int) -> None:
    rules, others = bounds.features.shape, bounds.others
    is_list = len(rules) == 1 and _are_indices(bounds.features, features)
    _require(is_list, "outlier_bounds.features", "are not features")
    is_table = others.ndim == 2 and others.shape[:1] == rules and _are_indices(others + 1, features + 1)
    _require(is_table, "outlier_bounds.others", "is not one list of features for each feature")
    _check_shapes("outlier_bounds", bounds, {"high": rules, "typical": rules})
    _require((np.abs(bounds.typical) <= _LOG_LIMIT).all(), "outlier_bounds.typical", "is more than any number")


def _check_domain(domain: Domain, features: int) -> None:
    rows = domain.rows
    _check_shapes("domain", domain, {"low": (features,), "high": (features,), "scale": (features,), "reach": (1,)})
    _require(rows.ndim == 2 and len(rows) > 0 and rows.shape[1] == features, "domain.rows", "is of the wrong size")
    _require((domain.reach > 0).all(), "domain.reach", "is not a distance")
    _check_not_negative("domain", domain, "scale")
    _require((domain.low <= domain.high).all(), "domain.low", "is above domain.high")


def _check_forest(forest: Forest, inputs: int) -> None:
    """Refuse nodes that lead backwards or out of the forest, or to other inputs: following them might never end."""
    nodes = np.arange(forest.feature.size)
    inner = forest.left != LEAF
    sound = (
        all(array.shape == nodes.shape for array in (forest.feature, forest.threshold, forest.left, forest.right))
        and forest.value.shape[:1] == nodes.shape
        and all(array.dtype.kind == "i" for array in (forest.feature, forest.left, forest.right))
        and forest.roots.ndim == 1
        and forest.roots.size > 0
        and _are_indices(forest.roots, nodes.size)
        and _are_indices(forest.feature[inner], inputs)
        and (forest.feature[~inner] == LEAF).all()
        and all(
            ((child[inner] > nodes[inner]) & (child[inner] < nodes.size)).all() for child in (forest.left, forest.right)
        )
    )
    if not sound:
        raise _UnsoundError("its trees are damaged")


def _check_intervals(intervals: Intervals) -> None:
    """Refuse intervals that no errors can have made: their ends would meet, or be no numbers."""
    _check_shapes("intervals", intervals, {"coefficients": (3,), "low": (2,), "high": (2,), "quantile": (1,)})
    coefficients, low, high, quantile = intervals.coefficients, intervals.low, intervals.high, intervals.quantile
    _check_not_negative("intervals", intervals, "quantile")
    with np.errstate(all="ignore"):
        widest = quantile[0] * np.exp(coefficients[0] + np.maximum(low, high) @ coefficients[1:])
    _require((coefficients[1:] >= 0).all(), "intervals.coefficients", "gets narrower further away")
    _require((low <= high).all(), "intervals.low", "is above intervals.high")
    _require(np.isfinite(widest) and widest <= _LOG_LIMIT, "intervals.quantile", "is wider than any number")


def _check_shapes(prefix: str, part: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for key, shape in shapes.items():
        _require(getattr(part, key).shape == shape, f"{prefix}.{key}", "is of the wrong size")


def _check_not_negative(prefix: str, part: Any, *keys: str) -> None:
    for key in keys:
        _require((getattr(part, key) >= 0).all(), f"{prefix}.{key}", "holds negative numbers")


def _are_indices(values: np.ndarray, count: int) -> bool:
    return values.dtype.kind == "i" and bool(((values >= 0) & (values < count)).all())


def _are_exponents(values: np.ndarray, count: int) -> bool:
    return values.ndim == 2 and values.shape[1] == count and bool((np.abs(values) <= _MAX_EXPONENT).all())


def _require(holds: bool | np.bool_, key: str, message: str) -> None:
    if not holds:
        raise _UnsoundError(f"'{key}' {message}")
