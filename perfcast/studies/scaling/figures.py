"""The figures of a data set: correlations, box plots, and time over each factor with its thresholds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.pages import Figure
from perfcast.pages.charts import Frame, box_with_points, heatmap
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import BLUE, GREY, VERMILLION, lines
from perfcast.studies.scaling.blocks import MAX_LEVELS, blocks_of
from perfcast.studies.scaling.profiles import level_ranges
from perfcast.studies.scaling.units import unit_for
from perfcast.text import format_number

if TYPE_CHECKING:
    from perfcast.studies.scaling.analysis import Analysis
    from perfcast.studies.scaling.columns import Factor
    from perfcast.studies.scaling.correlations import Method
    from perfcast.studies.scaling.observations import Observations
    from perfcast.studies.scaling.thresholds import Thresholds

_MAX_POINTS = 1000
_MAX_LINES = 60
_TRANSPARENT = 0.35
_WIDE = 50.0
"""A linear axis would hide the least times."""
_SEED = 0


def correlation_figure(analysis: Analysis, method: Method, key: str) -> Figure:
    """Return a correlation matrix with its numbers."""
    matrix = analysis.correlations[method]
    frame = Frame(
        key,
        f"{method.capitalize()} correlations",
        "Column of the table",
        "Column of the table",
        "1: rises along exactly; 0: unrelated; -1: falls exactly.",
    )
    drawn = heatmap(frame, matrix, diverging=True, reach=1)
    last = matrix.iloc[-1, : len(analysis.observations.factors)]
    told = ", ".join(f"{name} {value:.2f}" for name, value in last.items())
    alt = f"Heatmap of {method.capitalize()} correlations; {matrix.columns[-1]} with {told}."
    return replace(drawn, alt=alt)


def box_figure(observations: Observations, factor: Factor, key: str) -> Figure:
    """Return box plots of time by level of a factor, with a point for each measurement."""
    unit = unit_for(observations)
    rows = observations.rows
    places, levels = level_ranges(rows[factor.column].to_numpy(float))
    times = rows["time"].to_numpy(float) / unit.seconds
    in_ranges = len(observations.levels(factor)) > MAX_LEVELS
    is_wide = times.max() > _WIDE * np.median(times) or np.median(times) > _WIDE * times.min()
    frame = Frame(
        key,
        f"Time by {factor.name}",
        f"{factor.axis}, ranges" if in_ranges else factor.axis,
        f"{unit.axis} (logarithmic)" if is_wide else unit.axis,
        "Box: middle half; whiskers: 1.5 times its height at most; points: single measurements.",
        "y" if is_wide else "",
    )
    names = np.array([f"{level:.3g}" if in_ranges else f"{level:.10g}" for level in levels])
    drawn = box_with_points(frame, pd.DataFrame({"time": times, "level": names[places]}), "time", "level")
    middles = [float(np.median(times[places == place])) for place in range(len(levels))]
    told = ", ".join(f"{format_number(at)}: {format_number(value)}" for at, value in zip(levels, middles, strict=True))
    alt = f"Box plots of time by {factor.name}; medians {told}{' ' + unit.name if unit.name else ''}."
    return replace(drawn, alt=alt)


def curve_figure(observations: Observations, found: Thresholds, key: str) -> Figure:
    """Return time over a factor on logarithmic axes: single combinations, what is typical, and thresholds."""
    unit, factor = unit_for(observations), found.curve.factor
    profile = found.curve
    middles = [float(np.exp(np.mean(logs))) / unit.seconds for logs in profile.logs]
    typical = lines(
        finite(profile.levels),
        finite(middles),
        {"color": BLUE, "width": 3},
        mode="lines+markers",
        name="geometric mean",
        marker={"color": BLUE, "size": 8},
        hovertemplate=f"{plot_text(factor.label)} %{{x}}: %{{y:.3g}}<extra></extra>",
    )
    layout = {
        "showlegend": False,
        "xaxis": {"type": "log", "title": {"text": f"{factor.axis} (logarithmic)"}},
        "yaxis": {"type": "log", "title": {"text": f"{unit.axis} (logarithmic)"}},
        "shapes": [shape for each in found.breaks for shape in _marked(each.level, each.low, each.high)],
    }
    told = "; ".join(
        f"the exponent changes from {each.before:.2f} to {each.after:.2f} at {format_number(each.level)}"
        for each in found.breaks
    )
    alt = f"Time over {factor.name}, both logarithmic; {told or 'no threshold found'}."
    adjusted = ", without what the other factors explain" if profile.replicates == "independent" else ""
    caption = f"Grey: single combinations of the other factors; blue: their geometric mean{adjusted}."
    if found.breaks:
        caption += " Vermilion line and band: threshold and its 95 % interval."
    traces = (*_combinations(observations, factor, unit.seconds), typical)
    return Figure(key, f"Scaling with {factor.name}", alt, traces, layout, caption)


def _combinations(observations: Observations, factor: Factor, seconds: float) -> tuple[dict[str, Any], ...]:
    """Return a line per combination of the other factors; points where there are many."""
    if len(observations.levels(factor)) <= MAX_LEVELS:
        blocks = blocks_of(observations, factor)
        if len(blocks.logs) <= _MAX_LINES:
            look = {"color": GREY, "width": 1}
            times = np.exp(blocks.logs) / seconds
            return tuple(lines(finite(blocks.levels), finite(each), look, opacity=0.6) for each in times)
    cells = observations.cells
    if len(cells) > _MAX_POINTS:
        cells = cells.sample(_MAX_POINTS, random_state=_SEED)
    places, times = finite(cells[factor.column]), finite(np.exp(cells["log_time"].to_numpy(float)) / seconds)
    return (lines(places, times, {}, mode="markers", marker={"color": GREY, "size": 4, "opacity": _TRANSPARENT}),)


def _marked(level: float, low: float, high: float) -> list[dict[str, Any]]:
    """Return the line at a threshold and the band of its interval."""
    over_all = {"yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    colour = VERMILLION
    line = {"type": "line", "x0": level, "x1": level, "line": {"color": colour, "width": 2}}
    band = {"type": "rect", "x0": low, "x1": high, "fillcolor": colour, "opacity": 0.18, "line": {"width": 0}}
    return [over_all | band, over_all | line]
