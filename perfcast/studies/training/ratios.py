"""How many times as long one thing takes as another, with what measurements leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.pages.formatting import is_number, number
from perfcast.studies.statistics.regression import student

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.studies.statistics.claims import Verdict
    from perfcast.studies.training.cells import Cell


@dataclass(frozen=True)
class Ratio:
    """A ratio and its interval; NaN where the errors of the times are unknown."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = f" ({number(self.low)} to {number(self.high)})" if is_number(self.low) else ""
        return f"{number(self.value)}{interval}"

    def times(self, factor: float) -> Ratio:
        """Return the ratio multiplied by a factor that is known."""
        return Ratio(self.value * factor, self.low * factor, self.high * factor)


def ratio_of(pairs: Sequence[tuple[Cell, Cell]], confidence: float = 0.95) -> Ratio:
    """Return the geometric mean of the ratios of run times, first to second, over pairs of cells.

    The interval is Student's, of the errors of all times: it says what these cells would show if they were measured
    again, not what others would.
    """
    middle = float(np.mean([np.log(first.time_ms / second.time_ms) for first, second in pairs]))
    cells = [cell for pair in pairs for cell in pair]
    error = float(np.sqrt(sum(cell.error**2 for cell in cells))) / len(pairs)
    found = student(middle, error, min(cell.freedom for cell in cells), confidence)
    value, low, high = np.exp([found.value, found.low, found.high])
    return Ratio(float(value), float(low), float(high))


def pooled(ratios: Sequence[Ratio]) -> Ratio:
    """Return the geometric mean of ratios of different measurements, with the interval that follows from theirs."""
    logs = np.log([(each.low, each.value, each.high) for each in ratios])
    middle = float(logs[:, 1].mean())
    reach = float(np.sqrt((((logs[:, 2] - logs[:, 0]) / 2) ** 2).sum())) / len(ratios)
    value, low, high = np.exp([middle, middle - reach, middle + reach])
    return Ratio(float(value), float(low), float(high))


def verdict_on(ratios: Sequence[Ratio], limit: float, *, above: bool) -> Verdict:
    """Return whether all ratios are above a limit, or below it where not ``above``.

    Contradicted is what one of them certainly is not.
    """
    if not ratios:
        return "open"
    if above:
        holds, fails = all(each.low > limit for each in ratios), any(each.high < limit for each in ratios)
    else:
        holds, fails = all(each.high < limit for each in ratios), any(each.low > limit for each in ratios)
    return "confirmed" if holds else "contradicted" if fails else "open"
