"""Which features a metric depends on."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class SplitCounts:
    """How often boosted trees of the features alone split on each of them; their depth is tuned on MAPE."""

    metric: str
    rows: TrainingData
    families: np.ndarray
    seed: int

    def run(self) -> np.ndarray:
        """Return the number of splits of each feature."""
        rows = self.rows.winsorized(self.rows.outlier_bounds)
        grid = tuple({"physical": False, "max_depth": depth} for depth in _DEPTHS)
        settings = tune("xgboost", rows, self.families, self.seed, grid)
        encoding = fit_encoding(rows, physical=0)
        encoded, target = encoding.encode(rows.inputs), encoding.encode_target(rows.inputs, rows.target)
        booster = fit_estimator("xgboost", settings, encoded, target, self.seed)
        counts = booster.get_score(importance_type="weight")
        scores = np.zeros(rows.inputs.shape[1])
        for position, feature in enumerate(encoding.varying):
            scores[feature] = counts.get(f"f{position}", 0)
        return scores


@dataclass(frozen=True)
class PermutationImportance:
    """How much worse one family is predicted, without having trained on it, when a feature is shuffled."""

    metric: str
    algorithm: str
    rows: TrainingData
    families: np.ndarray
    fold: Fold
    seed: int

    def run(self) -> np.ndarray:
        """Return by how many percentage points each feature makes the test rows' errors grow in sum."""
        training, test = self.rows.take(self.fold.train), self.rows.take(self.fold.test)
        trained = train(self.algorithm, training, self.families[self.fold.train], self.seed)
        errors = percentage_errors(test.target, trained.predict(test).values).sum()
        growth = np.zeros(self.rows.inputs.shape[1])
        for feature in np.flatnonzero(np.ptp(self.rows.inputs, axis=0)).tolist():
            predictions = trained.predict(self._shuffled(feature)).values.reshape(SHUFFLES, -1)
            growth[feature] = percentage_errors(test.target, predictions).sum() / SHUFFLES - errors
        return growth

    def _shuffled(self, feature: int) -> TrainingData:
        # Values come from the whole table: a family of one row has nothing to shuffle with.
        random = np.random.default_rng([self.seed, feature])
        rows = self.rows.take(np.tile(self.fold.test, SHUFFLES))
        column = self.rows.inputs[:, feature]
        drawn = [random.permutation(column)[self.fold.test] for _ in range(SHUFFLES)]
        rows.inputs[:, feature] = np.concatenate(drawn)
        return rows
