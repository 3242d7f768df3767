"""Whether the arrays of a predictor can be what `perfcast.fit` made: shapes, indices, signs and ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import PredictorError
from perfcast.fit.learners import LEAF, Boosted, Forest, GaussianProcess, Learner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.features.plausible import OutlierBounds
    from perfcast.fit.domain import Domain
    from perfcast.fit.encoding import Encoding
    from perfcast.fit.intervals import Intervals
    from perfcast.fit.mixture import MixtureOfExperts
    from perfcast.fit.physical import Physics

_LOG_LIMIT = 700.0
"""exp of more than this overflows a 64-bit float."""
_ROUNDING = 1e-6
_MOST_EXPONENT = 10


def check_encoding(name: str, encoding: Encoding, features: int) -> None:
    """Refuse an encoding that does not fit ``features``, or makes predictions that no measurement could be.

    Raises:
        PredictorError: it names the file ``name`` and the array.
    """
    check_physics(name, encoding.physics, features)
    varying, ratios = encoding.varying, encoding.ratios
    _refuse_unless(
        name,
        (
            ("encoding.anchored", encoding.anchored.shape == (1,), "is not one number"),
            ("encoding.ratios", _are_exponents(ratios, features), "is not a table of exponents"),
            ("encoding.varying", varying.ndim == 1 and varying.size > 0, "is not a list of features"),
            ("encoding.varying", varying.dtype.kind == "i", "holds something else than indices"),
            ("encoding.varying", ((varying >= 0) & (varying < features)).all(), "leads beyond the features"),
        ),
    )
    inputs = varying.size + len(ratios) + bool(encoding.anchored[0])
    arrays = {key: getattr(encoding, key) for key in ("mean", "scale", "low", "high")}
    _refuse_unless(
        name, ((f"encoding.{key}", array.shape == (inputs,), "is of the wrong size") for key, array in arrays.items())
    )
    _refuse_unless(
        name,
        (
            ("encoding.scale", (encoding.scale > 0).all(), "is not positive"),
            ("encoding.low", (encoding.low <= encoding.high).all(), "is above encoding.high"),
            ("encoding.output", encoding.output.shape == (4,), "is of the wrong size"),
        ),
    )
    mean, scale, low, high = encoding.output
    slack = _ROUNDING * (1 + abs(mean))
    sound = -_LOG_LIMIT <= low <= high <= _LOG_LIMIT and low - slack <= mean <= high + slack and 0 < scale <= _LOG_LIMIT
    _refuse_unless(name, (("encoding.output", sound, "is not a mean, a scale and the range around it"),))


def check_physics(name: str, physics: Physics, features: int) -> None:
    """Refuse costs that do not fit ``features`` or are negative.

    Raises:
        PredictorError: it names the file ``name`` and the array.
    """
    costs, roots, pairs, caps, capped = physics.costs, physics.roots, physics.pairs, physics.caps, physics.capped
    _refuse_unless(
        name,
        (
            ("physics.costs", costs.shape == (1 + features,), "is not one number a feature and one more"),
            ("physics.costs", (costs >= 0).all(), "holds negative costs"),
            ("physics.roots", roots.shape == (features,) and (roots >= 0).all(), "is not one cost a feature"),
            ("physics.pairs", _are_pairs(pairs, features), "is not a list of pairs of features"),
            ("physics.caps", caps.shape == (len(pairs),) and (caps >= 0).all(), "is not one number a pair"),
            ("physics.capped", capped.shape == (len(pairs),) and (capped >= 0).all(), "is not one cost a pair"),
        ),
    )


def check_mixture(name: str, experts: MixtureOfExperts, features: int) -> None:
    """Refuse experts that do not fit ``features``, each other or their gate.

    Raises:
        PredictorError: it names the file ``name`` and the array.
    """
    terms, ratios, owners = experts.terms, experts.ratios, experts.owners
    _refuse_unless(
        name,
        (
            ("experts.terms", _are_indices(terms, features) and terms.ndim == 1, "is not a list of features"),
            ("experts.ratios", _are_exponents(ratios, features), "is not a table of exponents"),
            ("experts.overall", experts.overall.shape == (1 + terms.size,), "is not one cost a term and one more"),
            ("experts.costs", experts.costs.ndim == 2 and len(experts.costs) > 0, "is not a table"),
        ),
    )
    families, inputs = len(experts.costs), features + len(ratios)
    shapes = {
        "costs": (families, 1 + terms.size),
        "offsets": (families,),
        "centres": (families, inputs),
        "scales": (families, inputs),
        "points": (owners.size, inputs),
        "weights": (owners.size,),
    }
    check_forest(name, experts.gate, inputs)
    shares = experts.gate.value
    sums = shares[experts.gate.left == LEAF].sum(axis=-1)
    _refuse_unless(
        name,
        (
            *(
                (f"experts.{key}", getattr(experts, key).shape == shape, "is of the wrong size")
                for key, shape in shapes.items()
            ),
            ("experts.owners", _are_indices(owners, families), "leads beyond the families"),
            ("experts.scales", (experts.scales > 0).all(), "is not positive"),
            ("experts.overall", (experts.overall >= 0).all() and experts.overall.any(), "is not a sum of costs"),
            ("experts.costs", (experts.costs >= 0).all(), "holds negative costs"),
            ("experts.offsets", (np.abs(experts.offsets) <= _LOG_LIMIT).all(), "is more than any number"),
            ("experts.gate", shares.ndim == 2 and shares.shape[1] - families in (0, 1), "is not one share a family"),
            ("experts.gate", (shares >= 0).all(), "holds negative shares"),
            ("experts.gate", np.allclose(sums, 1), "holds shares whose sum is not 1"),
        ),
    )


def check_outlier_bounds(name: str, bounds: OutlierBounds, features: int) -> None:
    """Refuse bounds that do not fit ``features``, or make numbers that none can be.

    Raises:
        PredictorError: it names the file ``name`` and the array.
    """
    others, rules = bounds.others, bounds.features.shape
    _refuse_unless(
        name,
        (
            (
                "outlier_bounds.features",
                len(rules) == 1 and _are_indices(bounds.features, features),
                "are not features",
            ),
            ("outlier_bounds.others", others.ndim == 2 and others.shape[:1] == rules, "is not one list a feature"),
            ("outlier_bounds.others", _are_indices(others + 1, features + 1), "leads beyond the features"),
            ("outlier_bounds.high", bounds.high.shape == rules, "is of the wrong size"),
            ("outlier_bounds.typical", bounds.typical.shape == rules, "is of the wrong size"),
            ("outlier_bounds.typical", (np.abs(bounds.typical) <= _LOG_LIMIT).all(), "is more than any number"),
        ),
    )


def _are_indices(values: np.ndarray, count: int) -> bool:
    return values.dtype.kind == "i" and bool(((values >= 0) & (values < count)).all())


def _are_exponents(values: np.ndarray, count: int) -> bool:
    return values.ndim == 2 and values.shape[1] == count and bool((np.abs(values) <= _MOST_EXPONENT).all())


def _are_pairs(values: np.ndarray, count: int) -> bool:
    return values.ndim == 2 and values.shape[1] == 2 and _are_indices(values, count)


def check_domain(name: str, domain: Domain, features: int) -> None:
    """Refuse a domain that does not fit ``features`` or holds nothing.

    Raises:
        PredictorError: it names the file ``name`` and the array.
    """
    rows = domain.rows
    _refuse_unless(
        name,
        (
            *((f"domain.{key}", getattr(domain, key).shape == (features,), "is of the wrong size") for key in _RANGES),
            ("domain.rows", rows.ndim == 2 and rows.shape[0] > 0 and rows.shape[1] == features, "is of the wrong size"),
            ("domain.reach", domain.reach.shape == (1,) and (domain.reach > 0).all(), "is not a distance"),
            ("domain.scale", (domain.scale >= 0).all(), "holds negative scales"),
        ),
    )
    _refuse_unless(name, (("domain.low", (domain.low <= domain.high).all(), "is above domain.high"),))


_RANGES = ("low", "high", "scale")


def check_forest(name: str, forest: Forest, inputs: int) -> None:
    """Refuse nodes that lead backwards or out of the forest, or to other inputs: following them might never end.

    Raises:
        PredictorError: it names the file ``name``.
    """
    nodes = np.arange(forest.feature.size)
    inner = forest.left != LEAF
    sound = (
        all(array.shape == nodes.shape for array in (forest.feature, forest.threshold, forest.left, forest.right))
        and forest.value.shape[:1] == nodes.shape
        and all(array.dtype.kind == "i" for array in (forest.roots, forest.feature, forest.left, forest.right))
        and forest.roots.ndim == 1
        and forest.roots.size > 0
        and ((forest.roots >= 0) & (forest.roots < nodes.size)).all()
        and _are_indices(forest.feature[inner], inputs)
        and (forest.feature[~inner] == LEAF).all()
        and all(
            ((child[inner] > nodes[inner]) & (child[inner] < nodes.size)).all() for child in (forest.left, forest.right)
        )
    )
    if not sound:
        raise PredictorError(f"{name}: its trees are damaged")


def check_learner(name: str, learner: Learner, inputs: int) -> None:
    """Refuse trees that `check_forest` refuses, and other learners that cannot be.

    Raises:
        PredictorError: it names the file ``name``.
    """
    if isinstance(learner, Forest):
        check_forest(name, learner, inputs)
    if isinstance(learner, Boosted):
        sound = learner.base.shape == (1,) and learner.value.ndim == 1
        _refuse_unless(name, (("learner.base", sound, "is not a number to add to"),))
    if isinstance(learner, GaussianProcess):
        sound = learner.length.shape == (1,) and bool((learner.length > 0).all())
        _refuse_unless(name, (("learner.length", sound, "is not a length"),))


def check_intervals(name: str, intervals: Intervals) -> None:
    """Refuse intervals that no errors can have made: their ends would meet, or be no numbers.

    Raises:
        PredictorError: it names the file ``name`` and the array.
    """
    coefficients, low, high, quantile = intervals.coefficients, intervals.low, intervals.high, intervals.quantile
    _refuse_unless(
        name,
        (
            ("intervals.coefficients", coefficients.shape == (3,), "is of the wrong size"),
            ("intervals.low", low.shape == (2,) == high.shape, "is of another size than intervals.high, or the wrong"),
            ("intervals.quantile", quantile.shape == (1,) and (quantile >= 0).all(), "is not a width"),
        ),
    )
    with np.errstate(all="ignore"):
        widest = quantile[0] * np.exp(coefficients[0] + np.maximum(low, high) @ coefficients[1:])
    _refuse_unless(
        name,
        (
            ("intervals.coefficients", (coefficients[1:] >= 0).all(), "gets narrower further away"),
            ("intervals.low", (low <= high).all(), "is above intervals.high"),
            ("intervals.quantile", np.isfinite(widest) and widest <= _LOG_LIMIT, "is wider than any number"),
        ),
    )


def _refuse_unless(name: str, checks: Iterable[tuple[str, bool | np.bool_, str]]) -> None:
    for key, holds, message in checks:
        if not holds:
            raise PredictorError(f"{name}: '{key}' {message}")
