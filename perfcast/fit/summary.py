"""An evaluation in a few numbers a metric: `summary.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.dataset.noise import noise_floor
from perfcast.fit.choice import chosen_without_family
from perfcast.fit.evaluation import Forecasts, log_residuals
from perfcast.fit.intervals import half_width, half_widths_without_family
from perfcast.fit.measures import error_summary
from perfcast.fit.options import ALGORITHMS, BASELINES, DEPLOYMENT_SCHEME, SCHEMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.fit.options import FitOptions
    from perfcast.fit.table import LearningTable

SCHEMA_VERSION = 1


def summarise(
    dataset: pd.DataFrame,
    tables: Mapping[str, LearningTable],
    splits: pd.DataFrame,
    forecasts: Mapping[str, Forecasts],
    deployed: Mapping[str, str],
    options: FitOptions,
) -> dict[str, Any]:
    """Return `summary.json`'s content."""
    metrics = {}
    for name, table in tables.items():
        published = splits[splits["metric"] == name]
        metrics[name] = {
            "unit": options.metrics[name].unit,
            "column": options.metrics[name].column,
            "models": len(table),
            "families": len(set(table.families)),
            "input_sizes": len(set(table.sizes)),
            "excluded": table.excluded,
            "deployed": deployed[name],
            "chosen_without_family": error_summary(
                table.target, chosen_without_family(table, forecasts[name]), table.families, options.seed
            ),
            "repeatability_percent": noise_floor(dataset, options.metrics[name].column),
            "algorithms": {
                algorithm: _algorithm(table, algorithm, published, forecasts[name], options.seed)
                for algorithm in (*ALGORITHMS, *BASELINES)
                if (algorithm, DEPLOYMENT_SCHEME) in forecasts[name]
            },
            **_interval(table, forecasts[name][deployed[name], DEPLOYMENT_SCHEME], options.interval),
        }
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": options.seed,
        "splits": options.splits,
        "test_share": options.test_share,
        "interval": options.interval,
        "metrics": metrics,
    }


def _algorithm(
    table: LearningTable, algorithm: str, published: pd.DataFrame, forecasts: Forecasts, seed: int
) -> dict[str, Any]:
    return {
        "published": None if algorithm in BASELINES else _published(published, algorithm),
        **{
            scheme: error_summary(table.target, forecasts[algorithm, scheme], table.families, seed)
            if (algorithm, scheme) in forecasts
            else None
            for scheme in SCHEMES
        },
    }


def _published(splits: pd.DataFrame, algorithm: str) -> dict[str, float]:
    rows = splits[splits["algorithm"] == algorithm]
    accuracy = rows["accuracy"].to_numpy()
    best = int(np.argmax(accuracy))
    p05, median, p95 = np.quantile(accuracy, [0.05, 0.5, 0.95])
    return {
        "best_accuracy": float(accuracy[best]),
        "best_split": int(rows["split"].iloc[best]),
        "median_accuracy": float(median),
        "p05_accuracy": float(p05),
        "p95_accuracy": float(p95),
    }


def _interval(table: LearningTable, predicted: np.ndarray, share: float) -> dict[str, Any]:
    residuals = log_residuals(table, predicted)
    width = half_width(residuals, share)
    inside = np.abs(residuals) <= half_widths_without_family(residuals, table.families, share)
    return {
        "interval_coverage": float(inside.mean()),
        "interval_width_factor": float(np.exp(2 * width.log)),
        "interval_guaranteed": width.guaranteed,
    }
