"""The tables of convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.pages import Table, text_row
from perfcast.pages import formatting as fmt
from perfcast.pages.tables import numbers, texts
from perfcast.text import format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.pages import Row
    from perfcast.studies.statistics.growth import Growth
    from perfcast.studies.training.answers import Answers, Compared
    from perfcast.studies.training.cells import Cell
    from perfcast.studies.training.convolutions import Setting
    from perfcast.studies.training.kernels import Series

COLUMNS = (
    *("place", "kernel", "second_kernel", "channels", "filters", "height", "width", "output_pixels", "workload"),
    *("batch", "time_ms", "time_per_image_ms", "log_time_error", "macs", "flops_per_s", "peak_flops_per_s"),
    "operations_per_byte",
)
"""Of the study's table."""


def cells_frame(cells: Sequence[Cell]) -> pd.DataFrame:
    """Return the numbers: one row per place, convolution, workload and batch."""
    return pd.DataFrame([_cell_row(cell) for cell in cells], columns=list(COLUMNS))


def _cell_row(cell: Cell) -> tuple[object, ...]:
    setting, kernels = cell.convolution.setting, cell.convolution.kernels
    return (
        *(cell.place, kernels[0], kernels[1] if len(kernels) > 1 else np.nan, setting.channels, setting.filters),
        *(setting.height, setting.width, setting.positions, cell.workload, cell.batch, cell.time_ms, cell.image_ms),
        *(cell.error, cell.macs, cell.flops_per_s, cell.peak_flops_per_s, cell.intensity),
    )


def growth_table(answers: Answers, setting: Setting) -> Table:
    """Return how time grows with the kernel, by workload and batch, and what is achieved at best."""
    growths = [growth for growth in answers.growths if growth.curve.setting == setting]
    columns = (
        *texts("Workload"),
        *texts("Exponent of the kernel's side, and where it changes", wide=True),
        *numbers("Achieved at best, 10⁹ operations/s", "Share of the peak, %"),
    )
    caption = "Growth with the kernel: multiply-accumulates alone would give an exponent of 2"
    return Table(caption, columns, tuple(map(_growth_row, growths)), empty="No single convolution was measured.")


def _growth_row(growth: Growth[Series]) -> Row:
    best = max(growth.curve.cells, key=lambda cell: cell.flops_per_s)
    share = 100 * best.flops_per_s / best.peak_flops_per_s
    return text_row(growth.curve.label, growth_in_words(growth), fmt.number(best.flops_per_s / 1e9), fmt.number(share))


def growth_in_words(growth: Growth[Series]) -> str:
    """Return where the exponent changes."""
    if growth.undecided:
        return f"undecided: {growth.undecided}"
    if not growth.breaks:
        return f"no change found; one by {fmt.number(growth.detectable)} probably would be"
    return "; ".join(
        f"{each.before:.2f} below {format_number(each.level)} (95 % interval {format_number(each.low)} to "
        f"{format_number(each.high)}), {each.after:.2f} beyond"
        for each in growth.breaks
    )


def compared_table(answers: Answers, setting: Setting) -> Table:
    """Return each question's ratios with their intervals."""
    asked = (
        ("5×5 then 3×3, relative to 7×7", answers.stacked),
        ("per multiply-accumulate, 7×7 relative to 5×5", answers.penalties),
        ("per image, largest batch relative to smallest", answers.batches),
        ("forward and backward, relative to forward", answers.backward),
    )
    rows = tuple(_row(what, each) for what, found in asked for each in found if each.setting == setting)
    columns = (*texts("Ratio of times", "Workload"), *numbers("Ratio", "Interval"))
    return Table("Ratios", columns, rows, empty="Nothing was measured that could be compared.")


def _row(what: str, compared: Compared) -> Row:
    ratio = compared.ratio
    return text_row(what, compared.label, fmt.number(ratio.value), fmt.span(ratio.low, ratio.high))
