"""How wrong forecasts are, and how far a measurement repeats itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.table import FACTORS, measured_rows, number_columns

if TYPE_CHECKING:
    import pandas as pd

BOOTSTRAPS = 1000


def percentage_errors(measured: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return 100·|predicted − measured| / measured, one number a row."""
    return 100 * np.abs(predicted - measured) / measured


def mape(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean absolute percentage error."""
    return float(percentage_errors(measured, predicted).mean())


def error_summary(measured: np.ndarray, predicted: np.ndarray, families: np.ndarray, seed: int) -> dict[str, float]:
    """Return `mape`, `median_ape` and the 95% interval of the MAPE, `mape_low` to `mape_high`.

    The interval is bootstrapped over families, since rows of a family err alike: a thousand times as many
    families as there are are drawn with replacement.
    """
    errors = percentage_errors(measured, predicted)
    names, members = np.unique(families, return_inverse=True)
    sums, counts = np.bincount(members, weights=errors), np.bincount(members)
    drawn = np.random.default_rng(seed).integers(len(names), size=(BOOTSTRAPS, len(names)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return {
        "mape": float(errors.mean()),
        "median_ape": float(np.median(errors)),
        "mape_low": float(low),
        "mape_high": float(high),
    }


def repeatability(dataset: pd.DataFrame, column: str) -> dict[str, float] | None:
    """Return how far repeated measurements of a model differ, in percent; None without replicates.

    Returns:
        `median` and `p95` of 100·|a − b| / mean(a, b) over all pairs of positive replicates of a model under
        the same factors, and the number of `pairs`. No forecast can be expected to err less.
    """
    rows, replicates = measured_rows(dataset)
    rows = rows.assign(replicate=replicates)[rows[column].notna()]
    identity = ["model", *(name for name in FACTORS if name in rows)]
    differences = [
        np.abs(first - second) / ((first + second) / 2)
        for _, group in rows.groupby(identity, dropna=False, sort=True)
        if group["replicate"].nunique() > 1
        for first, second in _pairs(number_columns(group, (column,))[:, 0])
    ]
    if not differences:
        return None
    median, p95 = np.quantile(differences, [0.5, 0.95])
    return {"median": float(100 * median), "p95": float(100 * p95), "pairs": len(differences)}


def _pairs(values: np.ndarray) -> list[tuple[float, float]]:
    positive = values[values > 0]
    first, second = np.triu_indices(len(positive), k=1)
    return list(zip(positive[first], positive[second], strict=True))
