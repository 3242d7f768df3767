"""What a page shows of each metric, whoever measured it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.fit.options import DEPLOYMENT_SCHEME
from perfcast.studies.prediction import error_figures, figures, labels, tables

if TYPE_CHECKING:
    from perfcast.pages.figures import Figure
    from perfcast.pages.tables import Table
    from perfcast.studies.prediction.inputs import MetricResult, ReportData


@dataclass(frozen=True)
class MetricView:
    """Everything the page shows of one metric.

    Attributes:
        metric, label, unit: its names.
        counted: what a prediction is of: a model, or a measurement of one.
        importance: of its features, as figures and as a table.
        predicted: what the predicted-against-measured plot draws, None without predictions.
        choices: the algorithms and schemes to choose from there.
        errors: the figures of errors.
        algorithms: algorithms by schemes.
        intervals: how often and how wide the intervals hold.
        groups: errors by family and by input size.
    """

    metric: str
    label: str
    unit: str
    counted: str
    importance: tuple[Figure, ...]
    importance_table: Table
    predicted: dict[str, Any] | None
    choices: dict[str, list[tuple[str, str]]]
    errors: tuple[Figure, ...]
    algorithms: Table
    intervals: Table
    groups: tuple[Table, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Its figures but predicted against measured, which is drawn again for each choice."""
        return (*self.importance, *self.errors)


def metric_view(data: ReportData, result: MetricResult) -> MetricView:
    """Return what a page shows of one metric."""
    importance = data.evaluation.of_metric("feature_importance", result.metric)
    predicted = error_figures.predicted_data(data, result)
    families = error_figures.deployed_errors(data, result, DEPLOYMENT_SCHEME)
    sizes = error_figures.deployed_errors(data, result, "unseen_input_size")
    ordered = importance.sort_values("mape_increase", ascending=False) if len(importance) else importance
    return MetricView(
        metric=result.metric,
        label=labels.metric_label(result.metric),
        unit=result.unit,
        counted=result.counted,
        importance=figures.importance_figures(result, importance),
        importance_table=tables.importance_table(result, ordered),
        predicted=predicted,
        choices=error_figures.predicted_choices(predicted, result) if predicted else {},
        errors=(
            error_figures.splits_figure(data, result),
            error_figures.sizes_figure(data, result),
            error_figures.family_figure(data, result),
        ),
        algorithms=tables.algorithms_table(result),
        intervals=tables.intervals_table(result),
        groups=(
            tables.group_errors_table(result, families, "family", "Family"),
            tables.group_errors_table(result, sizes, "input_size", "Input size, px"),
        ),
    )
