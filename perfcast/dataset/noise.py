"""The noise floor: how far a measurement repeats itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.dataset.columns import METRIC_COLUMNS
from perfcast.dataset.valid import replicates_of, valid_rows
from perfcast.factors import NAMES
from perfcast.stability import repeatability

if TYPE_CHECKING:
    import pandas as pd

Floor = dict[str, float | int]


def noise_floor(dataset: pd.DataFrame, column: str) -> Floor | None:
    """Return how far repeated measurements of a model differ in ``column``; None without replicates.

    Only rows that are used for training, and their valid repetitions, are compared.

    Returns:
        `median` and `p95` of 100·|a − b| / mean(a, b) in % over all pairs of positive repetitions of a model
        under the same factors, and the number of `pairs`. No prediction can be expected to err less.
    """
    first, second = replicate_pairs(dataset, column)
    if not len(first):
        return None
    values = dataset[column].to_numpy(dtype=float)
    median, p95 = repeatability(values[first], values[second])
    return {"median": float(median), "p95": float(p95), "pairs": len(first)}


def replicate_pairs(dataset: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the rows that repeat each other, the first and the second of each pair."""
    rows = valid_rows(dataset.reset_index(drop=True))
    rows = rows.assign(replicate=replicates_of(rows))
    rows = rows[rows[column].notna()]
    rows = rows[rows[column].to_numpy(dtype=float) > 0]
    identity = ["model", *(name for name in NAMES if name in rows)]
    # Of a large table few rows or none repeat each other: only these are looked at group by group.
    rows = rows[rows.groupby(identity, dropna=False)["replicate"].transform("nunique") > 1]
    pairs = [
        np.column_stack([group.index[at] for at in np.triu_indices(len(group), k=1)])
        for _, group in rows.groupby(identity, dropna=False, sort=True)
    ]
    first, second = np.concatenate([np.empty((0, 2), dtype=int), *pairs]).T
    return first, second


def noise_floors(dataset: pd.DataFrame) -> dict[str, Floor]:
    """Return the noise floor of each column that a metric may learn and that was measured again."""
    floors = {column: noise_floor(dataset, column) for column in METRIC_COLUMNS if column in dataset}
    return {column: floor for column, floor in floors.items() if floor is not None}
