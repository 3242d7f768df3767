"""What a sweep writes: the document's table, what it holds for, all that was printed, and a dataset of all families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from perfcast.models.scaling import CLASSIFIERS
from perfcast.storage import write_json, write_table, write_text
from perfcast.sweeps.report import heading_of, predictions_of, structure_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perfcast.sweeps.sweep import Result, Sweep

DATASET = "dataset.parquet"
SWEEP_VERSION = 1
"""Of the dataset, as its attribute `sweep_version`, and of the files beside tables."""

_FROM_MEASUREMENT = (
    *("model", "target", "device", "toolchain", "toolchain_version", "threads", "evaluation_inputs"),
    *("macs", "parameters", "sum_activations", "fused_moved_bytes", "includes", "measurement", "fingerprint"),
)
"""Columns of the dataset that are those of a measurement's row."""


def published_table(results: Sequence[Result]) -> pd.DataFrame:
    """Return the document's table, times in s; they are missing where a combination was not measured."""
    rows = [
        {
            "Layers": result.combination.spec.parameters["layers"],
            "BatchSize": result.combination.training_batch,
            "ConvSize": result.combination.spec.parameters["filter_size"],
            "TotalTime": result.evaluated.total_s,
            "MeanTime": result.evaluated.mean_s,
        }
        for result in results
    ]
    return pd.DataFrame(rows)


def dataset_of(swept: Sequence[tuple[Sweep, Sequence[Result]]]) -> pd.DataFrame:
    """Return one row per combination of all families; docs/data-model.md lists the columns."""
    table = pd.DataFrame([_row(sweep, result) for sweep, results in swept for result in results])
    whole = [name for name in ("channels", "embedding", "vocabulary") if name in table]
    table = table.astype(dict.fromkeys(whole, "Int64"))
    table.attrs = {"sweep_version": SWEEP_VERSION}
    return table


def _row(sweep: Sweep, result: Result) -> dict[str, Any]:
    combination, found = result.combination, result.evaluated
    return {
        "family": sweep.family,
        **combination.spec.parameters,
        "input_size": combination.spec.input_shape[0],
        "training_batch": combination.training_batch,
        "batch": combination.batch,
        "total_s": found.total_s,
        "mean_s": found.mean_s,
        "typical_s": found.typical_s,
        "mean_s_low": found.low_s,
        "mean_s_high": found.high_s,
        "status": found.status,
        "status_reason": found.reason,
        "samples_s": list(found.samples_s),
        "accuracy": result.trained.accuracy,
        "training_s": result.trained.seconds,
        "data_source": sweep.corpus.source,
        "is_default_data": sweep.corpus.is_default,
        **_settings_of(sweep),
        **{name: found.row[name] for name in _FROM_MEASUREMENT},
    }


def _settings_of(sweep: Sweep) -> dict[str, Any]:
    config = sweep.config
    return {
        "epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "dropout": config.dropout,
        "training_inputs": len(sweep.corpus.training),
        "evaluation_iterations": config.evaluation_iterations,
        "seed": config.seed,
    }


def write_family(folder: Path, sweep: Sweep, results: Sequence[Result]) -> list[Path]:
    """Write a family's tables, what they hold for and all that is printed of it; return the files.

    The document's table has columns for three degrees of freedom. Where others take several values, there is a table
    for each combination of those.

    Raises:
        StoreError: a file cannot be written.
    """
    tables: dict[Path, list[Result]] = {}
    for result in results:
        tables.setdefault(folder / f"{sweep.family}{_variant(sweep, result)}.csv", []).append(result)
    for path, chosen in tables.items():
        write_table(path, published_table(chosen))
        write_json(path.with_suffix(".json"), _about(sweep, chosen))
    log = folder / f"{sweep.family}.txt"
    write_text(log, "\n".join(_log(sweep, results)) + "\n")
    return [*tables, log]


def _variant(sweep: Sweep, result: Result) -> str:
    """Return what the name of a combination's table adds to the family's."""
    config, combination = sweep.config, result.combination
    values = {name: combination.spec.parameters[name] for name in CLASSIFIERS[sweep.family].defaults}
    several = {name: value for name, value in values.items() if len(getattr(config, name)) > 1}
    if len(config.input_size or ()) > 1:
        several["input_size"] = combination.spec.input_shape[0]
    if config.inference_batch is not None:
        several["inference_batch"] = combination.batch
    return "".join(f"_{name}{value}" for name, value in several.items())


def _about(sweep: Sweep, results: Sequence[Result]) -> dict[str, Any]:
    row = results[0].evaluated.row
    statuses = pd.Series([result.evaluated.status for result in results]).value_counts()
    return {
        "sweep_version": SWEEP_VERSION,
        "family": sweep.family,
        "data_source": sweep.corpus.source,
        "is_default_data": sweep.corpus.is_default,
        "batch_size_is": "the batch size of training" if sweep.config.inference_batch else "that of both phases",
        "inference_batch": sorted({result.combination.batch for result in results}),
        "evaluation_inputs": sweep.config.evaluation_inputs,
        "accuracy_inputs": len(sweep.corpus.evaluation),
        "units": {"TotalTime": "s", "MeanTime": "s"},
        "statuses": {str(name): int(count) for name, count in statuses.items()},
        **_settings_of(sweep),
        **{name: str(row[name]) for name in ("target", "device", "toolchain", "toolchain_version", "threads")},
    }


def _log(sweep: Sweep, results: Sequence[Result]) -> list[str]:
    structures = {spec.model: structure_of(spec) for spec in sweep.specs}
    lines = []
    for result in results:
        lines += heading_of(sweep, result, structures[result.combination.spec.model])
        for prediction in predictions_of(sweep, result):
            lines += ["", *prediction]
        lines += ["", ""]
    return lines
