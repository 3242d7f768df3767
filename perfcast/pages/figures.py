"""Figures, as plotly specifications without the colours of the page."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)
"""Colours that differ for any colour vision (M. Okabe, K. Ito, "Color universal design", 2008), without their black and
yellow, which are lost on one of the page's backgrounds. A colour is never the only mark: see `SYMBOLS`."""
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "cross", "triangle-down", "star")
GREY = "#8a93a0"
SEQUENTIAL = "Cividis"
"""The colour scale of amounts (J. R. Nuñez et al., "Optimizing colormaps with consideration for color vision
deficiency", 2018)."""
DIVERGING = [
    [0.0, "#2166ac"],
    [0.2, "#67a9cf"],
    [0.4, "#d1e5f0"],
    [0.5, "#f7f7f7"],
    [0.6, "#fddbc7"],
    [0.8, "#ef8a62"],
    [1.0, "#b2182b"],
]
"""The colour scale of values around zero: RdBu of C. Brewer, colorbrewer2.org, which is safe for any colour vision."""


@dataclass(frozen=True)
class Figure:
    """One plot, or the reason why there is none.

    Attributes:
        key: unique in the page; the element's id.
        title: the heading above the plot.
        alt: what it shows, for those who cannot see it.
        traces: plotly traces.
        layout: what differs from the page's common layout.
        caption: what to look at, below the plot.
        missing: why nothing can be drawn; empty where it can.
    """

    key: str
    title: str
    alt: str
    traces: tuple[dict[str, Any], ...] = ()
    layout: dict[str, Any] = field(default_factory=dict)
    caption: str = ""
    missing: str = ""

    @property
    def height(self) -> int:
        """The plot's height in CSS pixels."""
        return int(self.layout.get("height", 380))


def markers(x: Sequence[Any], y: Sequence[Any], marker: dict[str, Any], hover: str, **more: Any) -> dict[str, Any]:
    """Return a trace of points; ``hover`` is plotly's template of what is shown when one is pointed at."""
    places = {"type": "scatter", "mode": "markers", "x": x, "y": y}
    return places | {"marker": marker, "hovertemplate": f"{hover}<extra></extra>"} | more


def lines(x: Sequence[Any], y: Sequence[Any], line: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a trace of a line; nothing is shown when it is pointed at, unless ``more`` has a `hovertemplate`."""
    hover = {} if "hovertemplate" in more else {"hoverinfo": "skip"}
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line} | hover | more


def category_styles(values: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return a colour and symbol for each of ``values``, the most frequent first; one grey for those beyond.

    The first have a colour and a symbol of their own each, all have a pair of their own.
    """
    order = pd.Series(list(values), dtype=object).value_counts()
    ranked = sorted(order.index, key=lambda name: (-order[name], str(name)))
    most = math.lcm(len(COLOURS), len(SYMBOLS))
    return {
        name: {
            "color": COLOURS[rank % len(COLOURS)] if rank < most else GREY,
            "symbol": SYMBOLS[rank % len(SYMBOLS)] if rank < most else "circle-open",
        }
        for rank, name in enumerate(ranked)
    }
