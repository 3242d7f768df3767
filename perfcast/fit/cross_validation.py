"""What grouped cross-validation of one metric found: predictions of held-out rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.fit.training_data import TrainingData


@dataclass(frozen=True)
class CrossValidation:
    """Predictions of all rows of a table, each made without its row.

    Attributes:
        table: the rows.
        predictions: by algorithm and scheme, a number per row in the table's order.
        spreads: by algorithm and scheme, how far apart the members were (see `perfcast.fit.fitted.Prediction`).
        distances: by scheme, how far each row is from those trained on (see `perfcast.fit.domain`).
        inside: by scheme, whether each row is within the domain of those trained on.
        censored: by algorithm and scheme, a number per censored row of the table, NaN where its model was not measured.
    """

    table: TrainingData
    predictions: Mapping[tuple[str, str], np.ndarray]
    spreads: Mapping[tuple[str, str], np.ndarray]
    distances: Mapping[str, np.ndarray]
    inside: Mapping[str, np.ndarray]
    censored: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def has(self, algorithm: str, scheme: str) -> bool:
        """Return whether ``algorithm`` was validated by ``scheme``."""
        return (algorithm, scheme) in self.predictions

    def log_residuals(self, algorithm: str, scheme: str) -> np.ndarray:
        """Return log(measured / prediction), one number a row."""
        return np.log(self.table.target / self.predictions[algorithm, scheme])


def validation_of(table: TrainingData, evaluated: pd.DataFrame) -> CrossValidation:
    """Return the validation that the rows of one metric in an evaluation's `predictions` were made of.

    Raises:
        DataError: they are not of ``table``.
    """
    predictions, spreads, distances, inside = {}, {}, {}, {}
    for (algorithm, scheme), rows in evaluated.groupby(["algorithm", "scheme"], sort=False):
        if not np.array_equal(rows["measured"].to_numpy(), table.target):
            raise DataError("the dataset is not the one that was evaluated")
        predictions[algorithm, scheme] = rows["predicted"].to_numpy()
        spreads[algorithm, scheme] = rows["spread"].to_numpy()
        distances[scheme] = rows["distance"].to_numpy()
        inside[scheme] = rows["in_domain"].to_numpy()
    return CrossValidation(table, predictions, spreads, distances, inside)
