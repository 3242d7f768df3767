"""Intervals around predictions, from the errors made on rows and families that were not trained on.

Conformal prediction with normalised residuals (Lei et al., "Distribution-free predictive inference for regression",
2018), in logarithms. How far a network is from those trained on, and how far the members are apart,
says by how much wider than usual its interval must be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from perfcast.fit.options import DEPLOYMENT_SCHEME, SCHEMES
from perfcast.fit.splits import grouped_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.fit.cross_validation import CrossValidation

_NEAR = 0.05
_AGREED = 0.005
_EXACT = 0.005
_FOLDS = 30


@dataclass(frozen=True)
class Intervals:
    """How wide intervals are.

    Attributes:
        coefficients: of 1, log(distance + 0.05) and log(spread + 0.005) in the logarithm of the error to expect.
        low, high: of those two logarithms, where errors were seen; further away the ends count.
        quantile: array of one number: of how many such errors half an interval is wide.
    """

    coefficients: np.ndarray
    low: np.ndarray
    high: np.ndarray
    quantile: np.ndarray

    def half_widths(self, distances: np.ndarray, spreads: np.ndarray) -> np.ndarray:
        """Return half the widths in natural logarithms, a number per row.

        Args:
            distances: from what was trained on (see `perfcast.fit.domain`).
            spreads: standard deviations of the logarithms of the members' predictions.
        """
        return self.quantile[0] * self._expected(_signals(distances, spreads))

    def _expected(self, signals: np.ndarray) -> np.ndarray:
        return np.exp(self.coefficients[0] + np.clip(signals, self.low, self.high) @ self.coefficients[1:])


class Errors(NamedTuple):
    """Errors of rows that were not trained on, as logarithms, and what they depend on."""

    residuals: np.ndarray
    distances: np.ndarray
    spreads: np.ndarray

    def take(self, rows: np.ndarray) -> Errors:
        """Return those of ``rows``."""
        return Errors(*(values[rows] for values in self))


def errors_of(validation: CrossValidation, algorithm: str, scheme: str) -> Errors:
    """Return the errors of ``algorithm`` under ``scheme``."""
    return Errors(
        validation.log_residuals(algorithm, scheme),
        validation.distances[scheme],
        validation.spreads[algorithm, scheme],
    )


def calibrate(unseen: Errors, others: Sequence[Errors], share: float) -> Intervals:
    """Return intervals that contain ``share`` of rows of families not trained on, if they err as ``unseen`` do.

    Args:
        unseen: errors on families that were not trained on.
        others: errors on other rows that were not, which show what to expect near those trained on.
        share: such as 0.9.
    """
    everything = [unseen, *others]
    signals = np.concatenate([_signals(errors.distances, errors.spreads) for errors in everything])
    sizes = np.log(np.abs(np.concatenate([errors.residuals for errors in everything])) + _EXACT)
    coefficients = _fit(signals, sizes)
    unscaled = Intervals(coefficients, signals.min(axis=0), signals.max(axis=0), np.ones(1))
    widest = max(
        conformal_quantile(errors.residuals / unscaled.half_widths(errors.distances, errors.spreads), share)
        for errors in everything
    )
    return Intervals(coefficients, unscaled.low, unscaled.high, np.array([widest]))


def enough_families(families: int, share: float) -> bool:
    """Return whether errors on so many families can say how wide to be to hold ``share`` of another's.

    Of one family the rows err alike: what is exchangeable with a new family is a family.
    """
    return _rank(families, share) <= families


def calibrated(validation: CrossValidation, algorithm: str, share: float, rows: np.ndarray | None = None) -> Intervals:
    """Return the intervals of ``algorithm``, calibrated on ``rows`` (all where not given) of all schemes."""
    chosen = np.arange(len(validation.table)) if rows is None else rows
    found = {s: errors_of(validation, algorithm, s).take(chosen) for s in SCHEMES if validation.has(algorithm, s)}
    unseen = found.pop(DEPLOYMENT_SCHEME)
    return calibrate(unseen, list(found.values()), share)


def half_widths_without_family(validation: CrossValidation, algorithm: str, share: float) -> dict[str, np.ndarray]:
    """Return half the widths by scheme, each row's from intervals that no row of its family calibrated.

    Families are held out one by one, or several at a time where there are more than thirty.
    """
    errors = {s: errors_of(validation, algorithm, s) for s in SCHEMES if validation.has(algorithm, s)}
    widths = {scheme: np.empty(len(validation.table)) for scheme in errors}
    for others, own in grouped_folds(validation.table.families, _FOLDS, seed=0):
        intervals = calibrated(validation, algorithm, share, others)
        for scheme, found in errors.items():
            widths[scheme][own] = intervals.half_widths(found.distances[own], found.spreads[own])
    return widths


def conformal_quantile(residuals: np.ndarray, share: float) -> float:
    """Return the half width around predictions that holds ``share`` of new ones that err as ``residuals`` do.

    It is the ⌈(n + 1)·share⌉-th smallest of the n absolute residuals, by MAPIE; the largest where that is it, or
    there are too few for the share.
    """
    if _rank(len(residuals), share) >= len(residuals):
        return float(np.abs(residuals).max())
    # Imported late: they take a second, and only fitting needs them.
    from mapie.regression import SplitConformalRegressor
    from sklearn.dummy import DummyRegressor

    nothing = np.zeros((len(residuals), 1))
    expected = DummyRegressor().fit(nothing, nothing[:, 0])
    regressor = SplitConformalRegressor(expected, confidence_level=share, prefit=True)
    _, intervals = regressor.conformalize(nothing, residuals).predict_interval(nothing[:1])
    return float(intervals[0, 1, 0])


def _rank(count: int, share: float) -> int:
    return int(np.ceil((count + 1) * share))


def _signals(distances: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    return np.column_stack([np.log(distances + _NEAR), np.log(spreads + _AGREED)])


def _fit(signals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return coefficients of least squares that are not negative: nothing gets more certain by being further away."""
    from scipy.optimize import nnls

    middle = signals.mean(axis=0)
    slopes, _ = nnls(signals - middle, sizes - sizes.mean())
    return np.r_[sizes.mean() - middle @ slopes, slopes]
