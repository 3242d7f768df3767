"""What an evaluation found, as the tables that `docs/data-model.md` describes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.storage import read_json, write_json, write_table

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from perfcast.fit.cross_validation import CrossValidation
    from perfcast.fit.training_data import TrainingData

_TABLES = ("splits", "predictions", "feature_importance")
_SUMMARY = "summary.json"
FILES = (*(f"{name}.parquet" for name in _TABLES), _SUMMARY)
"""What a folder with an evaluation holds."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Empty where nothing was fitted.

    Attributes:
        splits: the published protocol, one row per (metric, algorithm, split).
        predictions: grouped cross-validation, one row per (metric, algorithm, scheme, model).
        feature_importance: one row per (metric, feature).
        summary: JSON-ready.
    """

    splits: pd.DataFrame = field(default_factory=pd.DataFrame)
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame)
    feature_importance: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: dict[str, Any] = field(default_factory=dict)

    def of_metric(self, table: str, metric: str) -> pd.DataFrame:
        """Return the rows of ``table`` (`splits`, `predictions` or `feature_importance`) that belong to ``metric``."""
        rows: pd.DataFrame = getattr(self, table)
        return rows[rows["metric"] == metric] if len(rows) else rows


def write_evaluation(evaluation: Evaluation, folder: str | os.PathLike[str]) -> None:
    """Write ``evaluation`` to ``folder``: splits, predictions and feature importance as Parquet, and summary.json."""
    for name in _TABLES:
        write_table(Path(folder) / f"{name}.parquet", getattr(evaluation, name))
    write_json(Path(folder) / _SUMMARY, evaluation.summary)


def read_evaluation(folder: str | os.PathLike[str]) -> Evaluation:
    """Return the evaluation that `write_evaluation` wrote to ``folder``.

    Raises:
        StoreError: the summary is absent or damaged.
    """
    tables = {name: pd.read_parquet(Path(folder) / f"{name}.parquet") for name in _TABLES}
    return Evaluation(**tables, summary=read_json(Path(folder) / _SUMMARY))


def splits_table(errors: Sequence[tuple[str, str, int, float]]) -> pd.DataFrame:
    """Return `splits` from the MAPE of each (metric, algorithm, split)."""
    table = pd.DataFrame(errors, columns=["metric", "algorithm", "split", "mape"])
    return table.assign(accuracy=100 - table["mape"])


def predictions_table(
    validations: Mapping[str, CrossValidation],
    widths: Mapping[str, Mapping[str, np.ndarray]],
    deployed: Mapping[str, str],
) -> pd.DataFrame:
    """Return `predictions`, with intervals of the half ``widths`` (by metric and scheme, in logarithms)."""
    parts = []
    for metric, validation in validations.items():
        table = validation.table
        for (algorithm, scheme), predicted in validation.predictions.items():
            factor = np.exp(widths[metric][scheme]) if algorithm == deployed[metric] else np.nan
            part = {
                "metric": metric,
                "unit": table.metric.unit,
                "algorithm": algorithm,
                "scheme": scheme,
                "model": table.models,
                "family": table.families,
                "input_size": table.sizes,
                **table.part,
                **table.factors,
                "measured": table.target,
                "predicted": predicted,
                "lower": predicted / factor,
                "upper": predicted * factor,
                "spread": validation.spreads[algorithm, scheme],
                "distance": validation.distances[scheme],
                "in_domain": validation.inside[scheme],
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def importance_table(
    tables: Mapping[str, TrainingData],
    split_counts: Mapping[str, np.ndarray],
    growth: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Return `feature_importance`, each metric's most important feature first."""
    parts = [
        pd.DataFrame(
            {
                "metric": metric,
                "feature": table.features,
                "split_count": split_counts[metric].astype(int),
                "mape_increase": growth[metric],
            }
        ).sort_values("mape_increase", ascending=False, kind="stable")
        for metric, table in tables.items()
    ]
    return pd.concat(parts, ignore_index=True)
