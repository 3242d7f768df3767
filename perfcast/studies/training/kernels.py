"""Time over the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.studies.statistics.changepoints import Replicates
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
    def levels(self) -> list[int]:
        """The sides of the kernels."""
        return [cell.convolution.kernels[0] for cell in self.cells]

    @property
    def logs(self) -> list[list[float]]:
        """The logarithm of the time of each kernel."""
        return [[float(np.log(cell.time_ms))] for cell in self.cells]

    @property
    def replicates(self) -> Replicates:
        """Of each kernel one time."""
        return "shared"

    def at(self, kernel: int) -> Cell | None:
        """Return the cell of a kernel, None where it was not measured."""
        return next((cell for cell in self.cells if cell.convolution.kernels == (kernel,)), None)


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
