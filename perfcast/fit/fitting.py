"""Fitting on rows of a table: encoding and learner together, and tuning inside training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.encoding import ROBUST, Encoding, fit_encoding
from perfcast.fit.families import encode_families, known_families
from perfcast.fit.fitted import Ensemble, Fitted, Prediction
from perfcast.fit.linear import LinearModel, fit_linear
from perfcast.fit.measures import mape
from perfcast.fit.mixture import fit_mixture
from perfcast.fit.options import ENSEMBLE, LINEAR, MIXTURE
from perfcast.fit.regressors import GRIDS, Settings, fit_learner
from perfcast.fit.splits import Fold, grouped_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.fit.censored import Censored
    from perfcast.fit.training_data import TrainingData

TUNING_FOLDS = 3
TUNING_ROWS = 300


ENSEMBLE_MEMBERS: tuple[tuple[str, Settings], ...] = (
    ("extra_trees", {"physical": ROBUST, "ratios": True}),
    ("svr", {"physical": ROBUST, "ratios": True, "C": 3.0, "gamma": 0.9}),
    ("mlp", {"physical": ROBUST, "ratios": True, "alpha": 10.0}),
)
"""The regressors of the ensemble, and their settings."""


@dataclass(frozen=True)
class Trained:
    """What was fitted, the families that it knows, and the settings of each of its members."""

    ensemble: Ensemble
    families: tuple[str, ...]
    members: tuple[tuple[str, Settings], ...]

    def predict(self, rows: TrainingData | Censored) -> Prediction:
        """Return predictions for ``rows``, whose target is not looked at."""
        return self.ensemble.predict(rows.inputs, encode_families(rows.families, self.families))


def train(algorithm: str, rows: TrainingData, groups: np.ndarray, seed: int) -> Trained:
    """Return ``algorithm`` fitted on ``rows``: tuned (see `tune` for ``groups``), except for an ensemble's members.

    Members of an ensemble see the families as well.
    """
    bounds = rows.outlier_bounds
    columns, rows = rows.columns, rows.winsorized(bounds).expanded()
    is_ensemble = algorithm in (ENSEMBLE, MIXTURE)
    families = known_families(rows.families) if is_ensemble else ()
    chosen = ENSEMBLE_MEMBERS if is_ensemble else ((algorithm, tune(algorithm, rows, groups, seed)),)
    encodings = _encodings(rows, [settings for _, settings in chosen])
    members = tuple(
        _fit_encoded(name, settings, rows, encodings[_kind(settings)], seed, families) for name, settings in chosen
    )
    experts = fit_mixture(rows, seed) if algorithm == MIXTURE else None
    return Trained(Ensemble(columns, bounds, members, experts), families, chosen)


def fit(algorithm: str, settings: Settings, rows: TrainingData, seed: int) -> Fitted | LinearModel:
    """Return ``algorithm`` with ``settings`` fitted on ``rows``."""
    return _fit_encoded(algorithm, settings, rows, _encodings(rows, [settings])[_kind(settings)], seed)


def tune(
    algorithm: str, rows: TrainingData, groups: np.ndarray, seed: int, grid: Sequence[Settings] | None = None
) -> Settings:
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
    predictions = _predictions(algorithm, grid, rows, folds, seed)
    return grid[int(np.argmin([mape(rows.target, prediction) for prediction in predictions]))]


def _predictions(
    algorithm: str, grid: Sequence[Settings], rows: TrainingData, folds: Sequence[Fold], seed: int
) -> np.ndarray:
    predictions = np.empty((len(grid), len(rows.target)))
    for fold in folds:
        train, test = rows.take(fold.train), rows.take(fold.test)
        encodings = _encodings(train, grid)
        for position, settings in enumerate(grid):
            fitted = _fit_encoded(algorithm, settings, train, encodings[_kind(settings)], seed)
            predictions[position, fold.test] = fitted.predict(test.inputs, encode_families(test.families, ()))
    return predictions


def _kind(settings: Settings) -> tuple[int, bool]:
    return int(settings["physical"]), bool(settings.get("ratios", False))


def _encodings(rows: TrainingData, grid: Sequence[Settings]) -> dict[tuple[int, bool], Encoding]:
    """Return the encoding of each kind that settings of ``grid`` ask for, fitted once."""
    kinds = {_kind(settings) for settings in grid}
    return {kind: fit_encoding(rows, kind[0], with_ratios=kind[1]) for kind in kinds}


def _fit_encoded(
    algorithm: str,
    settings: Settings,
    rows: TrainingData,
    encoding: Encoding,
    seed: int,
    families: tuple[str, ...] = (),
) -> Fitted | LinearModel:
    if algorithm == LINEAR:
        return fit_linear(rows, averaged=bool(settings["averaged"]))
    encoded = np.hstack([encoding.encode(rows.inputs), encode_families(rows.families, families)])
    target = encoding.encode_target(rows.inputs, rows.target)
    if "gamma" in settings:  # of one input: distances grow with how many there are, but not with families
        settings = {**settings, "gamma": settings["gamma"] / len(encoding.mean)}
    return Fitted(encoding, fit_learner(algorithm, settings, encoded, target, seed))
