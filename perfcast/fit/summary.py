"""An evaluation in a few numbers a metric: `summary.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.dataset.noise import noise_floor
from perfcast.fit.choice import chosen_without_family
from perfcast.fit.intervals import conformal_quantile, enough_families
from perfcast.fit.measures import clustered_interval, error_summary, mape
from perfcast.fit.options import ALGORITHMS, BASELINES, DEPLOYMENT_SCHEME, SCHEMES
from perfcast.fit.running_out import judged
from perfcast.fit.training_data import rows_of_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.fit.cross_validation import CrossValidation
    from perfcast.fit.options import FitOptions

SCHEMA_VERSION = 2


def summarise(
    dataset: pd.DataFrame,
    validations: Mapping[str, CrossValidation],
    widths: Mapping[str, Mapping[str, np.ndarray]],
    splits: pd.DataFrame,
    deployed: Mapping[str, str],
    options: FitOptions,
) -> dict[str, Any]:
    """Return `summary.json`'s content."""
    metrics = {}
    for name, validation in validations.items():
        table = validation.table
        published = splits[splits["metric"] == name]
        metrics[name] = {
            "unit": table.metric.unit,
            "column": table.metric.column,
            **({"part": table.part} if table.part else {}),
            "models": len(set(table.models)),
            "rows": len(table),
            "families": len(set(table.families)),
            "input_sizes": len(set(table.sizes)),
            "excluded": table.excluded,
            "ran_out_of_memory": len(table.censored),
            "running_out": judged(validation, deployed[name]),
            "deployed": deployed[name],
            "chosen_without_family": error_summary(
                table.target, chosen_without_family(validation), table.families, options.seed
            ),
            "repeatability_percent": noise_floor(rows_of_part(dataset, table.part), table.metric.column),
            "algorithms": {
                algorithm: _algorithm(validation, algorithm, published, options.seed)
                for algorithm in (*ALGORITHMS, *BASELINES)
                if validation.has(algorithm, DEPLOYMENT_SCHEME)
            },
            **_interval(validation, widths[name], deployed[name], options),
        }
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": options.seed,
        "splits": options.splits,
        "test_share": options.test_share,
        "interval": options.interval,
        "metrics": metrics,
    }


def _algorithm(validation: CrossValidation, algorithm: str, published: pd.DataFrame, seed: int) -> dict[str, Any]:
    table = validation.table
    return {
        "published": _published(published, algorithm) if (published["algorithm"] == algorithm).any() else None,
        **{
            scheme: error_summary(table.target, validation.predictions[algorithm, scheme], table.families, seed)
            if validation.has(algorithm, scheme)
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


def _interval(
    validation: CrossValidation, widths: Mapping[str, np.ndarray], algorithm: str, options: FitOptions
) -> dict[str, Any]:
    """Return how often and how wide the intervals hold held-out families, and what plain ones would do."""
    families = validation.table.families
    residuals = validation.log_residuals(algorithm, DEPLOYMENT_SCHEME)
    holds = np.abs(residuals) <= widths[DEPLOYMENT_SCHEME]
    low, high = clustered_interval(holds.astype(float), families, options.seed)
    plain = conformal_quantile(validation.log_residuals(algorithm, "random_folds"), options.interval)
    return {
        "interval_coverage": float(holds.mean()),
        "interval_coverage_low": low,
        "interval_coverage_high": high,
        "interval_width_factor": _width(widths[DEPLOYMENT_SCHEME]),
        "interval_guaranteed": enough_families(len(set(families)), options.interval),
        "split_conformal": {
            "coverage": float((np.abs(residuals) <= plain).mean()),
            "width_factor": float(np.exp(2 * plain)),
        },
        "schemes": {
            scheme: _scheme(validation, algorithm, scheme, width, np.ones(len(families), dtype=bool))
            for scheme, width in widths.items()
        },
        "domain": {
            name: _scheme(validation, algorithm, DEPLOYMENT_SCHEME, widths[DEPLOYMENT_SCHEME], rows)
            for name, rows in (
                ("inside", validation.inside[DEPLOYMENT_SCHEME]),
                ("outside", ~validation.inside[DEPLOYMENT_SCHEME]),
            )
        },
    }


def _scheme(
    validation: CrossValidation, algorithm: str, scheme: str, widths: np.ndarray, rows: np.ndarray
) -> dict[str, Any] | None:
    """Return error, coverage and width of those ``rows`` (booleans), None where there are none."""
    if not rows.any():
        return None
    residuals = validation.log_residuals(algorithm, scheme)[rows]
    predictions = validation.predictions[algorithm, scheme][rows]
    return {
        "models": int(rows.sum()),
        "mape": mape(validation.table.target[rows], predictions),
        "coverage": float((np.abs(residuals) <= widths[rows]).mean()),
        "width_factor": _width(widths[rows]),
    }


def _width(half_widths: np.ndarray) -> float:
    """Return the median interval's upper end over its lower."""
    return float(np.exp(2 * np.median(half_widths)))
