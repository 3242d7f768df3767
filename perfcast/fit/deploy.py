"""From an evaluation to the predictor that is deployed: the best algorithm, fitted on everything measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from perfcast.bench.calibrations import Speed
from perfcast.dataset.valid import valid_rows
from perfcast.errors import DataError
from perfcast.factors import NAMES as FACTORS
from perfcast.fit.cross_validation import validation_of
from perfcast.fit.domain import fit_domain
from perfcast.fit.fitting import train
from perfcast.fit.intervals import calibrated
from perfcast.fit.options import DEPLOYMENT_SCHEME
from perfcast.fit.predictor import MetricModel, MetricPredictor, Part, Predictor
from perfcast.fit.training_data import part_label, parts_of, tables_of
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.factors import FactorSet
    from perfcast.fit.evaluation import Evaluation
    from perfcast.fit.options import FitOptions
    from perfcast.fit.training_data import TrainingData


def fit_predictor(dataset: pd.DataFrame, evaluation: Evaluation, options: FitOptions) -> Predictor:
    """Return the predictor of all metrics, each by the algorithm that ``evaluation`` found best.

    Args:
        dataset: the one evaluated.
        evaluation: of `evaluate`, which chose the algorithms and made the errors that intervals are sized by.
        options: the ones evaluated with.

    Raises:
        DataError: the dataset cannot be trained on, or is not the one that was evaluated.
    """
    tables = tables_of(dataset, options)
    parts = parts_of(dataset, options.features)
    return Predictor(
        parts=tuple(_fit_part(part, tables, evaluation, options) for part, _ in parts),
        target=", ".join(_distinct(dataset, "target")),
        environment=_environment(dataset),
        training_digest=digest_of_json({name: table.digest() for name, table in tables.items()}),
        calibrations_ms=calibrations_ms(dataset),
    )


def _fit_part(part: FactorSet, tables: Mapping[str, TrainingData], evaluation: Evaluation, options: FitOptions) -> Part:
    names = {name: name + part_label(part) for name in options.metrics}
    return Part(part, {name: _fit_metric(key, tables[key], evaluation, options) for name, key in names.items()})


def _fit_metric(name: str, table: TrainingData, evaluation: Evaluation, options: FitOptions) -> MetricPredictor:
    summary = evaluation.summary["metrics"].get(name)
    if summary is None:
        raise DataError(f"metric '{name}' was not evaluated")
    algorithm = summary["deployed"]
    validation = validation_of(table, evaluation.of_metric("predictions", name))
    intervals = calibrated(validation, algorithm, options.interval)
    with threadpool_limits(limits=1):
        trained = train(algorithm, table, table.families, options.seed)
    domain = fit_domain(table.winsorized(trained.ensemble.outlier_bounds).per_model)
    return MetricPredictor(
        unit=table.metric.unit,
        algorithm=algorithm,
        columns=table.columns,
        families=trained.families,
        combinations=table.combinations,
        model=MetricModel(trained.ensemble, domain, intervals),
        details={
            "members": [
                {"algorithm": member, "hyperparameters": dict(settings)} for member, settings in trained.members
            ],
            "domain": {
                "lowest": dict(zip(table.columns.features, table.per_model.min(axis=0).tolist(), strict=True)),
                "highest": dict(zip(table.columns.features, table.per_model.max(axis=0).tolist(), strict=True)),
                "reach": float(domain.reach[0]),
            },
            "interval": {
                "share": options.interval,
                "width_factor": summary["interval_width_factor"],
                "guaranteed": summary["interval_guaranteed"],
                "coverage": summary["interval_coverage"],
            },
            "running_out": summary["running_out"],
            "errors": {
                "models": summary["models"],
                "families": summary["families"],
                "repeatability_percent": summary["repeatability_percent"],
                **summary["algorithms"][algorithm][DEPLOYMENT_SCHEME],
            },
        },
    )


def calibrations_ms(dataset: pd.DataFrame) -> dict[int, Speed]:
    """Return how long the calibration workload took while a dataset was measured, by number of threads.

    Of all visits; where a dataset lacks these, of the means over the visits of each measurement.
    """
    visits = "visit_calibration_ms"
    column = visits if visits in dataset and dataset[visits].notna().any() else "calibration_ms"
    if column not in dataset:
        return {}
    times = dataset[["threads", column]].explode(column).dropna()
    return {int(threads): Speed.of(found[column].astype(float).tolist()) for threads, found in times.groupby("threads")}


def _environment(dataset: pd.DataFrame) -> dict[str, Any]:
    rows = valid_rows(dataset)
    return {name: _distinct(rows, name) for name in (*FACTORS, "environment") if name in rows}


def _distinct(rows: pd.DataFrame, column: str) -> list[Any]:
    return sorted(rows[column].dropna().unique().tolist()) if column in rows else []
