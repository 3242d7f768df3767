"""The figures of convolutions: time over the kernel, time per image over the batch, and the roofline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.pages import Figure
from perfcast.pages.charts import Frame, thinned
from perfcast.pages.embed import finite, plot_text
from perfcast.pages.figures import GREY, category_styles, lines, markers
from perfcast.pages.formatting import is_number, number
from perfcast.studies.training.kernels import series_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.studies.statistics.growth import Growth
    from perfcast.studies.training.cells import Cell
    from perfcast.studies.training.convolutions import Setting
    from perfcast.studies.training.kernels import Series

_MAX_KERNELS = 5
"""Lines of one figure that can be told apart."""
_GIGA = 1e-9


def kernel_figures(growths: Sequence[Growth[Series]], setting: Setting, key: str) -> tuple[Figure, ...]:
    """Return time over the kernel for each workload and batch of a setting, with a line per place."""
    own = [growth for growth in growths if growth.curve.setting == setting]
    labels = dict.fromkeys(growth.curve.label for growth in own)
    return tuple(
        _kernel_figure([growth for growth in own if growth.curve.label == label], f"{key}-kernel-{number_}")
        for number_, label in enumerate(labels, start=1)
    )


def _kernel_figure(growths: Sequence[Growth[Series]], key: str) -> Figure:
    label = growths[0].curve.label
    frame = Frame(key, f"Time over the kernel: {label}", "Side of the kernel, pixels", "Time of a run, ms")
    styles = category_styles([growth.curve.place for growth in growths])
    lines = tuple(
        _line(growth.curve.levels, [cell.time_ms for cell in growth.curve.cells], growth.curve.place, styles)
        for growth in growths
    )
    bands = [band for growth in growths for band in _bands(growth, styles[growth.curve.place]["color"])]
    told = "; ".join(
        f"{growth.curve.place} from {number(growth.curve.cells[0].time_ms)} to "
        f"{number(growth.curve.cells[-1].time_ms)} ms"
        for growth in growths
    )
    alt = f"Time of a run over the side of the kernel, {label}: {told}."
    caption = "Dashed lines and bands: where growth changes, with 95 % intervals." if bands else ""
    layout = {"xaxis": frame.axis("x", dtick=1), "yaxis": frame.axis("y", rangemode="tozero"), "shapes": bands}
    return Figure(key, frame.title, plot_text(alt, len(alt)), lines, layout, caption)


def _line(x: Sequence[float], y: Sequence[float], name: str, styles: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    style = styles[name]
    shown = {"mode": "lines+markers", "line": {"color": style["color"]}, "name": plot_text(name, 40)}
    hover = f"{plot_text(name)}, %{{x}}: %{{y:.4g}}"
    return markers(finite(x), finite(y), style | {"size": 8}, hover, **shown, showlegend=True)


def _bands(growth: Growth[Series], colour: str) -> list[dict[str, Any]]:
    """Return the line at each change, and the band of its interval."""
    over_all = {"yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    band = {"type": "rect", "fillcolor": colour, "opacity": 0.12, "line": {"width": 0}}
    line = {"type": "line", "line": {"color": colour, "width": 1.5, "dash": "dash"}}
    return [
        over_all | shape | {"x0": low, "x1": high}
        for each in growth.breaks
        for shape, low, high in ((band, each.low, each.high), (line, each.level, each.level))
    ]


def batch_figures(cells: Sequence[Cell], key: str) -> tuple[Figure, ...]:
    """Return time per image over the batch for each workload of one place and setting, with a line per kernel."""
    workloads = dict.fromkeys(each.workload for each in series_of(cells))
    return tuple(
        _batch_figure([cell for cell in cells if cell.workload == workload], f"{key}-batch-{number_}")
        for number_, workload in enumerate(workloads, start=1)
    )


def _batch_figure(cells: Sequence[Cell], key: str) -> Figure:
    workload = cells[0].workload
    title = f"Time per image over the batch: {workload}"
    frame = Frame(key, title, "Batch size, images (logarithmic)", "Time per image, ms (logarithmic)", log="xy")
    batches = sorted({cell.batch for cell in cells})
    if len(batches) < 2:
        return frame.without(f"Only batch {batches[0]} was measured.")
    convolutions = sorted({cell.convolution for cell in cells if len(cell.convolution.kernels) == 1})
    shown = thinned(np.arange(len(convolutions)), _MAX_KERNELS)
    names = [str(convolutions[place]) for place in shown]
    styles = category_styles(names)
    lines = []
    for name in names:
        own = sorted((cell for cell in cells if str(cell.convolution) == name), key=lambda cell: cell.batch)
        lines.append(_line([cell.batch for cell in own], [cell.image_ms for cell in own], name, styles))
    layout = {
        "xaxis": frame.axis("x", tickmode="array", tickvals=batches, ticktext=list(map(str, batches))),
        "yaxis": frame.axis("y"),
    }
    alt = f"Time per image over batch sizes {batches[0]} to {batches[-1]} for kernels {', '.join(names)}, {workload}."
    return Figure(key, title, alt, tuple(lines), layout)


def roofline_figure(cells: Sequence[Cell], key: str) -> Figure:
    """Return achieved operations per second over arithmetic intensity, below the measured peaks of a place."""
    frame = Frame(
        key,
        "Roofline: what is achieved over arithmetic intensity",
        "Operations per byte (logarithmic)",
        "10⁹ operations per second (logarithmic)",
        "Each point is a convolution under one workload and batch. Lines: the measured peaks of matrix products and of "
        "reading memory. The latter is a cache's, so points may lie far below its slope.",
        "xy",
    )
    labels = [f"{cell.workload}, batch {cell.batch}" for cell in cells]
    styles = category_styles(labels)
    points = tuple(
        _points([cell for cell, own in zip(cells, labels, strict=True) if own == label], label, style)
        for label, style in styles.items()
    )
    peak, rate = cells[0].peak_flops_per_s, cells[0].peak_bytes_per_s
    known = is_number(peak) and is_number(rate)
    roofs = _roofs(cells, peak, rate) if known else ()
    best = max(cell.flops_per_s for cell in cells)
    share = f", {number(100 * best / peak)} % of the peak" if known else "; the peaks of the device are unknown"
    alt = f"Roofline of {len(cells)} points; the best achieves {number(best * _GIGA)}·10⁹ operations per second{share}."
    layout = {"xaxis": frame.axis("x"), "yaxis": frame.axis("y"), "height": 440}
    caption = frame.caption if known else "The data hold no measured peaks of the device, so no roof is drawn."
    return Figure(key, frame.title, alt, (*roofs, *points), layout, caption)


def _points(cells: Sequence[Cell], label: str, style: dict[str, Any]) -> dict[str, Any]:
    return markers(
        finite([cell.intensity for cell in cells]),
        finite([cell.flops_per_s * _GIGA for cell in cells]),
        style | {"size": 8, "opacity": 0.8},
        "%{text}: %{y:.4g}",
        name=plot_text(label, 40),
        text=[f"{cell.convolution}, {plot_text(label)}" for cell in cells],
    )


def _roofs(cells: Sequence[Cell], peak: float, rate: float) -> tuple[dict[str, Any], ...]:
    """Return the roof: rising with the intensity as fast as memory is read, flat from the peak of operations on."""
    ridge = peak / rate
    low = min(ridge / 2, *(cell.intensity for cell in cells)) / 1.5
    high = max(ridge * 2, *(cell.intensity for cell in cells)) * 1.5
    heights = finite([low * rate * _GIGA, peak * _GIGA, peak * _GIGA])
    hover = "peak %{y:.4g}<extra></extra>"
    look = {"color": GREY, "width": 2}
    return (lines(finite([low, ridge, high]), heights, look, name="measured peaks", hovertemplate=hover),)
