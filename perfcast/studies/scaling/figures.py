"""The figures of a data set: correlations, box plots, and time over each factor with its thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.pages import Figure
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import COLOURS, GREY, markers
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

_MAX_POINTS = 2000
"""Of a box plot; a page with more is slow."""
_MAX_LINES = 60
_TRANSPARENT = 0.35
_JITTER = 0.2
_SEED = 0
_BLUE_TO_RED = (
    (0.0, "#2166ac"),
    (0.25, "#92c5de"),
    (0.5, "#f7f7f7"),
    (0.75, "#f4a582"),
    (1.0, "#b2182b"),
)
"""ColorBrewer's RdBu, which people of all colour visions can read."""


def heatmap(analysis: Analysis, method: Method, key: str) -> Figure:
    """Return a correlation matrix with its numbers."""
    matrix = analysis.correlations[method]
    names = [plot_text(name, 18) for name in matrix]
    values = matrix.to_numpy(float)
    trace = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": [finite(row) for row in values],
        "text": [[_two_digits(value) for value in row] for row in values],
        "texttemplate": "%{text}",
        "zmin": -1,
        "zmax": 1,
        "colorscale": [list(step) for step in _BLUE_TO_RED],
        "colorbar": {"title": {"text": "Correlation", "side": "right"}, "thickness": 12, "tickvals": [-1, 0, 1]},
        "hovertemplate": "%{y} and %{x}: %{z:.3f}<extra></extra>",
        "xgap": 1,
        "ygap": 1,
    }
    layout = {
        "height": 400,
        "xaxis": {"tickangle": -40, "title": {"text": "Column"}},
        "yaxis": {"autorange": "reversed", "title": {"text": "Column"}},
    }
    last = matrix.iloc[-1, : len(analysis.observations.factors)]
    told = ", ".join(f"{name} {value:.2f}" for name, value in last.items())
    alt = f"Heat map of {method.capitalize()} correlations; {matrix.columns[-1]} with {told}."
    title = f"{method.capitalize()} correlations"
    return Figure(key, title, alt, (trace,), layout, "1: rises along exactly; 0: unrelated; -1: falls exactly.")


def _two_digits(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def box_plot(observations: Observations, factor: Factor, key: str) -> Figure:
    """Return box plots of time by level of a factor, with a point for each measurement."""
    unit = unit_for(observations)
    rows = observations.rows
    places, levels = level_ranges(rows[factor.column].to_numpy(float))
    times = rows["time"].to_numpy(float) / unit.seconds
    shown = np.ones(len(rows), bool)
    if len(rows) > _MAX_POINTS:
        shown[np.random.default_rng(_SEED).permutation(len(rows))[_MAX_POINTS:]] = False
    is_wide = times.max() > 50 * np.median(times) or np.median(times) > 50 * times.min()
    traces = (_boxes([times[places == place] for place in range(len(levels))]), _points(places[shown], times[shown]))
    title = f"{factor.axis}, ranges" if len(observations.levels(factor)) > MAX_LEVELS else factor.axis
    layout = {
        "showlegend": False,
        "xaxis": {
            "title": {"text": title},
            "tickvals": list(range(len(levels))),
            "ticktext": [format_number(level) for level in levels],
            "range": [-0.6, len(levels) - 0.4],
        },
        "yaxis": {"title": {"text": unit.axis}, "rangemode": "tozero"} | ({"type": "log"} if is_wide else {}),
    }
    middles = [float(np.median(times[places == place])) for place in range(len(levels))]
    told = ", ".join(f"{format_number(at)}: {format_number(value)}" for at, value in zip(levels, middles, strict=True))
    alt = f"Box plots of time by {factor.name}; medians {told}{' ' + unit.name if unit.name else ''}."
    caption = "Box: middle half; whiskers: 1.5 times its height at most; points: single measurements."
    return Figure(key, f"Time by {factor.name}", alt, traces, layout, caption)


def _boxes(groups: list[np.ndarray]) -> dict[str, Any]:
    """Return boxes of all times: only points are a sample where there are many."""
    quarters = np.array([np.percentile(times, [25, 50, 75]) for times in groups])
    reach = 1.5 * (quarters[:, 2] - quarters[:, 0])
    inside = [
        times[(times >= q1 - far) & (times <= q3 + far)]
        for times, (q1, _, q3), far in zip(groups, quarters, reach, strict=True)
    ]
    return {
        "type": "box",
        "x": list(range(len(groups))),
        "q1": finite(quarters[:, 0]),
        "median": finite(quarters[:, 1]),
        "q3": finite(quarters[:, 2]),
        "lowerfence": finite([times.min() for times in inside]),
        "upperfence": finite([times.max() for times in inside]),
        "fillcolor": "rgba(59,125,216,0.25)",
        "line": {"color": COLOURS[0]},
        "hoverinfo": "y",
    }


def _points(places: np.ndarray, times: np.ndarray) -> dict[str, Any]:
    """Return a point per measurement, set apart sideways so that few hide another."""
    apart = np.random.default_rng(_SEED).uniform(-_JITTER, _JITTER, len(places))
    marker = {"color": COLOURS[1], "size": 6, "opacity": 0.6}
    return markers(finite(places + apart, 4), finite(times), marker, "%{y:.3g}")


def curve(observations: Observations, found: Thresholds, key: str) -> Figure:
    """Return time over a factor on logarithmic axes: single combinations, what is typical, and thresholds."""
    unit, factor = unit_for(observations), found.factor
    profile = found.profile
    middles = [float(np.exp(np.mean(logs))) / unit.seconds for logs in profile.logs]
    typical = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "geometric mean",
        "x": finite(profile.levels),
        "y": finite(middles),
        "line": {"color": COLOURS[0], "width": 3},
        "marker": {"color": COLOURS[0], "size": 8},
        "hovertemplate": f"{plot_text(factor.label)} %{{x}}: %{{y:.3g}}<extra></extra>",
    }
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
    caption = "Grey: single combinations of the other factors; blue: their geometric mean."
    if found.breaks:
        caption += " Orange line and band: threshold and its 95 % interval."
    traces = (*_combinations(observations, factor, unit.seconds), typical)
    return Figure(key, f"Scaling with {factor.name}", alt, traces, layout, caption)


def _combinations(observations: Observations, factor: Factor, seconds: float) -> tuple[dict[str, Any], ...]:
    """Return a line per combination of the other factors; points where there are many."""
    look = {"color": GREY, "width": 1}
    if len(observations.levels(factor)) <= MAX_LEVELS:
        blocks = blocks_of(observations, factor)
        if len(blocks.logs) <= _MAX_LINES:
            return tuple(_line(blocks.levels, np.exp(logs) / seconds, look) for logs in blocks.logs)
    cells = observations.cells
    if len(cells) > _MAX_POINTS:
        cells = cells.sample(_MAX_POINTS, random_state=_SEED)
    points = _line(cells[factor.column].to_numpy(float), np.exp(cells["log_time"].to_numpy(float)) / seconds, look)
    return (points | {"mode": "markers", "marker": {"color": GREY, "size": 4, "opacity": _TRANSPARENT}},)


def _line(x: np.ndarray, y: np.ndarray, look: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": finite(x),
        "y": finite(y),
        "line": look,
        "opacity": 0.6,
        "hoverinfo": "skip",
    }


def _marked(level: float, low: float, high: float) -> list[dict[str, Any]]:
    """Return the line at a threshold and the band of its interval."""
    over_all = {"yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    colour = COLOURS[1]
    line = {"type": "line", "x0": level, "x1": level, "line": {"color": colour, "width": 2}}
    band = {"type": "rect", "x0": low, "x1": high, "fillcolor": colour, "opacity": 0.18, "line": {"width": 0}}
    return [over_all | band, over_all | line]
