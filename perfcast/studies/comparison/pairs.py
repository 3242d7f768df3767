"""The rows of two datasets that can be compared: the same model, batch, workload and varied factors in both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.bench.environment import differing
from perfcast.dataset.columns import METRIC_COLUMNS
from perfcast.dataset.noise import replicate_pairs
from perfcast.dataset.valid import measured_rows, valid_rows
from perfcast.errors import UsageError
from perfcast.factors import NAMES
from perfcast.studies.comparison.visits import DEFAULT, Visits, visits_of
from perfcast.studies.factor_sets import varied_factors
from perfcast.studies.results import read_results
from perfcast.text import escape_control, format_list, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IDENTITY = ["model", "batch", "workload"]
_REQUIRED = (*IDENTITY, "status", "replicate")
_NAMED = 3
_MAX_LENGTH = 60
_MAJORITY = 0.5
_SAMPLES = "wall_samples_ms"
_DISTURBED = "without an undisturbed visit"


@dataclass(frozen=True)
class Pairs:
    """The models that both datasets measured, each of them once.

    Attributes:
        column: the column that is compared.
        a, b: the rows of the first and of the second dataset, one per model in the same order.
        visits: those of each row of the first and of the second dataset; empty ones where visits say nothing.
        repeats: log ratios of measurements of one model that repeat each other within a dataset, of both datasets.
        left_out: rows of the first and of the second dataset that do not count, by reason.
        alone: how many models only the first, and only the second dataset has.
        differences: the factors and facts of the environment that differ, with their values in both datasets.
        identical: how many models were left out since both datasets hold the very same samples of them.
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

    @cached_property
    def values(self) -> tuple[np.ndarray, np.ndarray]:
        """What is compared, one number per model: the middle of the visits, else the column's value.

        `latency_ms` itself is taken from the fastest samples that agree. Which these are depends on chance where the
        visits scatter, and then it differs twice as much from one campaign to the next.
        """
        first, second = (
            np.array([_value(visits, value) for visits, value in zip(all_visits, column, strict=True)], float)
            for all_visits, column in zip(self.visits, (self.a[self.column], self.b[self.column]), strict=True)
        )
        return first, second


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
    alone = (len(a) - len(common), len(b) - len(common))
    sides = a.loc[common].reset_index(), b.loc[common].reset_index()
    differences = _differences(*sides) | _different_facts((first, second), sides)
    known, visits = _with_visits(sides, column)
    for out, has in zip((out_a, out_b), known, strict=True):
        out |= {_DISTURBED: int((~has).sum())} if not has.all() else {}
    same = _same_samples(*sides)
    kept = np.flatnonzero(known.all(axis=0) & ~same)
    return Pairs(
        column=column,
        a=sides[0].iloc[kept].reset_index(drop=True),
        b=sides[1].iloc[kept].reset_index(drop=True),
        visits=(
            [_calibrated(visits[0][at], differences) for at in kept],
            [_calibrated(visits[1][at], differences) for at in kept],
        ),
        repeats=np.concatenate([_repeats(first, column), _repeats(second, column)]),
        left_out=(out_a, out_b),
        alone=alone,
        differences=differences,
        identical=int(same.sum()),
        varied=varied,
    )


def _with_visits(sides: tuple[pd.DataFrame, pd.DataFrame], column: str) -> tuple[np.ndarray, list[list[Visits]]]:
    """Return which models have visits that count, if they have visits, by side; and these visits.

    Of `latency_ms` the undisturbed ones count if most models have some in both datasets: all models are then compared
    as they are on a calm machine. Else all visits count: a calm visit of one model must not stand beside disturbed
    ones of others.
    """
    every = [[visits_of(row, column) for row in side.to_dict("records")] for side in sides]
    calm = [[visits.undisturbed for visits in side] for side in every]
    in_both = np.mean([len(one) > 0 and len(other) > 0 for one, other in zip(*calm, strict=True)])
    counted = calm if column == DEFAULT and in_both > _MAJORITY else every
    pairs = zip(counted, every, strict=True)
    has = [[len(some) > 0 or not len(all_of) for some, all_of in zip(*both, strict=True)] for both in pairs]
    return np.array(has, bool), counted


def _calibrated(visits: Visits, differences: Mapping[str, tuple[str, str]]) -> Visits:
    """Return visits without calibrations if the threads differ: the workload runs on as many, and so is another one."""
    return replace(visits, calibrations=np.full(len(visits), np.nan)) if "threads" in differences else visits


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
    return format_list([escape_control(name) for name in names[:_NAMED]], len(names)) if names else "none that counts"


def _repeats(table: pd.DataFrame, column: str) -> np.ndarray:
    if table["replicate"].nunique() < 2:
        return np.empty(0)
    first, second = replicate_pairs(table, column)
    logs = {at: np.log(_value(visits_of(table.iloc[at], column), table[column].iloc[at])) for at in {*first, *second}}
    return np.array([logs[b] - logs[a] for a, b in zip(first, second, strict=True)])


def _value(visits: Visits, otherwise: float) -> float:
    return float(np.exp(visits.middle)) if len(visits) else float(otherwise)


def _differences(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, tuple[str, str]]:
    found = {}
    for name in (*NAMES, "iterations"):
        if name in a and name in b and (values := (_distinct(a[name]), _distinct(b[name])))[0] != values[1]:
            found[name] = values
    return found


def _different_facts(
    tables: tuple[pd.DataFrame, pd.DataFrame], sides: tuple[pd.DataFrame, pd.DataFrame]
) -> dict[str, tuple[str, str]]:
    """Return the facts in which the environments of two datasets differ; where these are not known, their digests."""
    if not all("fingerprint" in side for side in sides):
        return {}
    digests = [side["fingerprint"].unique() for side in sides]
    if set(digests[0]) == set(digests[1]):
        return {}
    try:
        (first,), (second,) = digests
        facts = differing(
            *(table.attrs["fingerprints"][name] for table, name in zip(tables, (first, second), strict=True))
        )
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
    ):  # An earlier version, several toolchains, or a foreign file.
        return {"fingerprint": (_distinct(sides[0]["fingerprint"]), _distinct(sides[1]["fingerprint"]))}
    return {name: (one_line(before, _MAX_LENGTH), one_line(now, _MAX_LENGTH)) for name, (before, now) in facts.items()}


def _distinct(values: pd.Series) -> str:
    return ", ".join(sorted({_said(value) for value in values}))


def _said(value: Any) -> str:
    if pd.isna(value):
        return "unknown"
    return f"{value:g}" if isinstance(value, float) else escape_control(value)


def _same_samples(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
    """Return which models have the very same samples in both, taken at the same time if that is known.

    A measurement's key does not tell: another store may measure it again. Where the clock is coarse, samples alone
    may agree by chance.
    """
    names = [name for name in ("started_at", _SAMPLES) if name in a and name in b]
    rows = zip(a[names].to_dict("records"), b[names].to_dict("records"), strict=True)
    return np.array([_SAMPLES in names and _is_same(first, second) for first, second in rows], bool)


def _is_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first[_SAMPLES] is not None and all(np.array_equal(first[name], second[name]) for name in first)
