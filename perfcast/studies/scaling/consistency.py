"""What does not fit together in a data set: total and mean times, and combinations far off their neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.scaling.blocks import blocks_of
from perfcast.text import format_list, format_number, pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from perfcast.studies.scaling.blocks import Blocks
    from perfcast.studies.scaling.observations import Observations

ITERATIONS_OF_DOCUMENT = 10
"""By which the document says that it divides a total time."""
_EXACT = 1e-6
"""Relative difference that rounding explains."""
_FAR_FACTOR = 1.5
_FAR_SCALES = 8.0
_TO_SIGMA = 1.4826
_SHOWN = 6
_MIN_LEVELS = 4
"""Of fewer, one that is far off moves the median of the others."""


@dataclass(frozen=True)
class Divisor:
    """By what a table divides total times to have mean times.

    Attributes:
        value: the usual quotient of total and mean.
        rows: how many rows have both.
        others: how many rows have another quotient.
    """

    value: float
    rows: int
    others: int


@dataclass(frozen=True)
class Outlier:
    """A combination far off the others that differ from it in one factor only.

    Attributes:
        values: of the factors, in the order of the data set.
        ratio: of its time to what these others suggest: their median, and what the level usually does.
    """

    values: tuple[float, ...]
    ratio: float


def divisor_of(observations: Observations) -> Divisor | None:
    """Return by what total times are divided; None for a table without both."""
    if not observations.total:
        return None
    rows = observations.rows.dropna(subset=["total", "time"])
    if not len(rows):
        return None
    quotients = (rows["total"] / rows["time"]).to_numpy(float)
    usual = float(np.median(quotients))
    value = float(round(usual)) if abs(usual - round(usual)) <= _EXACT * usual else usual
    others = int((np.abs(quotients / value - 1) > _EXACT).sum())
    return Divisor(value, len(rows), others)


def divisor_sentences(sets: Sequence[Observations]) -> list[str]:
    """Return how total and mean times of several data sets fit together, a sentence each."""
    found = [(each, divisor) for each in sets if (divisor := divisor_of(each)) is not None]
    return [_sentence(each, divisor, [other.value for _, other in found]) for each, divisor in found]


def _sentence(observations: Observations, divisor: Divisor, every: list[float]) -> str:
    value = format_number(divisor.value)
    rows = f"in all {divisor.rows:,} rows"
    if divisor.others:
        rows = (
            f"in {divisor.rows - divisor.others:,} of {divisor.rows:,} rows; {divisor.others:,} have another quotient"
        )
    text = f"{observations.label}: {observations.time} is {observations.total} / {value} {rows}"
    usual = _usual(observations, every)
    if usual is None or abs(divisor.value / usual - 1) <= _EXACT:
        return f"{text}."
    factor = usual / divisor.value
    whose = "the document says" if usual == ITERATIONS_OF_DOCUMENT else "the other data sets say"
    return (
        f"{text}, where {whose} {format_number(usual)}. Either {value} iterations were run, or its mean times are "
        f"{format_number(factor)} times too long: absolute times cannot be compared with the others, ratios can."
    )


def _usual(observations: Observations, every: list[float]) -> float | None:
    """Return what to expect: the document's iterations of its tables, what most of several tables have of others."""
    if observations.kind == "document":
        return float(ITERATIONS_OF_DOCUMENT)
    most = max(set(every), key=every.count)
    return most if every.count(most) > 1 else None


def outliers_of(observations: Observations) -> tuple[Outlier, ...]:
    """Return the combinations whose time is far off those of their neighbours, the farthest first.

    Neighbours differ in one factor only, that whose levels do the same in all combinations of the others, as far as
    this is so of any. Far is a factor of 1.5 at least, and 8 robust standard deviations of all such distances.
    """
    blocks = [blocks_of(observations, factor) for factor in observations.factors]
    usable = [each for each in blocks if len(each.levels) >= _MIN_LEVELS and len(each.paired) > 1]
    if not usable:
        return ()
    least = min(usable, key=_typical_distance)
    unusual = _unusual(least)
    far = max(np.log(_FAR_FACTOR), _FAR_SCALES * _TO_SIGMA * _typical_distance(least))
    found = [
        Outlier(_values(observations, least, int(row), int(column)), float(np.exp(unusual[row, column])))
        for row, column in zip(*np.nonzero(np.abs(unusual) > far), strict=True)
    ]
    return tuple(sorted(found, key=lambda outlier: -abs(np.log(outlier.ratio))))


def _distances(blocks: Blocks) -> np.ndarray:
    """Return each time's distance from the median of the others in its block, as logarithms; NaN in blocks of two."""
    distances = np.full(blocks.logs.shape, np.nan)
    for column in range(blocks.logs.shape[1]):
        others = np.delete(blocks.logs, column, axis=1)
        enough = ((~np.isnan(others)).sum(axis=1) > 1) & ~np.isnan(blocks.logs[:, column])
        distances[enough, column] = blocks.logs[enough, column] - np.nanmedian(others[enough], axis=1)
    return distances


def _unusual(blocks: Blocks) -> np.ndarray:
    """Return distances without what a level usually does, their median over blocks; those of no known one are 0."""
    distances = _distances(blocks)
    known = ~np.isnan(distances).all(axis=0)
    usual = np.zeros(len(blocks.levels))
    usual[known] = np.nanmedian(distances[:, known], axis=0)
    return np.nan_to_num(distances - usual)


def _typical_distance(blocks: Blocks) -> float:
    known = ~np.isnan(_distances(blocks))
    return float(np.median(np.abs(_unusual(blocks)[known]))) if known.any() else np.inf


def _values(observations: Observations, blocks: Blocks, row: int, column: int) -> tuple[float, ...]:
    others = iter(blocks.names[row])
    return tuple(
        float(blocks.levels[column]) if factor is blocks.factor else float(next(others))
        for factor in observations.factors
    )


def outlier_sentence(observations: Observations, outliers: Sequence[Outlier]) -> str:
    """Return a sentence about the combinations far off; empty for none."""
    if not outliers:
        return ""
    named = [f"{_named(observations, each)}: {format_number(each.ratio)} times" for each in outliers[:_SHOWN]]
    count = pluralize(len(outliers), "combination is", "combinations are")
    return f"{observations.label}: {count} far off what the others suggest: {format_list(named, len(outliers), '; ')}."


def _named(observations: Observations, outlier: Outlier) -> str:
    pairs = zip(observations.factors, outlier.values, strict=True)
    return ", ".join(f"{factor.name} {format_number(value)}" for factor, value in pairs)


def without(observations: Observations, outliers: Sequence[Outlier]) -> Observations:
    """Return a data set without the combinations far off."""
    columns = [factor.column for factor in observations.factors]
    values = {outlier.values for outlier in outliers}

    def kept(table: pd.DataFrame) -> pd.DataFrame:
        found = [tuple(row) not in values for row in table[columns].to_numpy(float)]
        return table[found].reset_index(drop=True)

    return replace(observations, cells=kept(observations.cells), rows=kept(observations.rows))
