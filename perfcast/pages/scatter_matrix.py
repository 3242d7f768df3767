"""Scatter matrices: each pair of columns as points, each column's density on the diagonal."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.pages import formatting as fmt
from perfcast.pages.charts import MAX_POINTS, distinct, numeric, thinned
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import Figure, category_styles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from perfcast.pages.charts import Frame

_GAP = 0.03
_SIDE = 140
_STEPS = 80
_OF_DENSITY = 5000
"""Values that a density is made of, evenly chosen by rank: more only take time."""
_LABEL = 16
_NOTE = {"showarrow": False, "font": {"size": 12}}


def scatter_matrix(frame: Frame, table: pd.DataFrame, columns: Mapping[str, str], colour: str | None = None) -> Figure:
    """Return a scatter matrix: points below the diagonal, densities on it, rank correlations above it.

    Args:
        frame: what stands around it; its axes are not used.
        table: a row per point.
        columns: the label, with the unit, of each column to show; up to six are readable on a phone.
        colour: the column that colours points; None for none.
    """
    values = numeric(table[list(columns)])
    shown = [name for name in columns if np.isfinite(values[name]).any()]
    if len(shown) < 2:
        return frame.without("Fewer than two columns have numbers.")
    some = _some(len(values))
    drawn = values.iloc[some]
    groups = np.full(len(drawn), "") if colour is None else table[colour].iloc[some].map(str).to_numpy()
    cells = [(row, column) for row in range(len(shown)) for column in range(len(shown))]
    traces = [
        *(trace for row, at in cells if at < row for trace in _points(drawn, groups, shown, (row, at))),
        *(_density(values[name].to_numpy(), at, len(shown)) for at, name in enumerate(shown)),
    ]
    labels = [columns[name] for name in shown]
    layout = {
        "height": 120 + _SIDE * len(shown),
        "showlegend": colour is not None,
        "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
        "annotations": _correlations(values[shown]),
        **_axes(labels),
    }
    caption = f"{frame.caption} On the diagonal: densities. Above it: Spearman's rank correlations."
    if len(drawn) < len(values):
        caption += f" Shown are {len(drawn):,} of {len(values):,} points."
    alt = f"Scatter matrix of {', '.join(labels)}."
    return Figure(frame.key, frame.title, alt, tuple(traces), layout, caption.strip())


def _some(count: int) -> np.ndarray:
    """Return which of ``count`` rows are drawn: all, or some by chance, as rows may be in a rhythm."""
    if count <= MAX_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MAX_POINTS, replace=False))


def _points(
    drawn: pd.DataFrame, groups: np.ndarray, shown: list[str], cell: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    """Yield the points of a cell below the diagonal, a trace per group; the first cell's are in the legend."""
    row, column = cell
    for name, style in category_styles(list(groups)).items():
        chosen = drawn[groups == name]
        yield {
            "type": "scatter",
            "mode": "markers",
            "name": plot_text(name, 24),
            "legendgroup": plot_text(name),
            "showlegend": cell == (1, 0),
            "x": finite(chosen[shown[column]], 4),
            "y": finite(chosen[shown[row]], 4),
            "xaxis": f"x{column + 1}",
            "yaxis": f"y{row + 1}",
            "marker": {**style, "size": 4, "opacity": 0.7},
            "hovertemplate": "%{x}, %{y}<extra></extra>",
        }


def _density(values: np.ndarray, at: int, count: int) -> dict[str, Any]:
    """Return the density of a column, on an axis of its own."""
    from scipy.stats import gaussian_kde

    known = thinned(values[np.isfinite(values)], _OF_DENSITY)
    varies = len(known) > 1 and float(known.std()) > 0
    places = np.linspace(known.min(), known.max(), _STEPS) if varies else known[:1]
    heights = gaussian_kde(known)(places) if varies else np.ones(1)
    return {
        "type": "scatter",
        "mode": "lines" if varies else "markers",
        "x": finite(places),
        "y": finite(heights, 3),
        "xaxis": f"x{at + 1}",
        "yaxis": f"y{count + at + 1}",
        "line": {"color": "#8a93a0", "width": 1.5},
        "fill": "tozeroy",
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _correlations(values: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rank correlation of each pair of columns, as a note in its cell above the diagonal."""
    count, complete = len(values.columns), np.isfinite(values).all()
    ranks = values.rank()
    notes = []
    for row, column in combinations(range(count), 2):
        both = [row, column]
        pair = values.iloc[:, both]
        ranked = ranks.iloc[:, both] if complete.iloc[both].all() else pair[np.isfinite(pair).all(axis=1)].rank()
        place = {"x": sum(_span(column, count)) / 2, "y": sum(_span(count - 1 - row, count)) / 2}
        notes.append({"text": _correlation(ranked), "xref": "paper", "yref": "paper", **place, **_NOTE})
    return notes


def _correlation(ranked: pd.DataFrame) -> str:
    varies = len(ranked) > 1 and (ranked.max() > ranked.min()).all()
    return f"{ranked.iloc[:, 0].corr(ranked.iloc[:, 1]):.2f}" if varies else fmt.MISSING


def _axes(labels: list[str]) -> dict[str, Any]:
    """Return the axes of all columns; those of the densities, which come after them, have no marks."""
    count = len(labels)
    found: dict[str, Any] = {}
    for at, label in enumerate(distinct(labels, _LABEL)):
        number, font = "" if at == 0 else at + 1, {"size": 11}
        across, up = _span(at, count), _span(count - 1 - at, count)
        # In a column of a phone, a label has room for one word in a line.
        words = {"text": label.replace(" ", "<br>"), "font": font}
        found[f"xaxis{number}"] = {"title": words, "nticks": 3, "domain": across, "anchor": f"y{count}"}
        found[f"yaxis{number}"] = {"title": {"text": label, "font": font}, "nticks": 3, "domain": up, "anchor": "x"}
        hidden = {"domain": up, "anchor": f"x{number}", "visible": False, "rangemode": "tozero"}
        found[f"yaxis{count + at + 1}"] = hidden
    return found


def _span(at: int, count: int) -> list[float]:
    """Return the share of the plot that the column ``at`` of ``count`` takes."""
    side = (1 - _GAP * (count - 1)) / count
    return [round(at * (side + _GAP), 4), round(at * (side + _GAP) + side, 4)]
