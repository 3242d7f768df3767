"""Charts that several studies draw: heatmaps, and boxes with their points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.pages import formatting as fmt
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import DIVERGING, SEQUENTIAL, Figure, category_styles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_POINTS = 1000
"""Points that one trace shows; a page with more is slow. Boxes and densities are of all values."""
_ROW, _AROUND = 34, 130
_LABEL = 24
_WHISKER = 1.5
"""Quartile ranges that whiskers reach beyond the quartiles: Tukey (1977), Exploratory Data Analysis."""


@dataclass(frozen=True)
class Frame:
    """What stands around a chart.

    Attributes:
        key: unique in the page.
        title: the heading above it.
        x, y: what the axes show, with the unit.
        caption: what to look at, below it.
        log: the axes that are logarithmic: `x`, `y` or `xy`.
    """

    key: str
    title: str
    x: str = ""
    y: str = ""
    caption: str = ""
    log: str = ""

    def axis(self, letter: str, **more: Any) -> dict[str, Any]:
        """Return the plotly specification of the axis ``letter``."""
        kind = {"type": "log"} if letter in self.log else {}
        return {"title": {"text": self.x if letter == "x" else self.y}} | kind | more

    def without(self, reason: str) -> Figure:
        """Return the figure that says why nothing is drawn."""
        return Figure(self.key, self.title, self.title, missing=reason)


def heatmap(frame: Frame, matrix: pd.DataFrame, *, diverging: bool = False, reach: float | None = None) -> Figure:
    """Return a heatmap with the number in each cell; missing ones stay empty.

    Args:
        frame: what stands around it.
        matrix: rows from top to bottom; its labels are shown.
        diverging: whether colours are centred on zero, as for correlations.
        reach: the largest number of the colour scale, such as 1 for correlations; by default that of the matrix.
    """
    table = numeric(matrix)
    known = table.to_numpy()[np.isfinite(table.to_numpy())]
    if not len(known):
        return frame.without("No cell has a number.")
    low, high = float(known.min()), float(reach if reach is not None else known.max())
    if diverging:
        high = float(reach if reach is not None else np.abs(known).max())
        low = -high
    cells = {
        "type": "heatmap",
        "x": distinct(table.columns),
        "y": distinct(table.index),
        "z": [finite(row, 4) for row in table.to_numpy()],
        "text": _fixed(table.to_numpy()),
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, %{x}: %{z}<extra></extra>",
        "colorscale": DIVERGING if diverging else SEQUENTIAL,
        "zmin": low,
        "zmax": high,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "colorbar": {"orientation": "h", "thickness": 10, "y": 1.02, "yanchor": "bottom", "x": 0.5, "len": 1},
    }
    layout = {
        "height": _AROUND + 40 + _ROW * len(table),
        "xaxis": frame.axis("x", type="category", showgrid=False, dtick=1),
        "yaxis": frame.axis("y", type="category", showgrid=False, dtick=1, autorange="reversed"),
    }
    alt = f"Heatmap of {len(table)} by {len(table.columns)} cells, {fmt.span(known.min(), known.max())}."
    return Figure(frame.key, frame.title, alt, (cells,), layout, frame.caption)


def _fixed(values: np.ndarray) -> list[list[str]]:
    """Return numbers with as many decimals as the largest needs for three digits; those missing are empty."""
    most = float(np.nanmax(np.abs(values[np.isfinite(values)])))
    decimals = min(9, max(0, 2 - math.floor(math.log10(most)))) if most else 0
    # Adding zero takes the sign of a negative number that is rounded to zero.
    return [
        [f"{round(value, decimals) + 0.0:,.{decimals}f}" if np.isfinite(value) else "" for value in row]
        for row in values
    ]


def box_with_points(frame: Frame, table: pd.DataFrame, value: str, by: str, colour: str | None = None) -> Figure:
    """Return boxes of a column's values, one per level of a factor, with the values as points.

    Args:
        frame: what stands around it; `x` is of the factor, `y` of the value.
        table: a row per value.
        value: its column with the values.
        by: its column with the factor, whose levels are in ascending order.
        colour: its column of a second factor, with boxes of their own; None for none.
    """
    columns = {"value": _numbers(table[value]), "level": _names(table[by])}
    rows = pd.DataFrame({**columns, "colour": "" if colour is None else _names(table[colour])})
    rows = rows[np.isfinite(rows["value"]) & table[by].notna().to_numpy()]
    rows = rows[rows["value"] > 0] if "y" in frame.log else rows
    if not len(rows):
        return frame.without("No row has both a value and a level.")
    levels = ordered(rows["level"].unique())
    styles = category_styles(rows["colour"].to_numpy() if colour is not None else [""])
    styles = {name: styles[name] for name in ordered(list(styles))}
    shown = dict(zip(levels, distinct(levels), strict=True))
    boxes = tuple(_boxes(rows[rows["colour"] == name], name, shown, style) for name, style in styles.items())
    legend = tuple(_legend_entry(name, style) for name, style in styles.items()) if colour is not None else ()
    layout = {
        "height": 400,
        "showlegend": colour is not None,
        "boxmode": "group",
        "xaxis": frame.axis("x", type="category", categoryorder="array", categoryarray=list(shown.values())),
        "yaxis": frame.axis("y"),
    }
    alt = f"Boxes of {fmt.pluralize(len(rows), 'value')} at {fmt.pluralize(len(levels), 'level')}: {frame.y}."
    caption = _with_share(frame.caption, boxes, len(rows))
    return Figure(frame.key, frame.title, alt, (*boxes, *legend), layout, caption)


def _legend_entry(name: str, style: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trace without points: the legend of a box itself shows its colour, but not its symbol."""
    shown = {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "marker": {**style, "size": 8}}
    return {**shown, "name": plot_text(name, _LABEL), "legendgroup": plot_text(name), "hoverinfo": "skip"}


def _boxes(rows: pd.DataFrame, name: str, levels: Mapping[str, str], style: Mapping[str, Any]) -> dict[str, Any]:
    groups = {level: rows.loc[rows["level"] == level, "value"].to_numpy() for level in levels}
    groups = {level: values for level, values in groups.items() if len(values)}
    each = max(1, MAX_POINTS // len(groups))
    first, middle, third = (
        [float(np.quantile(values, share)) for values in groups.values()] for share in (0.25, 0.5, 0.75)
    )
    reach = [_whiskers(values, low, high) for values, low, high in zip(groups.values(), first, third, strict=True)]
    return {
        "type": "box",
        "name": plot_text(name, _LABEL),
        "legendgroup": plot_text(name),
        "offsetgroup": plot_text(name),
        "showlegend": False,
        "x": [levels[level] for level in groups],
        "q1": finite(first),
        "median": finite(middle),
        "q3": finite(third),
        "lowerfence": finite([low for low, _ in reach]),
        "upperfence": finite([high for _, high in reach]),
        "y": [finite(thinned(values, each)) for values in groups.values()],
        "boxpoints": "all",
        "jitter": 0.5,
        "pointpos": 0,
        "marker": {**style, "size": 5, "opacity": 0.7},
        "line": {"color": style["color"], "width": 1.5},
        "fillcolor": "rgba(0,0,0,0)",
        "hoveron": "boxes+points",
    }


def _whiskers(values: np.ndarray, first: float, third: float) -> tuple[float, float]:
    """Return the lowest and highest value that are not far out."""
    far = _WHISKER * (third - first)
    usual = values[(values >= first - far) & (values <= third + far)]
    return float(usual.min()), float(usual.max())


def _with_share(caption: str, boxes: Sequence[Mapping[str, Any]], total: int) -> str:
    """Return the caption, and how many values are drawn where not all of them are."""
    drawn = sum(len(points) for box in boxes for points in box["y"])
    return f"{caption} Shown are {drawn:,} of {total:,} points.".strip() if drawn < total else caption


def numeric(table: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of a table as floats; what is not a number is missing."""
    columns = [_numbers(column) for _, column in table.items()]
    numbers = np.column_stack(columns) if columns else np.empty((len(table), 0))
    return pd.DataFrame(numbers, index=table.index, columns=table.columns)


def _numbers(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=float, na_value=np.nan)
    return np.array([float(value) if fmt.is_number(value) else np.nan for value in column])


def _names(column: pd.Series) -> np.ndarray:
    """Return each value as a text; of many equal ones only one is made."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # Lists and dictionaries, of which no two are compared.
        return column.map(str).to_numpy(dtype=object)
    return np.array([*map(str, values), fmt.MISSING], dtype=object)[codes]


def ordered(levels: Sequence[str]) -> list[str]:
    """Return the levels of a factor in the order of their numbers, where all are numbers, else by name."""
    return sorted(levels, key=float if all(map(fmt.is_number, levels)) else str)


def thinned(values: np.ndarray, most: int) -> np.ndarray:
    """Return at most ``most`` of the values, evenly chosen by rank, the smallest and the largest among them."""
    if len(values) <= most:
        return values
    return np.sort(values)[np.linspace(0, len(values) - 1, most).round().astype(int)]


def distinct(names: Sequence[Any] | pd.Index, length: int = _LABEL) -> list[str]:
    """Return labels of categories, none twice: plotly draws those of one name at one place."""
    found: list[str] = []
    for name in names:
        label = plot_text(name, length)
        while label in found:
            label += "\u200b"
        found.append(label)
    return found
