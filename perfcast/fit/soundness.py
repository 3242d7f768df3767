"""Whether the arrays of a predictor can be what `perfcast.fit` made: shapes, indices, signs and ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import PredictorError
from perfcast.fit.learners import LEAF, Forest, GaussianProcess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.fit.domain import Domain
    from perfcast.fit.encoding import Encoding
    from perfcast.fit.intervals import Intervals

_LOG_LIMIT = 700.0
"""exp of more than this is no 64-bit float."""
_ROUNDING = 1e-6


def check_encoding(name: str, encoding: Encoding, features: int) -> None:
    """Refuse an encoding that does not fit ``features``, or makes forecasts that no measurement could be.

    Raises:
        PredictorError: it names the file ``name`` and the array.
    """
    costs, varying = encoding.costs, encoding.varying
    _refuse_unless(
        name,
        (
            ("encoding.costs", costs.shape in ((0,), (1 + features,)), "is not one number a feature and one more"),
            ("encoding.costs", (costs >= 0).all(), "holds negative costs"),
            ("encoding.varying", varying.ndim == 1 and varying.size > 0, "is not a list of features"),
            ("encoding.varying", varying.dtype.kind == "i", "holds something else than indices"),
            ("encoding.varying", ((varying >= 0) & (varying < features)).all(), "leads beyond the features"),
        ),
    )
    inputs = varying.size + (costs.size > 0)
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
            ("domain.reach", domain.reach.shape == (1,) and (domain.reach >= 0).all(), "is no distance"),
            ("domain.scale", (domain.scale >= 0).all(), "holds negative scales"),
        ),
    )
    _refuse_unless(name, (("domain.low", (domain.low <= domain.high).all(), "is above domain.high"),))


_RANGES = ("low", "high", "scale")


def check_forest(name: str, forest: Forest) -> None:
    """Refuse nodes that lead backwards or out of the forest: following them might never end.

    Raises:
        PredictorError: it names the file ``name``.
    """
    nodes = np.arange(forest.feature.size)
    inner = forest.left != LEAF
    sound = (
        all(array.shape == nodes.shape for array in (forest.threshold, forest.left, forest.right, forest.value))
        and all(array.dtype.kind == "i" for array in (forest.roots, forest.feature, forest.left, forest.right))
        and forest.roots.ndim == 1
        and ((forest.roots >= 0) & (forest.roots < nodes.size)).all()
        and (forest.feature[inner] >= 0).all()
        and all(
            ((child[inner] > nodes[inner]) & (child[inner] < nodes.size)).all() for child in (forest.left, forest.right)
        )
    )
    if not sound:
        raise PredictorError(f"{name}: its trees are damaged")


def check_process(name: str, process: GaussianProcess) -> None:
    """Refuse a Gaussian process without a length scale.

    Raises:
        PredictorError: it names the file ``name``.
    """
    sound = process.length.shape == (1,) and bool((process.length > 0).all())
    _refuse_unless(name, (("learner.length", sound, "is no length"),))


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
            ("intervals.quantile", quantile.shape == (1,) and (quantile >= 0).all(), "is no width"),
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
