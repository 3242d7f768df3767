"""Fitting on rows of a table: encoding and learner together, and tuning inside training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.encoding import Encoding, fit_encoding
from perfcast.fit.fitted import Ensemble, Fitted
from perfcast.fit.measures import mape
from perfcast.fit.options import ENSEMBLE, MEMBERS
from perfcast.fit.regressors import GRIDS, Settings, fit_learner
from perfcast.fit.splits import Fold, grouped_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.fit.table import Rows

TUNING_FOLDS = 3
TUNING_ROWS = 300


@dataclass(frozen=True)
class Trained:
    """What was fitted, and the settings that were chosen for each of its members."""

    forecaster: Ensemble
    members: tuple[tuple[str, Settings], ...]


def train(algorithm: str, rows: Rows, groups: np.ndarray, seed: int) -> Trained:
    """Return ``algorithm`` tuned and fitted on ``rows``; see `tune` for ``groups``."""
    names = MEMBERS if algorithm == ENSEMBLE else (algorithm,)
    chosen = tuple((name, tune(name, rows, groups, seed)) for name in names)
    return Trained(Ensemble(tuple(fit(name, settings, rows, seed) for name, settings in chosen)), chosen)


def fit(algorithm: str, settings: Settings, rows: Rows, seed: int) -> Fitted:
    """Return ``algorithm`` with ``settings`` fitted on ``rows``."""
    encoding = fit_encoding(rows.inputs, rows.additive, rows.target, physical=bool(settings["physical"]))
    return _fit_encoded(algorithm, settings, rows, encoding, seed)


def tune(algorithm: str, rows: Rows, groups: np.ndarray, seed: int, grid: Sequence[Settings] | None = None) -> Settings:
    """Return the settings of ``algorithm`` with the least MAPE over three folds that part no group.

    Only ``rows`` are looked at, of more than 300 a random 300. Where they hold a single group, there is
    nothing to compare on and the first of the settings is taken. ``grid`` is the algorithm's unless given.
    """
    grid = GRIDS[algorithm] if grid is None else grid
    if len(rows.target) > TUNING_ROWS:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(rows.target))[:TUNING_ROWS])
        rows, groups = rows.take(chosen), groups[chosen]
    if len(grid) == 1 or len(set(groups)) < 2:
        return grid[0]
    folds = grouped_folds(groups, TUNING_FOLDS, seed)
    forecasts = _forecasts(algorithm, grid, rows, folds, seed)
    return grid[int(np.argmin([mape(rows.target, forecast) for forecast in forecasts]))]


def _forecasts(algorithm: str, grid: Sequence[Settings], rows: Rows, folds: Sequence[Fold], seed: int) -> np.ndarray:
    forecasts = np.empty((len(grid), len(rows.target)))
    for fold in folds:
        train, test = rows.take(fold.train), rows.take(fold.test)
        encodings = {
            physical: fit_encoding(train.inputs, train.additive, train.target, physical=physical)
            for physical in {bool(settings["physical"]) for settings in grid}
        }
        for position, settings in enumerate(grid):
            encoding = encodings[bool(settings["physical"])]
            fitted = _fit_encoded(algorithm, settings, train, encoding, seed)
            forecasts[position, fold.test] = fitted.predict(test.inputs)
    return forecasts


def _fit_encoded(algorithm: str, settings: Settings, rows: Rows, encoding: Encoding, seed: int) -> Fitted:
    encoded, target = encoding.encode(rows.inputs), encoding.encode_target(rows.inputs, rows.target)
    return Fitted(encoding, fit_learner(algorithm, settings, encoded, target, seed))
