"""Fitting on rows of a table: encoding and learner together, and tuning inside training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.encoding import ROBUST, Encoding, fit_encoding
from perfcast.fit.experts import fit_experts
from perfcast.fit.families import kinship, known_families
from perfcast.fit.fitted import Fitted, Forecast, Forecaster
from perfcast.fit.measures import mape
from perfcast.fit.options import ENSEMBLE, EXPERTS
from perfcast.fit.regressors import GRIDS, Settings, fit_learner
from perfcast.fit.splits import Fold, grouped_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.fit.table import Rows

TUNING_FOLDS = 3
TUNING_ROWS = 300


VOTERS: tuple[tuple[str, Settings], ...] = (
    ("extra_trees", {"physical": ROBUST, "ratios": True}),
    ("svr", {"physical": ROBUST, "ratios": True, "C": 3.0, "gamma": 0.9}),
    ("mlp", {"physical": ROBUST, "ratios": True, "alpha": 10.0}),
)
"""Which regressors vote in the ensemble, and their settings."""


@dataclass(frozen=True)
class Trained:
    """What was fitted, the families that it knows, and the settings of each of its members."""

    forecaster: Forecaster
    families: tuple[str, ...]
    members: tuple[tuple[str, Settings], ...]

    def forecast(self, rows: Rows) -> Forecast:
        """Return forecasts for ``rows``, whose target is not looked at."""
        return self.forecaster.forecast(rows.inputs, kinship(rows.families, self.families))


def train(algorithm: str, rows: Rows, groups: np.ndarray, seed: int) -> Trained:
    """Return ``algorithm`` fitted on ``rows``: tuned (see `tune` for ``groups``), but for what votes in an ensemble.

    What votes is told the families, too.
    """
    fences = rows.fences
    rows = rows.repaired(fences)
    votes = algorithm in (ENSEMBLE, EXPERTS)
    families = known_families(rows.families) if votes else ()
    chosen = VOTERS if votes else ((algorithm, tune(algorithm, rows, groups, seed)),)
    encodings = _encodings(rows, [settings for _, settings in chosen])
    members = tuple(
        _fit_encoded(name, settings, rows, encodings[_kind(settings)], seed, families) for name, settings in chosen
    )
    experts = fit_experts(rows, seed) if algorithm == EXPERTS else None
    return Trained(Forecaster(fences, members, experts), families, chosen)


def fit(algorithm: str, settings: Settings, rows: Rows, seed: int) -> Fitted:
    """Return ``algorithm`` with ``settings`` fitted on ``rows``."""
    return _fit_encoded(algorithm, settings, rows, _encodings(rows, [settings])[_kind(settings)], seed)


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
        encodings = _encodings(train, grid)
        for position, settings in enumerate(grid):
            fitted = _fit_encoded(algorithm, settings, train, encodings[_kind(settings)], seed)
            forecasts[position, fold.test] = fitted.predict(test.inputs, kinship(test.families, ()))
    return forecasts


def _kind(settings: Settings) -> tuple[int, bool]:
    return int(settings["physical"]), bool(settings.get("ratios", False))


def _encodings(rows: Rows, grid: Sequence[Settings]) -> dict[tuple[int, bool], Encoding]:
    """Return the encoding of each kind that settings of ``grid`` ask for, fitted once."""
    kinds = {_kind(settings) for settings in grid}
    return {kind: fit_encoding(rows, kind[0], with_ratios=kind[1]) for kind in kinds}


def _fit_encoded(
    algorithm: str, settings: Settings, rows: Rows, encoding: Encoding, seed: int, families: tuple[str, ...] = ()
) -> Fitted:
    encoded = np.hstack([encoding.encode(rows.inputs), kinship(rows.families, families)])
    target = encoding.encode_target(rows.inputs, rows.target)
    if "gamma" in settings:  # of one input: distances grow with how many there are, but not with families
        settings = {**settings, "gamma": settings["gamma"] / len(encoding.mean)}
    return Fitted(encoding, fit_learner(algorithm, settings, encoded, target, seed))
