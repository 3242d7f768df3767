"""The fit stage: a dataset in; the evaluation of all algorithms and the deployed predictor out, each a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.features.definitions import FEATURES
from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.evaluation import write_evaluation
from perfcast.fit.options import FitOptions, Metric
from perfcast.fit.persistence.folder import check_replaceable, save_predictor
from perfcast.fit.selection import TRAINING, select_features
from perfcast.runner.power import POWER_METRICS
from perfcast.runner.workloads import WORKLOADS
from perfcast.storage import digest_of_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from perfcast.fit.evaluation import Evaluation
    from perfcast.progress import Progress


@dataclass(frozen=True)
class FitFolders:
    """Where a fit's results go."""

    evaluation: Path
    predictor: Path

    def digests(self) -> dict[str, str]:
        """Return the digest of each file in them, by folder and name."""
        files = [(folder, path) for folder in (self.evaluation, self.predictor) for path in sorted(folder.rglob("*"))]
        return {
            path.relative_to(folder.parent).as_posix(): digest_of_file(path) for folder, path in files if path.is_file()
        }


def options_of(
    dataset: pd.DataFrame, metrics: Mapping[str, Mapping[str, str]], choices: Mapping[str, Any], jobs: int
) -> FitOptions:
    """Return the options that a dataset is fitted with: one of other tables says itself what its features are.

    Args:
        dataset: one row per measurement or imported row.
        metrics: column and unit of each metric; those of power are not fitted where the device has no source.
        choices: the section `fit` of a configuration.
        jobs: processes to use.

    Raises:
        UsageError: an option is out of its range.
    """
    features = dataset.attrs.get("features") or _features_of(dataset)
    implausible = {name: tuple(others) for name, others in dataset.attrs.get("implausible", {}).items()}
    chosen = {name: Metric(**metric) for name, metric in metrics.items() if _is_offered(dataset, metric["column"])}
    held = dict(dataset.attrs.get("held", {}))
    return FitOptions(tuple(features), chosen, jobs=jobs, implausible=implausible, held=held, **choices)


def _is_offered(dataset: pd.DataFrame, column: str) -> bool:
    """Return whether a metric can be there: power is measured only where the device has a source."""
    return column not in POWER_METRICS or (column in dataset and bool(dataset[column].notna().any()))


def _features_of(dataset: pd.DataFrame) -> tuple[str, ...]:
    """Return the features that a dataset of perfcast's own is learned from."""
    workloads = dataset["workload"].unique() if "workload" in dataset else ()
    # Datasets of earlier versions lack what training holds.
    trains = set(TRAINING) <= set(dataset) and any(WORKLOADS[name].TRAINS for name in workloads if name in WORKLOADS)
    return select_features([feature.name for feature in FEATURES], training=trains)


def learn(dataset: pd.DataFrame, options: FitOptions, folders: FitFolders, progress: Progress) -> Evaluation:
    """Evaluate all algorithms, fit the best on all rows, and write both; nothing is written unless both succeed.

    Raises:
        DataError: there is too little to learn from.
        UsageError: the predictor's folder holds something else.
    """
    check_replaceable(folders.predictor)
    evaluation = evaluate(dataset, options, progress)
    predictor = fit_predictor(dataset, evaluation, options)
    write_evaluation(evaluation, folders.evaluation)
    save_predictor(predictor, folders.predictor)
    return evaluation


def outcome_lines(evaluation: Evaluation) -> list[str]:
    """Return one line per metric: what is deployed, and what it was trained on."""
    return [
        f"{name}: {found['deployed']} fitted on {found['models']} models of {found['families']} families"
        for name, found in evaluation.summary["metrics"].items()
    ]
