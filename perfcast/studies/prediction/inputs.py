"""What the report reads: the tables of the data model, checked once and split by sections of the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from perfcast.dataset.columns import VISIT_LISTS
from perfcast.errors import DataError
from perfcast.fit.options import BASELINES, DEPLOYMENT_SCHEME
from perfcast.studies.factor_sets import counted, labels, varied_factors

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.fit.evaluation import Evaluation

_REQUIRED = (
    *("model", "family", "input_size", "replicate", "status", "protocol", "includes"),
    *("latency_ms", "latency_low_ms", "latency_high_ms", "latency_mean_ms", "trust", "trust_reason", "pattern"),
    *("warmup", "normality_p", "proven_outliers", "outlier_gain_percent"),
    *("wall_samples_ms", "throttled", "swapped_pages"),
    *("reason", "unmeasured_peak_mb", "latency_std_ms", "others_cpus"),
    *("visits", "disturbed_visits", "runs", "iterations", "timed_s", "overhead_s", *VISIT_LISTS),
)


@dataclass(frozen=True)
class MetricResult:
    """What `summary.json` says of one metric; every number may be missing.

    Attributes:
        metric: its name, as in the evaluation tables.
        values: its part of the summary.
        interval: the share of predictions that the predictor's intervals should hold.
    """

    metric: str
    values: Mapping[str, Any]
    interval: float = 0.9

    @property
    def unit(self) -> str:
        """The unit of measured and predicted values, `ms` or `MB`."""
        return str(self.values.get("unit") or "")

    @property
    def column(self) -> str:
        """The dataset's column that holds the measured values."""
        return str(self.values.get("column") or "")

    @property
    def counted(self) -> str:
        """What was predicted: a `model`, or a `measurement` of one where factors vary."""
        return "model" if self.values.get("rows") == self.values.get("models") else "measurement"

    @property
    def deployed(self) -> str | None:
        """The algorithm in the predictor folder, None where none was fitted."""
        return self.values.get("deployed")

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms with results, baselines last."""
        known = list(self.values.get("algorithms") or {})
        return tuple(sorted(known, key=lambda name: name in BASELINES))

    def published(self, algorithm: str | None) -> Mapping[str, Any]:
        """Return the accuracies of ``algorithm`` under the published protocol, empty where there are none."""
        return self._of(algorithm).get("published") or {}

    def scheme(self, algorithm: str | None, scheme: str) -> Mapping[str, Any]:
        """Return the errors of ``algorithm`` under ``scheme``, empty where there are none."""
        return self._of(algorithm).get(scheme) or {}

    def held_out(self) -> Mapping[str, Any]:
        """Return the leave-one-family-out errors of the deployed algorithm."""
        return self.scheme(self.deployed, DEPLOYMENT_SCHEME)

    def chosen(self) -> Mapping[str, Any]:
        """Return the errors on families that had no say in the choice of the algorithm either."""
        return self.values.get("chosen_without_family") or {}

    def best_published(self) -> str | None:
        """Return the algorithm with the best accuracy over all splits, None where no splits were made."""
        found = {name: self.published(name).get("best_accuracy") for name in self.algorithms}
        scored = {name: value for name, value in found.items() if value is not None}
        return max(scored, key=lambda name: scored[name]) if scored else None

    def repeatability(self) -> Mapping[str, Any]:
        """Return `median` and `p95` of the replicates' difference in %, empty without replicates."""
        return self.values.get("repeatability_percent") or {}

    def _of(self, algorithm: str | None) -> Mapping[str, Any]:
        return (self.values.get("algorithms") or {}).get(algorithm) or {}


UNFITTED_METRICS = (
    MetricResult("latency_ms", {"unit": "ms", "column": "latency_ms"}),
    MetricResult("ram_mb", {"unit": "MB", "column": "ram_run_peak_mb"}),
)
"""What is said of repeatability where nothing was fitted."""


@dataclass(frozen=True)
class ReportData:
    """All that the page is made of.

    Attributes:
        target: the target's name.
        dataset: every measurement, with a `label` that distinguishes a model's factor sets.
        noise_floor: how far repeated measurements differ, by column: `median` and `p95` in %, and `pairs`.
        evaluation: the tables of the evaluation folder.
        metrics: one result a metric, in the summary's order.
        environments: the environment of each digest.
        manifest: the predictor's manifest, None where nothing was fitted.
    """

    target: str
    dataset: pd.DataFrame
    noise_floor: Mapping[str, Mapping[str, float]]
    evaluation: Evaluation
    metrics: tuple[MetricResult, ...]
    environments: Mapping[str, Mapping[str, Any]]
    manifest: Mapping[str, Any] | None

    @cached_property
    def first(self) -> pd.DataFrame:
        """The measurements that repeat none (replicate 0), failed ones included."""
        return self.dataset[self.dataset["replicate"] == 0]

    @cached_property
    def measured(self) -> pd.DataFrame:
        """The successful measurements of replicate 0, whatever their trust."""
        return self.first[self.first["status"] == "measured"]

    @cached_property
    def failed(self) -> pd.DataFrame:
        """The measurements of replicate 0 without a valid number."""
        return self.first[self.first["status"] != "measured"]

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The factors that the target varies."""
        return varied_factors(self.dataset)

    @property
    def counted(self) -> str:
        """What a row of the dataset is: a `model`, or a `measurement` of one where factors vary."""
        return counted(self.dataset)


def read_inputs(
    dataset: pd.DataFrame,
    evaluation: Evaluation,
    environments: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any] | None,
    target: str,
) -> ReportData:
    """Check the tables and return them ready for the page.

    Raises:
        DataError: the dataset lacks a column that the report cannot do without.
    """
    lacking = [name for name in _REQUIRED if name not in dataset]
    if lacking:
        raise DataError(f"dataset of target {target}: no column {', '.join(lacking)}")
    labelled = dataset.assign(label=labels(dataset, varied_factors(dataset))).reset_index(drop=True)
    floor = dataset.attrs.get("noise_floor") or {}
    return ReportData(target, labelled, floor, evaluation, metric_results(evaluation), environments, manifest)


def metric_results(evaluation: Evaluation) -> tuple[MetricResult, ...]:
    """Return the summary's metrics."""
    metrics = evaluation.summary.get("metrics") or {}
    interval = float(evaluation.summary.get("interval") or MetricResult.interval)
    return tuple(MetricResult(name, values, interval) for name, values in metrics.items())
