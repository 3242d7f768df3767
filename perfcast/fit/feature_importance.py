"""Which features a metric depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.encoding import fit_encoding
from perfcast.fit.fitting import train, tune
from perfcast.fit.measures import percentage_errors
from perfcast.fit.regressors import fit_estimator

if TYPE_CHECKING:
    from perfcast.fit.splits import Fold
    from perfcast.fit.training_data import TrainingData

SHUFFLES = 5
_DEPTHS = (2, 4, 6)


def split_counts(rows: TrainingData, seed: int) -> np.ndarray:
    """Return how often boosted trees of the features alone split on each of them; their depth is tuned on MAPE."""
    rows = rows.winsorized(rows.outlier_bounds)
    grid = tuple({"physical": False, "max_depth": depth} for depth in _DEPTHS)
    settings = tune("xgboost", rows, rows.families, seed, grid)
    encoding = fit_encoding(rows, physical=0)
    encoded, target = encoding.encode(rows.inputs), encoding.encode_target(rows.inputs, rows.target)
    booster = fit_estimator("xgboost", settings, encoded, target, seed)
    counts = booster.get_score(importance_type="weight")
    scores = np.zeros(rows.inputs.shape[1])
    for position, feature in enumerate(encoding.varying):
        scores[feature] = counts.get(f"f{position}", 0)
    return scores


def error_growth(rows: TrainingData, fold: Fold, algorithm: str, seed: int) -> np.ndarray:
    """Return by how many percentage points each feature, shuffled, makes the errors of held-out rows grow in sum."""
    training, test = rows.take(fold.train), rows.take(fold.test)
    trained = train(algorithm, training, training.families, seed)
    errors = percentage_errors(test.target, trained.predict(test).values).sum()
    growth = np.zeros(rows.inputs.shape[1])
    for feature in np.flatnonzero(np.ptp(rows.inputs, axis=0)).tolist():
        shuffled = _shuffled(rows, fold.test, feature, seed)
        predictions = trained.predict(shuffled).values.reshape(SHUFFLES, -1)
        growth[feature] = percentage_errors(test.target, predictions).sum() / SHUFFLES - errors
    return growth


def _shuffled(rows: TrainingData, test: np.ndarray, feature: int, seed: int) -> TrainingData:
    # Values come from the whole table: a family of one row has nothing to shuffle with.
    random = np.random.default_rng([seed, feature])
    repeated, column = rows.take(np.tile(test, SHUFFLES)), rows.inputs[:, feature]
    repeated.inputs[:, feature] = np.concatenate([random.permutation(column)[test] for _ in range(SHUFFLES)])
    return repeated
