"""Time over the kernel: where its growth changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.statistics.changepoints import Break, detectable, find_breaks, undecided

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perfcast.studies.training.cells import Cell
    from perfcast.studies.training.convolutions import Setting

AREA_EXPONENT = 2
"""Multiply-accumulates grow with the square of the kernel's side."""


@dataclass(frozen=True)
class Series:
    """The cells that differ in their single kernel alone, in its order: all of one place, workload and batch."""

    place: str
    setting: Setting
    workload: str
    batch: int
    cells: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """Workload and batch in words."""
        return f"{self.workload}, batch {self.batch}"

    @property
    def kernels(self) -> list[int]:
        """The sides of the kernels."""
        return [cell.convolution.kernels[0] for cell in self.cells]

    def at(self, kernel: int) -> Cell | None:
        """Return the cell of a kernel, None where it was not measured."""
        return next((cell for cell in self.cells if cell.convolution.kernels == (kernel,)), None)


@dataclass(frozen=True)
class Growth:
    """How time grows with the kernel: as a power of its side, whose exponent may change.

    Attributes:
        series: the times.
        breaks: changes of the exponent; levels are sides of the kernel.
        undecided: why none can be found; empty where one could be.
        detectable: the smallest change of the exponent that would probably be found; NaN where some were.
    """

    series: Series
    breaks: tuple[Break, ...] = ()
    undecided: str = ""
    detectable: float = np.nan


def series_of(cells: Iterable[Cell]) -> tuple[Series, ...]:
    """Return the series of cells, by setting and place."""

    def key(cell: Cell) -> tuple[Setting, str, bool, str, int]:
        return cell.convolution.setting, cell.place, cell.is_trained, cell.workload, cell.batch

    single = [cell for cell in cells if len(cell.convolution.kernels) == 1]
    single.sort(key=lambda cell: (key(cell), cell.convolution))
    return tuple(
        Series(place, setting, workload, batch, tuple(group))
        for (setting, place, _, workload, batch), group in groupby(single, key)
    )


def growths_of(series: Sequence[Series], alpha: float) -> tuple[Growth, ...]:
    """Return where growth changes in each series; a false alarm has probability ``alpha`` over all (Bonferroni)."""
    curves = [_curve(each) for each in series]
    reasons = [undecided(*curve) for curve in curves]
    share = alpha / max(1, reasons.count(""))
    return tuple(
        Growth(each, undecided=reason) if reason else _growth(each, curve, share)
        for each, curve, reason in zip(series, curves, reasons, strict=True)
    )


def _curve(series: Series) -> tuple[list[float], list[list[float]]]:
    return [float(np.log(side)) for side in series.kernels], [[float(np.log(cell.time_ms))] for cell in series.cells]


def _growth(series: Series, curve: tuple[list[float], list[list[float]]], alpha: float) -> Growth:
    found = find_breaks(*curve, alpha=alpha)
    breaks = tuple(
        replace(each, level=float(np.exp(each.level)), low=float(np.exp(each.low)), high=float(np.exp(each.high)))
        for each in found
    )
    return Growth(series, breaks, detectable=np.nan if breaks else detectable(*curve, alpha=alpha))
