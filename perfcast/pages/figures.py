"""Figures, as plotly specifications without the colours of the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = (
    "#3b7dd8",
    "#d9622b",
    "#1f9d78",
    "#b65fb0",
    "#c2920c",
    "#2aa3c4",
    "#8a63d2",
    "#c8433f",
    "#6f8f2f",
    "#a0704a",
)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "cross")
GREY = "#8a93a0"


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


def category_styles(values: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return a colour and symbol for each of ``values``, the most frequent first; one grey for those beyond."""
    order = pd.Series(list(values), dtype=object).value_counts()
    ranked = sorted(order.index, key=lambda name: (-order[name], str(name)))
    most = 2 * len(COLOURS)
    return {
        name: {
            "color": COLOURS[rank % len(COLOURS)] if rank < most else GREY,
            "symbol": SYMBOLS[rank // len(COLOURS)] if rank < most else "circle-open",
        }
        for rank, name in enumerate(ranked)
    }
