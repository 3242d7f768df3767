"""The document's questions on convolutions, answered by measurement, and its claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.pages.formatting import number
from perfcast.studies.statistics.claims import Claim
from perfcast.studies.statistics.growth import Growth, growths_of
from perfcast.studies.training.cells import FORWARD
from perfcast.studies.training.kernels import AREA_EXPONENT, Series, series_of
from perfcast.studies.training.ratios import Ratio, pooled, ratio_of, verdict_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from perfcast.studies.training.cells import Cell
    from perfcast.studies.training.convolutions import Setting

BEFORE, BEYOND = 5, 7
"""Sides of the kernels between which the document sees the penalty."""
STACKED = (5, 3)
"""Kernels of two convolutions that see as much as one of `BEYOND`."""


@dataclass(frozen=True)
class Rules:
    """When a claim counts as decided.

    Attributes:
        alpha: probability that an interval is wrong, over all that one claim on one place rests on.
        margin: relative difference that does not matter.
    """

    alpha: float = 0.05
    margin: float = 0.1


@dataclass(frozen=True)
class Compared:
    """Two things compared under one workload and batch: what they are called, and the ratio of their times."""

    setting: Setting
    label: str
    ratio: Ratio


@dataclass(frozen=True)
class Answers:
    """What one place shows.

    Attributes:
        place: the target, and the values of factors that vary on it.
        cells: all of it.
        growths: of time over the kernel, of each series.
        stacked: 5×5 followed by 3×3, relative to 7×7.
        penalties: time per multiply-accumulate of 7×7, relative to 5×5.
        batches: time per image at the largest batch, relative to the smallest.
        backward: a run that goes backward, too, relative to one that only goes forward.
        claims: the document's.
    """

    place: str
    cells: tuple[Cell, ...]
    growths: tuple[Growth[Series], ...]
    stacked: tuple[Compared, ...]
    penalties: tuple[Compared, ...]
    batches: tuple[Compared, ...]
    backward: tuple[Compared, ...]
    claims: tuple[Claim, ...]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Its settings, in order."""
        return tuple(sorted({cell.convolution.setting for cell in self.cells}))


def answers_of(cells: Sequence[Cell], rules: Rules) -> tuple[Answers, ...]:
    """Return what each place shows, in the order of the cells."""
    places = dict.fromkeys(cell.place for cell in cells)
    return tuple(_answer([cell for cell in cells if cell.place == place], place, rules) for place in places)


def _answer(cells: list[Cell], place: str, rules: Rules) -> Answers:
    series = series_of(cells)
    stacked = _compared(_stacked_pairs(cells, series), rules)
    penalties = _compared(_penalty_pairs(series), rules)
    batches = _compared(_batch_pairs(series), rules)
    backward = _compared(_backward_pairs(series), rules)
    claims = (
        _claim(
            f"Kernels beyond {BEFORE}×{BEFORE} carry a penalty",
            f"time per multiply-accumulate of {BEYOND}×{BEYOND} relative to {BEFORE}×{BEFORE}; within "
            f"{rules.margin:.0%} counts as none",
            penalties,
            (1 + rules.margin, True),
        ),
        _claim(
            "5×5 followed by 3×3 takes less time than 7×7 (said of a Jetson TX2)",
            "its time relative to that of 7×7",
            stacked,
            (1.0, False),
        ),
        _claim(
            "A larger batch does not make an image cheaper (said of a CPU)",
            f"time per image relative to the smallest batch, mean over kernels; {rules.margin:.0%} less is cheaper",
            batches,
            (1 - rules.margin, True),
        ),
    )
    growths = growths_of(series, rules.alpha)
    return Answers(place, tuple(cells), growths, stacked, penalties, batches, backward, claims)


def _claim(statement: str, measure: str, compared: Sequence[Compared], limit: tuple[float, bool]) -> Claim:
    if not compared:
        return Claim(statement, "open", "not tested: what it compares was not measured")
    verdict = verdict_on([each.ratio for each in compared], limit[0], above=limit[1])
    return Claim(statement, verdict, f"{measure}: {average_in_words(compared)}, {range_in_words(compared)}")


def average_in_words(compared: Sequence[Compared]) -> str:
    """Return the mean of ratios with its interval; of a single one that."""
    only = compared[0]
    return str(only.ratio) if len(compared) == 1 else f"{pooled([each.ratio for each in compared])} on average"


def range_in_words(compared: Sequence[Compared]) -> str:
    """Return the lowest and the highest ratio, and of which workload and batch they are."""
    if len(compared) == 1:
        return f"({compared[0].label})"
    low, high = (end(compared, key=lambda each: each.ratio.value) for end in (min, max))
    return f"from {number(low.ratio.value)} ({low.label}) to {number(high.ratio.value)} ({high.label})"


@dataclass(frozen=True)
class _Pairs:
    """Cells to compare, first to second, and what to multiply the ratio of their times by."""

    setting: Setting
    label: str
    pairs: list[tuple[Cell, Cell]]
    factor: float = 1.0


def _compared(found: Iterable[_Pairs], rules: Rules) -> tuple[Compared, ...]:
    """Return the ratio of each group of pairs; all intervals hold at once (Bonferroni)."""
    groups = list(found)
    confidence = 1 - rules.alpha / max(1, len(groups))
    return tuple(
        Compared(each.setting, each.label, ratio_of(each.pairs, confidence).times(each.factor)) for each in groups
    )


def _stacked_pairs(cells: Sequence[Cell], series: Sequence[Series]) -> Iterator[_Pairs]:
    found = {_key(cell): cell for cell in cells if cell.convolution.kernels == STACKED}
    for each in series:
        single = each.at(BEYOND)
        both = found.get(_key(single)) if single else None
        if single and both:
            yield _Pairs(each.setting, each.label, [(both, single)])


def _key(cell: Cell) -> tuple[Setting, str, int]:
    return cell.convolution.setting, cell.workload, cell.batch


def _penalty_pairs(series: Sequence[Series]) -> Iterator[_Pairs]:
    for each in series:
        before, beyond = each.at(BEFORE), each.at(BEYOND)
        if before and beyond:
            yield _Pairs(each.setting, each.label, [(beyond, before)], (BEFORE / BEYOND) ** AREA_EXPONENT)


def _batch_pairs(series: Sequence[Series]) -> Iterator[_Pairs]:
    """Yield the largest batch of each setting and workload with the smallest one, by kernel."""
    for setting, workload in dict.fromkeys((each.setting, each.workload) for each in series):
        own = [each for each in series if (each.setting, each.workload) == (setting, workload)]
        pairs = _matched(own[-1], own[0])
        if len(own) > 1 and pairs:
            label = f"{workload}, batch {own[-1].batch} to {own[0].batch}"
            yield _Pairs(setting, label, pairs, own[0].batch / own[-1].batch)


def _backward_pairs(series: Sequence[Series]) -> Iterator[_Pairs]:
    forward = {(each.setting, each.batch): each for each in series if each.workload == FORWARD}
    for each in series:
        only = forward.get((each.setting, each.batch))
        if only and each.cells[0].is_trained and (pairs := _matched(each, only)):
            yield _Pairs(each.setting, each.label, pairs)


def _matched(first: Series, second: Series) -> list[tuple[Cell, Cell]]:
    pairs = ((cell, second.at(cell.convolution.kernels[0])) for cell in first.cells)
    return [(cell, other) for cell, other in pairs if other]
