"""Scaling laws in several factors at once, and how well they predict what they were not fitted to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from perfcast.studies.scaling.blocks import MAX_LEVELS
from perfcast.studies.statistics.regression import coefficient, fit, mean_of, rank
from perfcast.studies.statistics.significance import bounded_exp
from perfcast.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Predict = Callable[[np.ndarray], np.ndarray]
    from perfcast.studies.scaling.columns import Factor
    from perfcast.studies.scaling.observations import Observations
    from perfcast.studies.statistics.regression import Estimate, Fit

Name = Literal["power", "piecewise", "logarithmic", "linear", "constant"]

FORMULAS: dict[Name, str] = {
    "power": "time = a · x₁^b₁ · x₂^b₂ …",
    "piecewise": "a power law whose exponent changes at one level of one factor",
    "logarithmic": "time = a + b₁ · ln x₁ + b₂ · ln x₂ …",
    "linear": "time = a + b₁ · x₁ + b₂ · x₂ …",
    "constant": "no law: every time is the same",
}
_FOLDS = 10
_MAX_LEFT_OUT_SINGLY = 100
"""Combinations up to which each is left out by itself."""
_MIN_LEVELS = 4
"""Levels of a factor, of which three are left where one is held out."""
_MAX_CANDIDATES = 8
_SEED = 0


@dataclass(frozen=True)
class Law:
    """How well a law predicts times that it was not fitted to.

    Attributes:
        name: of the law.
        cells: mean absolute error in % of combinations held out: between those measured.
        levels: mean absolute error in % of whole levels held out: beyond and between those measured; NaN where no
            factor has enough of them. Levels without which factors cannot be told apart are not held out.
        worse: by how many percentage points ``cells`` is above that of the best law. If all of the interval is above 0,
            the best law is better by more than chance.
    """

    name: Name
    cells: float
    levels: float
    worse: Estimate


@dataclass(frozen=True)
class Laws:
    """The scaling laws of a data set.

    Attributes:
        laws: the best first.
        exponents: of the power law, by factor: time takes 2^exponent times as long for twice as much of it, all other
            factors held.
        explained: share of the variance of the logarithm of time that the power law explains.
        missing: why there are none; empty where there are.
    """

    laws: tuple[Law, ...] = ()
    exponents: dict[Factor, Estimate] = field(default_factory=dict)
    explained: float = np.nan
    missing: str = ""

    @property
    def as_good(self) -> tuple[Law, ...]:
        """The laws that predict as well as the best, as far as the data tells."""
        return tuple(law for law in self.laws if law is self.laws[0] or not law.worse.low > 0)


def laws_of(observations: Observations) -> Laws:
    """Return the laws that a data set follows, in all factors with positive values at once.

    Each combination counts once, however often it was measured: repetitions share what was particular about its run.
    """
    factors = observations.scaled
    cells = observations.cells
    values = cells[[factor.column for factor in factors]].to_numpy(float)
    if reason := _why_not(values, factors):
        return Laws(missing=reason)
    found = power_fit(values, cells["log_time"].to_numpy(float))
    exponents = {factor: coefficient(found, place) for place, factor in enumerate(factors, start=1)}
    return Laws(_compared(values, cells["time"].to_numpy(float)), exponents, found.explained)


def _why_not(values: np.ndarray, factors: tuple[Factor, ...]) -> str:
    if not factors:
        return "no factor has only values above zero"
    fewest = len(factors) + 3
    if len(values) < fewest:
        return f"a law in {pluralize(len(factors), 'factor')} takes {fewest} combinations, not {len(values)}"
    if not _is_full(values):
        return "some factors vary along with each other exactly: their parts cannot be told apart"
    return ""


def power_fit(values: np.ndarray, log_times: np.ndarray) -> Fit:
    """Fit a power law: one row of values per combination, all above zero; the first coefficient is ln a."""
    return fit(_design(np.log(values)), log_times)


def _is_full(values: np.ndarray) -> bool:
    """Return whether the parts of all factors can be told apart."""
    return rank(_design(np.log(values))) > values.shape[1]


def _design(values: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(values)), values])


def _compared(values: np.ndarray, times: np.ndarray) -> tuple[Law, ...]:
    folds = _cell_folds(len(times))
    errors: dict[Name, np.ndarray] = {name: _held_out(name, values, times, folds) for name in FORMULAS}
    beyond: dict[Name, float] = {name: _level_error(name, values, times) for name in FORMULAS}
    ranked = sorted(errors, key=lambda name: float(errors[name].mean()))
    best = errors[ranked[0]]
    return tuple(Law(name, float(errors[name].mean()), beyond[name], mean_of(errors[name] - best)) for name in ranked)


def _cell_folds(count: int) -> list[np.ndarray]:
    """Return what is held out in turn: each combination, or a tenth of many."""
    if count <= _MAX_LEFT_OUT_SINGLY:
        return [np.arange(count) == place for place in range(count)]
    numbers = np.random.default_rng(_SEED).permutation(count) % _FOLDS
    return [numbers == fold for fold in range(_FOLDS)]


def _level_folds(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield each level of each factor that has enough of them, to be held out; many levels in ten ranges."""
    for column in values.T:
        levels = np.unique(column)
        if len(levels) > MAX_LEVELS:
            bounds = np.quantile(column, np.linspace(0, 1, _FOLDS + 1)[1:-1])
            column = np.searchsorted(bounds, column)
            levels = np.unique(column)
        if len(levels) >= _MIN_LEVELS:
            yield from (column == level for level in levels)


def _level_error(name: Name, values: np.ndarray, times: np.ndarray) -> float:
    folds = [fold for fold in _level_folds(values) if _is_full(values[~fold])]
    if not folds:
        return np.nan
    found = [_errors(name, values, times, fold) for fold in folds]
    return float(np.concatenate(found).mean())


def _held_out(name: Name, values: np.ndarray, times: np.ndarray, folds: list[np.ndarray]) -> np.ndarray:
    """Return the error of each combination, in %, when it was held out."""
    errors = np.full(len(times), np.nan)
    for fold in folds:
        errors[fold] = _errors(name, values, times, fold)
    return errors


def _errors(name: Name, values: np.ndarray, times: np.ndarray, fold: np.ndarray) -> np.ndarray:
    predict = _FITS[name](values[~fold], times[~fold])
    return 100 * np.abs(predict(values[fold]) - times[fold]) / times[fold]


def _constant(values: np.ndarray, times: np.ndarray) -> Predict:
    middle = float(np.exp(np.log(times).mean()))
    return lambda more: np.full(len(more), middle)


def _power(values: np.ndarray, times: np.ndarray) -> Predict:
    fitted = _solved(_design(np.log(values)), np.log(times))
    return lambda more: bounded_exp(_design(np.log(more)) @ fitted)


def _logarithmic(values: np.ndarray, times: np.ndarray) -> Predict:
    fitted = _relative(_design(np.log(values)), times)
    return lambda more: _design(np.log(more)) @ fitted


def _linear(values: np.ndarray, times: np.ndarray) -> Predict:
    fitted = _relative(_design(values), times)
    return lambda more: _design(more) @ fitted


def _piecewise(values: np.ndarray, times: np.ndarray) -> Predict:
    """Fit a power law with the one change of exponent, of any factor at any level, that fits best."""
    logs, response = np.log(values), np.log(times)
    plain = _design(logs)
    best, chosen = np.inf, (0, np.inf)
    for column, bend in _bends(logs):
        design = np.column_stack([plain, np.maximum(logs[:, column] - bend, 0)])
        left = float(((response - design @ _solved(design, response)) ** 2).sum())
        if left < best:
            best, chosen = left, (column, bend)
    column, bend = chosen

    def shape(logs: np.ndarray) -> np.ndarray:
        beyond = np.maximum(logs[:, column] - bend, 0) if np.isfinite(bend) else np.zeros(len(logs))
        return np.column_stack([_design(logs), beyond])

    fitted = _solved(shape(logs), response)
    return lambda more: bounded_exp(shape(np.log(more)) @ fitted)


def _bends(logs: np.ndarray) -> Iterator[tuple[int, float]]:
    """Yield where an exponent may change: at inner levels, a few of many."""
    for place, column in enumerate(logs.T):
        inner = np.unique(column)[1:-1]
        if len(inner) > _MAX_CANDIDATES:
            inner = np.quantile(column, np.linspace(0.1, 0.9, _MAX_CANDIDATES))
        yield from ((place, float(bend)) for bend in inner)


def _relative(design: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Fit by least squares of relative errors, which are what laws are compared by."""
    return _solved(design / times[:, None], np.ones(len(times)))


def _solved(design: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Return the coefficients; the smallest that fit where a level held out leaves several that do."""
    return np.linalg.lstsq(design, response, rcond=None)[0]


_FITS: dict[Name, Callable[[np.ndarray, np.ndarray], Predict]] = {
    "power": _power,
    "piecewise": _piecewise,
    "logarithmic": _logarithmic,
    "linear": _linear,
    "constant": _constant,
}
