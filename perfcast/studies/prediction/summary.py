"""The answer in words: the cards at the page's head and the six lines of `summary.txt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.fit.options import BASELINES, COVERAGE_SLACK, DEPLOYMENT_SCHEME
from perfcast.pages import formatting as fmt
from perfcast.studies.factor_sets import varied_factors
from perfcast.studies.prediction import labels
from perfcast.studies.prediction.cautions import cautions
from perfcast.studies.prediction.energy import power_sentence
from perfcast.studies.prediction.inputs import UNFITTED_METRICS, metric_results
from perfcast.studies.prediction.machine import drift_view
from perfcast.studies.prediction.series import visit_table
from perfcast.studies.prediction.trust import trust_sentence
from perfcast.text import format_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.fit.evaluation import Evaluation
    from perfcast.studies.prediction.inputs import MetricResult


_EXCLUDED = {
    "not_measured": "not measured",
    "rejected": "not to be trusted",
    "no_value": "without a value",
    "not_positive": "not above zero",
    "not_drawn": "not drawn",
}


@dataclass(frozen=True)
class Headline:
    """One metric's answer.

    Attributes:
        label: the metric.
        error: the error, in large print: on families that had no say in the choice of the algorithm.
        lines: what else to know, in plain words, the most important first.
        warnings: what a reader must not overlook.
    """

    label: str
    error: str
    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def headline(result: MetricResult) -> Headline:
    """Return the answer for one metric, saying what is missing where something is."""
    label = labels.metric_label(result.metric)
    if not result.deployed:
        return Headline(label, fmt.MISSING, ("No predictor was fitted for this metric.",), ())
    lines = (
        _held_out_line(result),
        _deployed_line(result),
        _published_line(result),
        _noise_line(result),
        _interval_line(result),
        _baseline_line(result),
        _learned_line(result),
    )
    return Headline(label, fmt.percent(result.chosen().get("mape")), lines, tuple(_warnings(result)))


def _held_out_line(result: MetricResult) -> str:
    chosen = result.chosen()
    if not fmt.is_number(chosen.get("mape")):
        return "The error on families held out of the choice of algorithm was not evaluated."
    error, middle = fmt.percent(chosen["mape"]), fmt.percent(chosen.get("median_ape"))
    return (
        f"On a family held out of both training and the choice of algorithm, the mean error is {error}"
        f"{_interval(chosen)}, the median error {middle}."
    )


def _deployed_line(result: MetricResult) -> str:
    held_out, name = result.held_out(), labels.algorithm_label(result.deployed)
    if not fmt.is_number(held_out.get("mape")):
        return f"Deployed: {name}. Its error on held-out families was not evaluated."
    error = f"{fmt.percent(held_out['mape'])}{_interval(held_out)}"
    return (
        f"Deployed: {name}. Its own error on held-out families, {error}, is optimistic, since it was used to choose it."
    )


def _interval(errors: Mapping[str, Any]) -> str:
    if not fmt.is_number(errors.get("mape_low")):
        return ""
    return f" (95 % interval {fmt.span(errors['mape_low'], errors.get('mape_high'))} %)"


def _published_line(result: MetricResult) -> str:
    best, own = result.best_published(), result.published(result.deployed)
    if best is None:
        return "The published protocol (best of many random splits) was not run."
    highest = f"{labels.algorithm_label(best)} with {labels.accuracy(result.published(best)['best_accuracy'])}"
    if not fmt.is_number(own.get("best_accuracy")):
        return f"The published protocol was not run for it; of those it was run for, the best is {highest}."
    top, middle = labels.accuracy(own["best_accuracy"]), labels.accuracy(own.get("median_accuracy"))
    text = f"Its accuracy by the published protocol is {top} in the best random split, "
    text += f"its median over all splits {middle}."
    return text if best == result.deployed else f"{text} The best of all is {highest}."


def _noise_line(result: MetricResult) -> str:
    noise = result.repeatability()
    if not fmt.is_number(noise.get("median")):
        return "Repeatability is unknown: no model was measured twice."
    return (
        f"Measuring the same model again gives a median difference of {fmt.percent(noise['median'])}, "
        f"{fmt.percent(noise.get('p95'))} at the 95th percentile: errors near that are mostly noise."
    )


def _interval_line(result: MetricResult) -> str:
    coverage: Any = result.values.get("interval_coverage")
    width = result.values.get("interval_width_factor")
    if not fmt.is_number(coverage):
        return "The coverage of its intervals was not evaluated."
    reach = f"; their median width is a factor of {fmt.number(width)}" if fmt.is_number(width) else ""
    promised, share = fmt.percent(100 * result.interval, 2), fmt.percent(float(coverage) * 100)
    return f"Its {promised} intervals contain the measured value in {share} of the cases{reach}."


def _baseline_line(result: MetricResult) -> str:
    errors = [
        f"{labels.algorithm_label(name)} {fmt.percent(mape)}"
        for name in BASELINES
        if fmt.is_number(mape := result.scheme(name, DEPLOYMENT_SCHEME).get("mape"))
    ]
    return f"For comparison, on held-out families: {', '.join(errors)}." if errors else "No baseline was evaluated."


def _learned_line(result: MetricResult) -> str:
    excluded = result.values.get("excluded") or {}
    left_out = ", ".join(f"{count:,} {_EXCLUDED.get(why, why)}" for why, count in excluded.items() if count)
    learned = f"Trained on {fmt.pluralize(int(result.values.get('rows') or 0), 'measurement')}"
    return f"{learned}; excluded: {left_out}." if left_out else f"{learned}."


def _warnings(result: MetricResult) -> list[str]:
    found = []
    held_out: Any = result.chosen().get("mape")
    for name in BASELINES:
        mape: Any = result.scheme(name, DEPLOYMENT_SCHEME).get("mape")
        if fmt.is_number(held_out) and fmt.is_number(mape) and float(mape) <= float(held_out):
            found.append(
                f"{labels.algorithm_label(name)} does no worse than the chosen algorithm on held-out families."
            )
    coverage: Any = result.values.get("interval_coverage")
    if fmt.is_number(coverage) and float(coverage) < result.interval - COVERAGE_SLACK:
        found.append("The intervals contain the measured value less often than their nominal level.")
    if result.values.get("interval_guaranteed") is False:
        found.append("Too few families were measured for reliable intervals.")
    return found


def measured_sentence(dataset: pd.DataFrame) -> str:
    """Return how many models were measured, how many failed and how often some were repeated."""
    first = dataset[dataset["replicate"] == 0]
    good = int((first["status"] == "measured").sum())
    repeated = int((dataset.loc[dataset["replicate"] > 0, "status"] == "measured").sum())
    families = first.loc[first["status"] == "measured", "family"].nunique()
    text = f"{fmt.pluralize(good, 'model')} measured"
    if varied := varied_factors(dataset):
        sets = dataset[list(varied)].drop_duplicates()
        models = first.loc[first["status"] == "measured", "model"].nunique()
        text = f"{fmt.pluralize(good, 'measurement')} of {fmt.pluralize(models, 'model')} under "
        kind = "combination" if len(varied) > 1 else "value"
        text += f"{fmt.pluralize(len(sets), kind)} of {format_list([*varied], len(varied))}"
    text += f" in {fmt.pluralize(families, 'family', 'families')}" if families else ""
    return f"{text}, {len(first) - good:,} failed, {repeated:,} measured again"


def summary_lines(dataset: pd.DataFrame, evaluation: Evaluation) -> list[str]:
    """Return a target's summary: what was measured, trust, repeatability, power, errors; without line ends."""
    errors = metric_lines(evaluation) or ["errors: nothing was fitted"]
    trusted = f"trust: {trust_sentence(dataset)}; {drift_view(visit_table(dataset)).short}"
    power = f"power: {power_sentence(dataset)}"
    noise = _repeatability(dataset, evaluation)
    lines = [*cautions(dataset), measured_sentence(dataset), trusted, noise, power, *errors]
    # Terminals and grep want the plain space.
    return [line.replace(fmt.SPACE, " ") for line in lines]


def metric_lines(evaluation: Evaluation) -> list[str]:
    """Return one line per metric: what is deployed, its error on held-out families, and the published protocol's."""
    return [_metric_line(result).replace(fmt.SPACE, " ") for result in metric_results(evaluation)]


def _repeatability(dataset: pd.DataFrame, evaluation: Evaluation) -> str:
    floors = dataset.attrs.get("noise_floor") or {}
    fitted = [(result, result.repeatability()) for result in metric_results(evaluation)]
    noises = fitted or [(result, floors.get(result.column) or {}) for result in UNFITTED_METRICS]
    known = [
        f"{_plain(result)} {fmt.percent(noise['median'])} (95th percentile {fmt.percent(noise.get('p95'))})"
        for result, noise in noises
        if fmt.is_number(noise.get("median"))
    ]
    if known:
        return f"repeatability, median difference: {', '.join(known)}"
    again = dataset[dataset["replicate"] > 0]
    why = (
        "no model was measured twice" if again.empty else f"none of {fmt.pluralize(len(again), 'repetition')} is valid"
    )
    return f"repeatability: unknown, {why}"


def _metric_line(result: MetricResult) -> str:
    chosen = result.chosen()
    best = result.best_published()
    published = "published protocol not run"
    if best is not None:
        highest = labels.accuracy(result.published(best)["best_accuracy"])
        published = f"published best accuracy {highest} ({labels.algorithm_label(best)})"
    if not result.deployed:
        return f"{_plain(result)}: no algorithm deployed; {published}"
    error = f"{fmt.percent(chosen.get('mape'))} error on held-out families, the choice of algorithm included"
    error += _interval(chosen)
    return f"{_plain(result)}: {labels.algorithm_label(result.deployed)}, {error}; {published}"


def _plain(result: MetricResult) -> str:
    label = labels.metric_label(result.metric)
    return label[:1].lower() + label[1:]
