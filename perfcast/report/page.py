"""The report: one HTML page that opens anywhere, offline."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from perfcast.fit.options import DEPLOYMENT_SCHEME
from perfcast.report import campaign_figures, error_figures, figures, model_tables, series, tables, trust
from perfcast.report import formatting as fmt
from perfcast.report.contexts import context_view
from perfcast.report.embed import embedded_json
from perfcast.report.inputs import (
    FACTORS,
    UNFITTED_METRICS,
    MetricResult,
    ReportData,
    read_inputs,
)
from perfcast.report.machine import drift_view, machine_notes
from perfcast.report.reference import SOURCE
from perfcast.report.summary import headline, measured_sentence
from perfcast.storage import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from perfcast.fit.evaluation import Evaluation
    from perfcast.report.figures import Figure
    from perfcast.report.tables import Table


_FACTS = {"clock_mhz": "clock, MHz", "weights_as": "weights as"}
_MANIFEST = ("created_at", "perfcast_version", "training_digest")
_DIGEST = 12


@dataclass(frozen=True)
class MetricView:
    """Everything the page shows of one metric.

    Attributes:
        metric, label, unit: its names.
        ranking: its feature rankings, as figures and as a table.
        predicted: what the predicted-against-measured plot draws, None without predictions.
        choices: the algorithms and schemes to choose from there.
        errors: the figures of errors.
        algorithms: algorithms by schemes.
        groups: errors by family and by input size.
    """

    metric: str
    label: str
    unit: str
    ranking: tuple[Figure, ...]
    ranking_table: Table
    predicted: dict[str, Any] | None
    choices: dict[str, list[tuple[str, str]]]
    errors: tuple[Figure, ...]
    algorithms: Table
    groups: tuple[Table, ...]


def render_report(
    dataset: pd.DataFrame,
    evaluation: Evaluation,
    contexts: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any] | None,
    *,
    target: str,
    title: str | None = None,
) -> str:
    """Return the report of one target as a self-contained HTML page.

    Args:
        dataset: the target's dataset, failed measurements and replicates included.
        evaluation: the target's evaluation tables; `Evaluation()` where nothing was fitted.
        contexts: the content of each context file by its digest.
        manifest: the predictor's `manifest.json`, None where nothing was fitted.
        target: the target's name.
        title: the page's title; made of the target where not given.

    Raises:
        DataError: the dataset lacks a column that the report cannot do without.
    """
    data = read_inputs(dataset, evaluation, contexts, manifest, target)
    page = _environment().get_template("report.html.j2")
    text = page.render(title=title or f"{target}: measured and forecast", data=data, source=SOURCE, **_content(data))
    # A lone surrogate, which a name read from a file system can hold, has no UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def _content(data: ReportData) -> dict[str, Any]:
    metrics = tuple(_metric_view(data, result) for result in data.metrics)
    samples = series.sample_browser(data)
    examples = series.pattern_examples(data)
    visits = series.visit_table(data.dataset)
    shown = _figures(data, examples, visits)
    return {
        "facts": _facts(data),
        "measured": measured_sentence(data.dataset),
        "headlines": [headline(result) for result in data.metrics],
        "metrics": metrics,
        "samples": samples,
        "figures": shown,
        "tables": _tables(data, examples, samples.positions),
        "trust": trust.trust_sentence(data.dataset),
        "notes": {"samples": trust.trust_notes(data), "cost": trust.cost_notes(data)},
        "drift": drift_view(visits),
        "machine": machine_notes(data.dataset, visits),
        "includes": sorted(set(data.dataset["includes"].dropna())),
        "context": context_view(data),
        "css": _own("report.css"),
        "script": _own("report.js"),
        "plotly": Markup(get_plotlyjs()),
        "embedded": _embedded(metrics, shown, samples),
    }


def _figures(data: ReportData, examples: Mapping[str, int], visits: pd.DataFrame) -> dict[str, Any]:
    return {
        "patterns": figures.pattern_figures(data, examples),
        "trust": (campaign_figures.interval_figure(data), campaign_figures.mean_figure(data)),
        "wall_process": figures.wall_process_figure(data),
        "repeatability": tuple(
            figures.repeatability_figure(result, series.replicate_pairs(data, result))
            for result in data.metrics or UNFITTED_METRICS
        ),
        "campaign": (
            campaign_figures.reference_figure(data, visits),
            *(campaign_figures.state_figure(data, visits, column) for column in ("temperature_c", "cpu_mhz")),
        ),
    }


def write_report(path: str | Path, html: str) -> None:
    """Write the page ``html`` to ``path``; a page that exists is whole.

    Raises:
        StoreError: the folder cannot be written.
    """
    write_text(path, html)


def _metric_view(data: ReportData, result: MetricResult) -> MetricView:
    ranking = data.evaluation.of_metric("ranking", result.metric)
    predicted = error_figures.predicted_data(data, result)
    families = error_figures.deployed_errors(data, result, DEPLOYMENT_SCHEME)
    sizes = error_figures.deployed_errors(data, result, "unseen_input_size")
    ordered = ranking.sort_values("permutation_mape", ascending=False) if len(ranking) else ranking
    return MetricView(
        metric=result.metric,
        label=fmt.metric_label(result.metric),
        unit=result.unit,
        ranking=figures.ranking_figures(result, ranking),
        ranking_table=tables.ranking_table(result, ordered),
        predicted=predicted,
        choices=error_figures.predicted_choices(predicted, result) if predicted else {},
        errors=(
            error_figures.splits_figure(data, result),
            error_figures.sizes_figure(data, result),
            error_figures.family_figure(data, result),
        ),
        algorithms=tables.algorithms_table(result),
        groups=(
            tables.group_errors_table(result, families, "family", "Family"),
            tables.group_errors_table(result, sizes, "input_size", "Input size, px"),
        ),
    )


def _tables(data: ReportData, examples: Mapping[str, int], positions: Mapping[int, int]) -> dict[str, Table]:
    return {
        "results": tables.results_table(data),
        "ranges": tables.ranges_table(data),
        "patterns": model_tables.patterns_table(data, examples),
        "trust": trust.trust_table(data),
        "doubtful": trust.doubtful_table(data),
        "noise": tables.noise_table(data),
        "models": model_tables.models_table(data, positions),
        "failed": model_tables.failed_table(data),
        "slowest": model_tables.extremes_table(data, "The slowest", "latency_ms", "Latency, ms"),
        "largest": model_tables.extremes_table(
            data, "The largest in memory", "ram_inference_peak_mb", "RAM inferring, MB"
        ),
    }


def _facts(data: ReportData) -> list[tuple[str, str]]:
    """Return the target's fixed settings as (name, value); a factor that varies lists its values."""
    facts = []
    for name in ("device", *FACTORS, "protocol"):
        values = data.dataset[name].dropna().unique() if name in data.dataset else ()
        if len(values):
            facts.append((_FACTS.get(name, name.replace("_", " ")), ", ".join(map(_fact, values))))
    if data.manifest:
        known = {name: str(data.manifest.get(name) or fmt.MISSING) for name in _MANIFEST}
        facts.append(("predictor made", known["created_at"].replace("T", " ").replace("+00:00", " UTC")))
        facts.append(("by perfcast", known["perfcast_version"]))
        facts.append(("learned from data with digest", known["training_digest"][:_DIGEST]))
    return facts


def _fact(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _embedded(
    metrics: tuple[MetricView, ...], shown: Mapping[str, Any], samples: series.SampleBrowser
) -> dict[str, Markup]:
    drawn = {figure.key: {"data": figure.traces, "layout": figure.layout} for figure in _drawn(metrics, shown)}
    predicted = {view.metric: view.predicted for view in metrics if view.predicted}
    return {
        "figures": embedded_json(drawn),
        "predicted": embedded_json(predicted),
        "samples": embedded_json(samples.series),
    }


def _drawn(metrics: tuple[MetricView, ...], shown: Mapping[str, Any]) -> Iterator[Figure]:
    every = [*shown["patterns"], *shown["trust"], *shown["repeatability"], *shown["campaign"], shown["wall_process"]]
    for view in metrics:
        every += [*view.ranking, *view.errors]
    return (figure for figure in every if not figure.missing)


def _own(name: str) -> Markup:
    # Read, not included: a template engine would take braces of CSS and JavaScript for its own.
    return Markup((resources.files("perfcast.report") / "templates" / name).read_text(encoding="utf-8"))


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("perfcast.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
