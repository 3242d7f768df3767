"""The report of a target: one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.pages import Page
from perfcast.pages.formatting import words
from perfcast.studies.prediction import campaign_figures, figures, model_tables, series, tables, trust
from perfcast.studies.prediction.calibration import SOURCE
from perfcast.studies.prediction.cautions import cautions
from perfcast.studies.prediction.energy import energy_figures, front_table, power_sentence
from perfcast.studies.prediction.environments import environment_view
from perfcast.studies.prediction.facts import facts
from perfcast.studies.prediction.inputs import UNFITTED_METRICS, ReportData, read_inputs
from perfcast.studies.prediction.machine import drift_view, machine_notes
from perfcast.studies.prediction.metrics import metric_view
from perfcast.studies.prediction.summary import headline, measured_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from perfcast.fit.evaluation import Evaluation
    from perfcast.pages import Figure, Table


def report_page(
    dataset: pd.DataFrame,
    evaluation: Evaluation,
    environments: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any] | None,
    *,
    target: str,
    title: str | None = None,
) -> Page:
    """Return the report of one target.

    Args:
        dataset: the target's dataset, failed measurements and replicates included.
        evaluation: the target's evaluation tables; `Evaluation()` where nothing was fitted.
        environments: the content of each environment file by its digest.
        manifest: the predictor's `manifest.json`, None where nothing was fitted.
        target: the target's name.
        title: the page's title; made of the target where not given.

    Raises:
        DataError: the dataset lacks a column that the report cannot do without.
    """
    data = read_inputs(dataset, evaluation, environments, manifest, target)
    samples = series.sample_browser(data)
    examples = series.pattern_examples(data)
    visits = series.visit_table(data.dataset)
    shown = _figures(data, examples, visits)
    return prediction_page(
        "measured.html.j2",
        title or f"{target}: measured and predicted",
        data,
        [figure for figures in shown.values() for figure in figures],
        samples.series,
        cautions=cautions(data.dataset),
        measured=measured_sentence(data.dataset),
        samples=samples,
        shown=shown,
        tables=_tables(data, examples, samples.positions),
        filters=[(key, words(key)) for key in ("family", "status", "trust", "pattern", *data.varied)],
        trust=trust.trust_sentence(data.dataset),
        notes={"samples": trust.trust_notes(data), "cost": trust.cost_notes(data)},
        drift=drift_view(visits),
        machine=machine_notes(data.dataset, visits),
        includes=sorted(set(data.dataset["includes"].dropna())),
        environment=environment_view(data),
        power=power_sentence(data.dataset),
    )


def prediction_page(
    template: str,
    title: str,
    data: ReportData,
    others: Iterable[Figure] = (),
    packed_series: Sequence[Any] = (),
    **content: Any,
) -> Page:
    """Return a page about what was predicted.

    Args:
        template: its file, which extends `prediction.html.j2`.
        title: its heading.
        data: what it is made of.
        others: figures besides those of the metrics.
        packed_series: those of the sample browser.
        content: what else the template asks for.
    """
    metrics = [metric_view(data, result) for result in data.metrics]
    answers = {
        "data": data,
        "source": SOURCE,
        "metrics": metrics,
        "headlines": [headline(result) for result in data.metrics],
    }
    return Page(
        title,
        facts=tuple(facts(data)),
        package=__package__,
        template=template,
        scripts=("prediction.js",),
        content=answers | content,
        others=(*others, *(figure for view in metrics for figure in view.figures)),
        embedded={
            "predicted": {view.metric: view.predicted for view in metrics if view.predicted},
            "samples": packed_series,
        },
    )


def _figures(data: ReportData, examples: Mapping[str, int], visits: pd.DataFrame) -> dict[str, tuple[Figure, ...]]:
    return {
        "patterns": figures.pattern_figures(data, examples),
        "trust": (campaign_figures.interval_figure(data), campaign_figures.mean_figure(data)),
        "wall_process": (figures.wall_process_figure(data),),
        "energy": energy_figures(data),
        "repeatability": tuple(
            figures.repeatability_figure(result, series.replicate_pairs(data, result))
            for result in data.metrics or UNFITTED_METRICS
        ),
        "campaign": (
            campaign_figures.reference_figure(data, visits),
            *(campaign_figures.state_figure(data, visits, column) for column in ("temperature_c", "cpu_mhz")),
        ),
    }


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
        "front": front_table(data),
        "largest": model_tables.extremes_table(data, "The largest in memory", "ram_run_peak_mb", "RAM inferring, MB"),
    }
