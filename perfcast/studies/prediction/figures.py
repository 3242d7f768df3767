"""The figures about features and measurements, as plotly specifications without colours of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.pages import formatting as fmt
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import BLUE, GREEN, GREY, ORANGE, Figure, lines, markers
from perfcast.studies.prediction import labels
from perfcast.studies.prediction.calibration import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.studies.prediction.calibration import PublishedPattern
    from perfcast.studies.prediction.inputs import MetricResult, ReportData

_BAR = 22


def importance_figures(result: MetricResult, importance: pd.DataFrame) -> tuple[Figure, Figure]:
    """Return the two importances of one metric's features, both in the order of the permutation importance."""
    label = labels.metric_label(result.metric)
    ordered = importance.sort_values("mape_increase") if len(importance) else importance
    return (
        _bars(
            f"importance-splits-{result.metric}",
            f"{label}: F-score, as in the document's Figure 2",
            ordered,
            ("split_count", "Number of splits that use the feature", BLUE),
        ),
        _bars(
            f"importance-permutation-{result.metric}",
            f"{label}: permutation importance",
            ordered,
            ("mape_increase", "Error grows by, percentage points", GREEN),
        ),
    )


def _bars(key: str, title: str, rows: pd.DataFrame, value: tuple[str, str, str]) -> Figure:
    column, axis, colour = value
    if not len(rows):
        return Figure(key, title, title, missing="No feature importance was computed for this metric.")
    names = [plot_text(name) for name in rows["feature"]]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": finite(rows[column]),
        "y": names,
        "marker": {"color": colour},
        "hovertemplate": "%{y}: %{x}<extra></extra>",
    }
    top = rows.loc[rows[column].idxmax(), "feature"] if rows[column].notna().any() else fmt.MISSING
    layout = {
        "height": 110 + _BAR * len(rows),
        "xaxis": {"title": {"text": axis}, "zeroline": True},
        "yaxis": {"type": "category", "automargin": True, "dtick": 1},
        "showlegend": False,
    }
    return Figure(key, title, f"Bars, one per feature. {axis}; largest for {top}.", (trace,), layout)


def wall_process_figure(data: ReportData) -> Figure:
    """Return mean wall time against mean process time of every model (the document's Figure 9)."""
    key, title = "wall-process", f"Mean process over mean wall time, one point per {data.counted}"
    columns = ("latency_mean_ms", "process_mean_ms")
    models = _positive(data.measured, columns)
    if not len(models):
        return Figure(key, title, title, missing="No measured model has both a wall and a process time.")
    wall, process = models["latency_mean_ms"], models["process_mean_ms"]
    reach = [float(wall.min()), float(wall.max())]
    cores = sorted(
        {
            1.0,
            *(float(count) for count in models.get("threads", pd.Series(dtype=float)).dropna() if count > 0),
        }
    )
    lines = [_line(reach, ratio) for ratio in cores]
    points = markers(
        finite(wall),
        finite(process),
        {"color": BLUE, "size": 7, "opacity": 0.75},
        "%{text}<br>wall %{x}, process %{y} ms<br>%{customdata} cores busy",
        text=[plot_text(name) for name in models["label"]],
        customdata=finite(process / wall, 3),
        showlegend=False,
    )
    layout = {
        "xaxis": {"type": "log", "title": {"text": "Mean wall time, ms"}},
        "yaxis": {"type": "log", "title": {"text": "Mean process (CPU) time, ms"}},
    }
    busy = float((process / wall).median())
    count = fmt.pluralize(len(models), data.counted)
    alt = f"Scatter of process over wall time of {count}; median ratio {fmt.number(busy)}."
    caption = (
        f"The median number of busy processor cores is {fmt.number(busy)}. Above the lines, more threads ran than "
        "were requested; below 1 core, the processor waited (for an accelerator, memory, or its turn)."
    )
    return Figure(key, title, alt, (points, *lines), layout, caption)


def _line(reach: list[float], ratio: float) -> dict[str, Any]:
    look = {"color": GREY, "width": 1.5, "dash": "dash" if ratio == 1 else "dot"}
    name = fmt.pluralize(int(ratio), "core") + " busy all the time"
    return lines(finite(reach), finite([value * ratio for value in reach]), look, name=name)


def _positive(rows: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    if any(column not in rows for column in columns):
        return rows.iloc[:0]
    return rows[np.logical_and.reduce([(rows[column] > 0).to_numpy(dtype=bool) for column in columns])]


def pattern_figures(data: ReportData, examples: Mapping[str, int]) -> tuple[Figure, ...]:
    """Return the clearest example of each pattern of the document's Figures 4 to 7.

    Args:
        data: the report's data.
        examples: the dataset's row to show, by pattern.
    """
    return tuple(_pattern_figure(data, examples, pattern) for pattern in PATTERNS)


def _pattern_figure(data: ReportData, examples: Mapping[str, int], pattern: PublishedPattern) -> Figure:
    key, title = f"pattern-{pattern.key}", f"{pattern.title} ({pattern.figure})"
    if pattern.key not in examples:
        return Figure(key, title, title, missing="No model of this target shows this pattern.")
    row = data.dataset.loc[examples[pattern.key]]
    samples = np.asarray(row["wall_samples_ms"], dtype=float)
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "y": finite(samples),
        "line": {"width": 1, "color": BLUE},
        "marker": {"size": 3, "color": BLUE},
        "hovertemplate": "iteration %{x}: %{y} ms<extra></extra>",
    }
    layout = {
        "height": 240,
        "showlegend": False,
        "xaxis": {"title": {"text": "Kept iteration"}},
        "yaxis": {
            "title": {"text": "Wall time, ms"},
            "rangemode": "tozero" if pattern.key in {"high_spikes", "low_spikes"} else "normal",
        },
    }
    caption = (
        f"{row['label']}: estimated {fmt.number(row['latency_ms'])} ms ({row['trust']}), "
        f"mean {fmt.number(row['latency_mean_ms'])} ms."
    )
    alt = f"Wall time over iterations of {row['label']}: {pattern.look}."
    return Figure(key, title, alt, (trace,), layout, caption)


def repeatability_figure(result: MetricResult, pairs: pd.DataFrame) -> Figure:
    """Return how far two measurements of one model differ, over the metric's size."""
    label = labels.metric_label(result.metric)
    key, title = f"repeatability-{result.metric}", f"{label}: difference between replicates"
    if not len(pairs):
        reason = "No model was measured twice, so the noise floor is unknown so errors cannot be compared with it."
        return Figure(key, title, title, missing=reason)
    hover = "%{text}<br>%{x} " + result.unit + "<br>differs by %{y} %"
    names = [plot_text(name) for name in pairs["label"]]
    marker = {"color": ORANGE, "size": 8}
    trace = markers(finite(pairs["mean"]), finite(pairs["percent"], 3), marker, hover, text=names)
    layout = {
        "height": 320,
        "showlegend": False,
        "xaxis": {"type": "log", "title": {"text": f"Mean of the two, {result.unit}"}},
        "yaxis": {"title": {"text": "|a − b| / mean, %"}, "rangemode": "tozero"},
    }
    middle = float(pairs["percent"].median())
    return Figure(
        key,
        title,
        f"Scatter of {len(pairs)} pairs of replicates; their median difference is {fmt.percent(middle)}.",
        (trace,),
        layout,
    )
