"""The rows of two datasets that can be compared: the same model, batch, workload and varied factors in both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.dataset.columns import METRIC_COLUMNS
from perfcast.dataset.noise import replicate_pairs
from perfcast.dataset.valid import measured_rows, valid_rows
from perfcast.errors import UsageError
from perfcast.factors import NAMES
from perfcast.studies.comparison.visits import Visits, visits_of
from perfcast.studies.factor_sets import varied_factors
from perfcast.studies.results import read_results
from perfcast.text import escape_control, format_list

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IDENTITY = ["model", "batch", "workload"]
_REQUIRED = (*IDENTITY, "status", "replicate")
_MOST = 3


@dataclass(frozen=True)
class Pairs:
    """The models that both datasets measured.

    Attributes:
        column: the column that is compared.
        a, b: the rows of the first and of the second dataset, one a model in the same order.
        visits: those of each row of the first and of the second dataset; empty ones where visits say nothing.
        repeats: log ratios of measurements of one model that repeat each other within a dataset, of both datasets.
        left_out: rows of the first and of the second dataset that do not count, by reason.
        alone: how many models only the first, and only the second dataset has.
        differences: the factors that differ, with their values in the first and in the second dataset.
        identical: how many of the pairs are one and the same measurement.
        varied: the factors that are varied within a dataset, and so the same in a pair.
    """

    column: str
    a: pd.DataFrame
    b: pd.DataFrame
    visits: tuple[list[Visits], list[Visits]]
    repeats: np.ndarray
    left_out: tuple[Mapping[str, int], Mapping[str, int]]
    alone: tuple[int, int]
    differences: Mapping[str, tuple[str, str]]
    identical: int
    varied: tuple[str, ...]

    @property
    def values(self) -> tuple[np.ndarray, np.ndarray]:
        """What is compared, one number per model: the middle of the visits, else the column's value.

        `latency_ms` itself is taken from the fastest samples that agree. Which these are depends on chance where the
        visits scatter, and then it differs twice as much from one campaign to the next.
        """
        first, second = (
            np.array([visits.value if len(visits) else value for visits, value in zip(all_visits, column, strict=True)])
            for all_visits, column in zip(self.visits, (self.a[self.column], self.b[self.column]), strict=True)
        )
        return first, second

    @property
    def log_ratios(self) -> np.ndarray:
        """The logarithm of second over first, one number per model."""
        first, second = self.values
        return np.log(second) - np.log(first)


def read_dataset(path: Path, column: str) -> pd.DataFrame:
    """Return a dataset: a file, or the `dataset.parquet` of a target's folder.

    Raises:
        UsageError: it is missing, not a dataset, or lacks the column: one line that names it.
    """
    if column not in METRIC_COLUMNS:
        raise UsageError(f"metric {column}: cannot be compared; there are {', '.join(METRIC_COLUMNS)}")
    table = read_results(path, _REQUIRED)
    if column not in table:
        raise UsageError(f"{path}: has no column {column}; run the workflow again with this version")
    if not pd.api.types.is_numeric_dtype(table[column]):
        raise UsageError(f"{path}: not a dataset of perfcast: its column {column} is not numeric")
    return table


def pair(first: pd.DataFrame, second: pd.DataFrame, column: str) -> Pairs:
    """Return the rows that can be compared: measured, not rejected, replicate 0 and with a positive value.

    Raises:
        UsageError: there are none, or a dataset has several for one model.
    """
    varied = varied_factors(first, second)
    identity = list(dict.fromkeys([*IDENTITY, *varied]))
    (a, out_a), (b, out_b) = (_comparable(table, column, identity) for table in (first, second))
    _refuse_several(a, "the first")
    _refuse_several(b, "the second")
    common = a.index.intersection(b.index).sort_values()
    if common.empty:
        raise UsageError(
            f"no model is in both datasets with the same batch and workload: the first has {_some(a)}, "
            f"the second {_some(b)}"
        )
    sides = a.loc[common].reset_index(), b.loc[common].reset_index()
    differences = _differences(*sides)
    repeats = np.concatenate([_repeats(first, column), _repeats(second, column)])
    return Pairs(
        column=column,
        a=sides[0],
        b=sides[1],
        visits=(_visits(sides[0], column, differences), _visits(sides[1], column, differences)),
        repeats=repeats,
        left_out=(out_a, out_b),
        alone=(len(a) - len(common), len(b) - len(common)),
        differences=differences,
        identical=_identical(*sides),
        varied=varied,
    )


def _visits(side: pd.DataFrame, column: str, differences: Mapping[str, tuple[str, str]]) -> list[Visits]:
    found = [visits_of(row, column) for row in side.to_dict("records")]
    # The calibration workload runs on as many threads as the models, and so is another one.
    if "threads" not in differences:
        return found
    return [replace(visits, calibrations=np.full(len(visits), np.nan)) for visits in found]


def _comparable(table: pd.DataFrame, column: str, identity: list[str]) -> tuple[pd.DataFrame, dict[str, int]]:
    once = table[table["replicate"] == 0]
    measured = measured_rows(once)
    valid = valid_rows(once)
    values = valid[column].astype(float)
    usable = valid[np.isfinite(values) & (values > 0)]
    steps = {"not measured": (once, measured), "rejected": (measured, valid), "without a value": (valid, usable)}
    left_out = {reason: len(before) - len(after) for reason, (before, after) in steps.items()}
    return usable.set_index(identity), {reason: count for reason, count in left_out.items() if count}


def _refuse_several(side: pd.DataFrame, which: str) -> None:
    several = side.index[side.index.duplicated()]
    if len(several):
        raise UsageError(
            f"{which} dataset has {escape_control(several[0][0])} more than once; compare datasets of one target each"
        )


def _some(side: pd.DataFrame) -> str:
    names = sorted(set(side.index.get_level_values("model")))
    return format_list([escape_control(name) for name in names[:_MOST]], len(names)) if names else "none that counts"


def _repeats(table: pd.DataFrame, column: str) -> np.ndarray:
    first, second = replicate_pairs(table, column)
    values = {at: _value(table.iloc[at], column) for at in {*first.tolist(), *second.tolist()}}
    return np.log([values[at] for at in second]) - np.log([values[at] for at in first])


def _value(row: pd.Series, column: str) -> float:
    visits = visits_of(row, column)
    return visits.value if len(visits) else float(row[column])


def _differences(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, tuple[str, str]]:
    found = {}
    for name in (*NAMES, "iterations", "fingerprint"):
        if name in a and name in b and (values := (_distinct(a[name]), _distinct(b[name])))[0] != values[1]:
            found[name] = values
    return found


def _distinct(values: pd.Series) -> str:
    return ", ".join(sorted({_said(value) for value in values}))


def _said(value: Any) -> str:
    if pd.isna(value):
        return "unknown"
    return f"{value:g}" if isinstance(value, float) else escape_control(value)


def _identical(a: pd.DataFrame, b: pd.DataFrame) -> int:
    """Return how many pairs are one measurement. Its key does not say when: another store may measure it again."""
    if not {"measurement", "started_at"} <= {*a}.intersection(b):
        return 0
    return int(((a["measurement"] == b["measurement"]) & (a["started_at"] == b["started_at"])).sum())
