"""Test results as the study reads them: single rows to describe, and conditions to reason about.

A *condition* is a combination of the factors' levels that was tested. The rows of one condition are its replicates: how
far these differ is the variance between runs. Tables of any length come down to their conditions and a sample of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.errors import UsageError
from perfcast.studies.factors.cells import kind_of, levels_in, measured_in, without_markers
from perfcast.studies.factors.roles import PERFORMANCE
from perfcast.tables.problems import EXCLUDED, Problem, at_rows, listed
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perfcast.studies.factors.roles import Metric, Roles

SAMPLE_ROWS = 20_000
MAX_CONDITIONS = 20_000
_LISTED_PROBLEMS = 10_000
_MOMENTS = ("count", "mean", "ss", "low", "high")
_RANK = "__rank__"
_PER = 1e6


@dataclass(frozen=True)
class Cells:
    """A metric in the conditions that have a value of it.

    Attributes:
        conditions: their levels, one row per condition.
        count: of runs.
        mean: of the logarithm over the runs.
        within: sum of squares of the logarithm about that mean.
    """

    conditions: pd.DataFrame
    count: np.ndarray
    mean: np.ndarray
    within: np.ndarray

    @property
    def replicates(self) -> int:
        """Degrees of freedom of the variance between runs."""
        return int((self.count - 1).sum())

    @property
    def run_variance(self) -> float:
        """Variance of the logarithm between runs of one condition; NaN where no condition has two."""
        return float(self.within.sum() / self.replicates) if self.replicates else float("nan")

    def where(self, rows: np.ndarray) -> Cells:
        """Return these cells in some of the conditions."""
        return Cells(self.conditions[rows].reset_index(drop=True), self.count[rows], self.mean[rows], self.within[rows])


@dataclass(frozen=True)
class Results:
    """What was read.

    Attributes:
        roles: which column is what.
        rows: rows with their levels and metrics; a random sample of those of a long table.
        total: how many rows there are.
        conditions: the levels of all factors, one row per condition.
        cells: of each metric, by its column.
        moments: of each metric: `count`, `mean`, `std`, `min` and `max` over all rows.
        problems: what is wrong with rows, as `perfcast.tables.problems` lists it.
        problem_count: how many lines that list has, or would have.
    """

    roles: Roles
    rows: pd.DataFrame
    total: int
    conditions: pd.DataFrame
    cells: dict[str, Cells]
    moments: pd.DataFrame
    problems: pd.DataFrame
    problem_count: int

    @property
    def is_sampled(self) -> bool:
        """Whether `rows` are only some of them."""
        return len(self.rows) < self.total

    def usable(self) -> tuple[Metric, ...]:
        """Return the metrics that have values."""
        return tuple(metric for metric in self.roles.metrics if len(self.cells[metric.column].count))


@dataclass
class _Collected:
    """What the parts read so far came to."""

    total: int = 0
    sample: pd.DataFrame | None = None
    sums: dict[str, pd.DataFrame] = field(default_factory=dict)
    plain: dict[str, pd.DataFrame] = field(default_factory=dict)
    problems: list[pd.DataFrame] = field(default_factory=list)
    problem_count: int = 0


def collect(parts: Iterable[pd.DataFrame], roles: Roles, earlier: Sequence[pd.DataFrame] = ()) -> Results:
    """Return what the parts of a table hold.

    Args:
        parts: with the columns `ROW` and `TABLE`; each is forgotten before the next is read.
        roles: of their columns.
        earlier: what was found wrong before.

    Raises:
        UsageError: the factors have too many combinations, or no row is left.
    """
    found, chance = _Collected(), np.random.default_rng(0)
    _note(found, list(earlier))
    for part in parts:
        rows = _typed(part, roles, found)
        found.total += len(rows)
        _keep_sample(found, rows, chance)
        for metric in roles.metrics:
            _add(found, rows, metric.column, roles)
    if found.sample is None or not found.total:
        raise UsageError("no row is left: in each one a factor is missing; name others with --factors")
    rows = found.sample.drop(columns=_RANK).sort_index(kind="stable").reset_index(drop=True)
    cells = {name: _cells(sums, roles) for name, sums in found.sums.items()}
    every = [each.conditions for each in cells.values() if len(each.conditions)]
    every = every or [rows[list(roles.factors)]]
    conditions = pd.concat(every).drop_duplicates(ignore_index=True) if roles.factors else every[0]
    moments = pd.DataFrame({name: _moments(sums) for name, sums in found.plain.items()})
    return Results(roles, rows, found.total, conditions, cells, moments, listed(found.problems), found.problem_count)


def _typed(part: pd.DataFrame, roles: Roles, found: _Collected) -> pd.DataFrame:
    """Return the rows of a part whose factors are known, with levels and values."""
    columns: dict[str, pd.Series] = {ROW: part[ROW], TABLE: part[TABLE]}
    if roles.id:
        columns[roles.id] = part[roles.id]
    unknown = np.zeros(len(part), dtype=bool)
    for name in roles.factors:
        column = without_markers(part[name])
        levels = levels_in(column, "numbers" if name in roles.numeric else "text")
        missing = levels.isna().to_numpy()
        _note(found, [at_rows(part, missing, Problem(name, "is missing or not of its kind", EXCLUDED))])
        unknown |= missing
        columns[name] = levels
    for metric in roles.measured:
        cleaned = part.assign(**{metric.column: without_markers(part[metric.column])})
        if kind_of(cleaned[metric.column]) == "nested":
            cleaned[metric.column] = None
        columns[metric.column], lines = measured_in(cleaned, metric.column, metric.unit)
        _note(found, lines)
    if PERFORMANCE in roles.metrics:
        columns[PERFORMANCE.column] = _performance(columns, roles)
    return pd.DataFrame(columns)[~unknown]


def _performance(columns: dict[str, pd.Series], roles: Roles) -> pd.Series:
    """Return 10⁶ / (memory × time) in MB and ms, NaN where one of the two is missing."""
    parts = [metric for metric in (roles.first("time"), roles.first("memory")) if metric and metric.unit]
    product = pd.Series(1.0, index=columns[ROW].index)
    for metric in parts:
        product = product * columns[metric.column] * (metric.unit.factor if metric.unit else 1.0)
    return _PER / product


def _note(found: _Collected, lines: list[pd.DataFrame]) -> None:
    kept = sum(map(len, found.problems))
    for each in lines:
        found.problem_count += len(each)
        if len(each) and kept < _LISTED_PROBLEMS:
            found.problems.append(each.head(_LISTED_PROBLEMS - kept))
            kept += len(found.problems[-1])


def _keep_sample(found: _Collected, rows: pd.DataFrame, chance: np.random.Generator) -> None:
    """Keep the rows with the smallest of random numbers: a random sample, whatever comes later."""
    ranked = rows.assign(**{_RANK: chance.random(len(rows))})
    ranked.index = pd.RangeIndex(found.total - len(rows), found.total)
    pooled = ranked if found.sample is None else pd.concat([found.sample, ranked])
    found.sample = pooled if len(pooled) <= SAMPLE_ROWS else pooled.nsmallest(SAMPLE_ROWS, _RANK)


def _add(found: _Collected, rows: pd.DataFrame, column: str, roles: Roles) -> None:
    known = rows[rows[column].notna()]
    for store, values, by in (
        (found.sums, np.log(known[column]), list(roles.factors)),
        (found.plain, known[column], []),
    ):
        new = _summed(values, known, by)
        store[column] = _pooled(store[column], new, by) if column in store else new
    if len(found.sums[column]) > MAX_CONDITIONS:
        raise UsageError(
            f"the factors {', '.join(roles.factors)} have more than {MAX_CONDITIONS:,} combinations; "
            "name fewer with --factors"
        )


def _summed(values: pd.Series, known: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    keys = [known[name] for name in by] or [pd.Series(0, index=known.index)]
    groups = values.groupby(keys, sort=True, observed=True)
    table = groups.agg(count="count", mean="mean", variance="var", low="min", high="max")
    table["ss"] = table["variance"].fillna(0) * (table["count"] - 1)
    return table[list(_MOMENTS)]


def _pooled(one: pd.DataFrame, other: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the moments of two parts together (Chan, Golub and LeVeque 1983)."""
    a, b = one.align(other, join="outer", axis=0)
    counts = a["count"].fillna(0), b["count"].fillna(0)
    total = counts[0] + counts[1]
    shift = (b["mean"] - a["mean"]).fillna(0)
    mean = a["mean"].fillna(b["mean"]) + shift * counts[1] / total
    within = a["ss"].fillna(0) + b["ss"].fillna(0) + shift**2 * counts[0] * counts[1] / total
    mean = mean.where(a["mean"].notna(), b["mean"])
    low, high = np.fmin(a["low"], b["low"]), np.fmax(a["high"], b["high"])
    table = pd.DataFrame({"count": total, "mean": mean, "ss": within, "low": low, "high": high})
    return table.rename_axis(by) if by else table


def _cells(sums: pd.DataFrame, roles: Roles) -> Cells:
    levels = sums.index.to_frame(index=False)
    conditions = levels[list(roles.factors)] if roles.factors else pd.DataFrame(index=range(len(sums)))
    return Cells(conditions, *(sums[name].to_numpy(dtype=float) for name in ("count", "mean", "ss")))


def _moments(sums: pd.DataFrame) -> pd.Series:
    if sums.empty:
        return pd.Series({"count": 0.0, "mean": np.nan, "std": np.nan, "min": np.nan, "max": np.nan})
    row = sums.iloc[0]
    std = np.sqrt(row["ss"] / (row["count"] - 1)) if row["count"] > 1 else np.nan
    return pd.Series({"count": row["count"], "mean": row["mean"], "std": std, "min": row["low"], "max": row["high"]})
