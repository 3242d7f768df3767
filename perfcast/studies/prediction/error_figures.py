"""The figures about errors: over splits, by family, by input size, and predicted against measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from perfcast.fit.options import DEPLOYMENT_SCHEME, SCHEMES
from perfcast.pages import formatting as fmt
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import BLUE, GREY, ORANGE, PURPLE, VERMILLION, Figure, category_styles, markers
from perfcast.studies.factor_sets import counted, varied_factors
from perfcast.studies.factor_sets import labels as labels_of
from perfcast.studies.prediction import labels

if TYPE_CHECKING:
    from perfcast.studies.prediction.inputs import MetricResult, ReportData

_ROW = 30
_LABEL = 26
_POINT = ["model", "number"]


def with_errors(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return ``predictions`` with the column `ape` in %, without rows whose error is undefined."""
    if not len(predictions):
        return pd.DataFrame(columns=["algorithm", "scheme", "model", "family", "input_size", "ape"])
    known = predictions[(predictions["measured"] > 0) & predictions["predicted"].notna()]
    ape = (known["predicted"] - known["measured"]).abs() / known["measured"] * 100
    return known.assign(ape=ape)


def deployed_errors(data: ReportData, result: MetricResult, scheme: str) -> pd.DataFrame:
    """Return the errors of the deployed algorithm under ``scheme``, in the column `ape` in %."""
    errors = with_errors(data.evaluation.of_metric("predictions", result.metric))
    return errors[(errors["algorithm"] == result.deployed) & (errors["scheme"] == scheme)]


def splits_figure(data: ReportData, result: MetricResult) -> Figure:
    """Return each algorithm's error over the published splits, best seed and held-out error marked."""
    label = labels.metric_label(result.metric)
    key, title = f"splits-{result.metric}", f"{label}: error over the random splits"
    splits = data.evaluation.of_metric("splits", result.metric)
    if not len(splits):
        return Figure(key, title, title, missing="The published protocol was not run for this metric.")
    names = [name for name in result.algorithms if (splits["algorithm"] == name).any()]
    boxes, marks = _split_boxes(splits, names), _split_marks(splits, names, result)
    layout = {
        "height": 150 + 46 * len(names),
        "xaxis": {"type": "log", "title": {"text": "MAPE, %"}},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
    }
    count = splits["split"].nunique()
    caption = (
        f"Boxes hold the middle half of {fmt.pluralize(count, 'split')}, whiskers reach from the 5th to the "
        "95th percentile. Star: the seed that the published protocol reports. Diamond: held-out families."
    )
    alt = f"Box plots of the error over {count} random splits for {', '.join(map(labels.algorithm_label, names))}."
    floor = _noise_marks(result, boxes["y"])
    return Figure(key, title, alt, (boxes, *marks, *floor), layout, caption)


def _split_boxes(splits: pd.DataFrame, names: list[str]) -> dict[str, Any]:
    shares = splits.groupby("algorithm")["mape"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).unstack().loc[names]
    return {
        "type": "box",
        "orientation": "h",
        "y": [plot_text(labels.algorithm_label(name)) for name in names],
        "lowerfence": finite(shares[0.05]),
        "q1": finite(shares[0.25]),
        "median": finite(shares[0.5]),
        "q3": finite(shares[0.75]),
        "upperfence": finite(shares[0.95]),
        "name": "all splits",
        "marker": {"color": BLUE},
        "showlegend": False,
    }


def _split_marks(splits: pd.DataFrame, names: list[str], result: MetricResult) -> list[dict[str, Any]]:
    best = splits.loc[splits.groupby("algorithm")["mape"].idxmin()].set_index("algorithm").loc[names]
    rows = [plot_text(labels.algorithm_label(name)) for name in names]
    held_out = [result.scheme(name, DEPLOYMENT_SCHEME).get("mape") for name in names]
    star, diamond = (
        {"symbol": "star", "size": 13, "color": ORANGE},
        {"symbol": "diamond", "size": 11, "color": VERMILLION},
    )
    seeds = [f"seed {seed}" for seed in best["split"]]
    honest = "leave one family out"
    return [
        markers(finite(best["mape"]), rows, star, "%{text}: %{x} %", name="best seed", text=seeds),
        markers(finite(pd.Series(held_out, dtype=float)), rows, diamond, f"{honest}: %{{x}} %", name=honest),
    ]


def family_figure(data: ReportData, result: MetricResult) -> Figure:
    """Return the leave-one-family-out error of the deployed algorithm, family by family."""
    label = labels.metric_label(result.metric)
    key, title = f"families-{result.metric}", f"{label}: error on each family when it is held out"
    errors = deployed_errors(data, result, DEPLOYMENT_SCHEME)
    if not len(errors):
        return Figure(key, title, title, missing="No leave-one-family-out predictions of the deployed algorithm.")
    means = errors.groupby("family")["ape"].mean().sort_values()
    shown = {name: f"{plot_text(name, _LABEL)} ({(errors['family'] == name).sum()})" for name in means.index}
    layout = {
        "height": 150 + _ROW * len(means),
        "xaxis": {"type": "log", "title": {"text": "Error, %"}},
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [shown[name] for name in means.index],
            "automargin": True,
            "dtick": 1,
        },
    }
    caption = f"In brackets the number of {result.counted}s. The predictor never saw the family whose error is shown."
    ends = [f"{name} at {fmt.percent(means[name])}" for name in (means.index[0], means.index[-1])]
    alt = f"Errors by family: best {ends[0]}, worst {ends[1]}."
    traces = (*_family_points(errors, means, shown), *_noise_marks(result, [shown[name] for name in means.index]))
    return Figure(key, title, alt, traces, layout, caption)


def _noise_marks(result: MetricResult, rows: list[str]) -> list[dict[str, Any]]:
    """Return the noise floor as a mark in each of ``rows``: no error below it can be distinguished from noise."""
    floor = result.repeatability().get("median")
    if not fmt.is_number(floor) or not floor:
        return []
    line = {"symbol": "line-ns-open", "color": GREY, "size": 18, "line": {"width": 2}}
    hover = "measured again: median difference %{x} %"
    return [markers(finite([floor] * len(rows)), rows, line, hover, name="noise floor")]


def _family_points(errors: pd.DataFrame, means: pd.Series, shown: dict[str, str]) -> tuple[dict[str, Any], ...]:
    points = markers(
        finite(errors["ape"].clip(lower=0.01), 3),
        [shown[name] for name in errors["family"]],
        {"color": GREY, "size": 6, "opacity": 0.6},
        "%{text}: %{x} %",
        name=f"a {counted(errors)}",
        text=[plot_text(name) for name in labels_of(errors, varied_factors(errors))],
    )
    large = {"color": VERMILLION, "size": 12, "symbol": "diamond"}
    rows = [shown[name] for name in means.index]
    return points, markers(finite(means, 3), rows, large, "%{y}: %{x} %", name="mean of the family")


def sizes_figure(data: ReportData, result: MetricResult) -> Figure:
    """Return the error of the deployed algorithm at input sizes it never saw."""
    label = labels.metric_label(result.metric)
    key, title = f"sizes-{result.metric}", f"{label}: error at each input size when it is held out"
    errors = deployed_errors(data, result, "unseen_input_size")
    if not len(errors):
        return Figure(key, title, title, missing="No predictions at unseen input sizes by the deployed algorithm.")
    groups = errors.groupby("input_size")["ape"]
    means = groups.mean().sort_index(key=lambda sizes: pd.to_numeric(sizes, errors="coerce"))
    trace = {
        "type": "bar",
        "x": [str(size) for size in means.index],
        "y": finite(means, 3),
        "text": [fmt.pluralize(int(count), result.counted) for count in groups.size()[means.index]],
        "textposition": "none",
        "marker": {"color": PURPLE},
        "hovertemplate": "%{x} px: %{y} % over %{text}<extra></extra>",
    }
    layout = {
        "height": 320,
        "showlegend": False,
        "xaxis": {"type": "category", "title": {"text": "Input size, px"}},
        "yaxis": {"title": {"text": "MAPE, %"}, "rangemode": "tozero"},
    }
    reach = f"from {fmt.percent(means.min())} to {fmt.percent(means.max())}"
    alt = f"Bars of the mean error at {len(means)} input sizes, {reach}."
    return Figure(key, title, alt, (trace,), layout)


def predicted_data(data: ReportData, result: MetricResult) -> dict[str, Any] | None:
    """Return what the page needs to draw predicted against measured for a chosen algorithm and scheme.

    None where the metric has no predictions. Names are escaped for plotly's hover text already.
    """
    rows = with_errors(data.evaluation.of_metric("predictions", result.metric))
    if not len(rows):
        return None
    # One model has several rows where factors vary, in the same order under each algorithm and scheme.
    rows = rows.assign(number=rows.groupby(["algorithm", "scheme", "model"]).cumcount())
    models = rows.drop_duplicates(_POINT).set_index(_POINT)
    styles = category_styles(list(models["family"]))
    families = list(styles)
    choices: dict[str, Any] = {}
    for (algorithm, scheme), group in rows.groupby(["algorithm", "scheme"], sort=False):
        chosen = group.set_index(_POINT).reindex(models.index)
        values = {"predicted": finite(chosen["predicted"], 4)}
        if {"lower", "upper"} <= set(chosen) and chosen["lower"].notna().any():
            values |= {bound: finite(chosen[bound], 4) for bound in ("lower", "upper")}
        choices.setdefault(str(algorithm), {})[str(scheme)] = values
    return {
        "unit": result.unit,
        "deployed": result.deployed,
        "names": [plot_text(name) for name in labels_of(models.reset_index(), varied_factors(models))],
        "family": [families.index(name) for name in models["family"]],
        "families": [{"name": plot_text(name, _LABEL), **styles[name]} for name in families],
        "measured": finite(models["measured"], 4),
        "choices": choices,
    }


def predicted_choices(values: dict[str, Any], result: MetricResult) -> dict[str, list[tuple[str, str]]]:
    """Return the algorithms and schemes to choose from, as (key, label), the one shown first in front."""
    algorithms = sorted(values["choices"], key=lambda name: name != result.deployed)
    found = {scheme for schemes in values["choices"].values() for scheme in schemes}
    order = (DEPLOYMENT_SCHEME, *(scheme for scheme in SCHEMES if scheme != DEPLOYMENT_SCHEME))
    schemes = [scheme for scheme in order if scheme in found] + sorted(found - set(order))
    return {
        "algorithms": [(name, labels.algorithm_label(name)) for name in algorithms],
        "schemes": [(name, labels.scheme_label(name)) for name in schemes],
    }
