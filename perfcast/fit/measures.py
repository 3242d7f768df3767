"""How wrong predictions are."""

from __future__ import annotations

import numpy as np

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
    low, high = clustered_interval(errors, families, seed)
    return {
        "mape": float(errors.mean()),
        "median_ape": float(np.median(errors)),
        "mape_low": low,
        "mape_high": high,
    }


def clustered_interval(values: np.ndarray, families: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the 95% interval of the mean of ``values``, bootstrapped over families: they differ less within one."""
    names, members = np.unique(families, return_inverse=True)
    sums, counts = np.bincount(members, weights=values), np.bincount(members)
    drawn = np.random.default_rng(seed).integers(len(names), size=(BOOTSTRAPS, len(names)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
