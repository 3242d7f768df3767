"""Profiles of operations, as `perfcast profile` writes them: read and summed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from perfcast.bench.profiles import COLUMNS, KEYS, STEP
from perfcast.errors import UsageError
from perfcast.pages.formatting import escape_control, pluralize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

_ENDINGS = (".csv", ".parquet")
_TEXTS = dict.fromkeys(("optimizer", "layer"), str)
"""Columns that may be empty in all rows, and are numbers to a reader of CSV then."""
_NUMBERS = ("threads", "batch", *STEP, "calls", "time_ms")


@dataclass(frozen=True)
class Breakdown:
    """Where the time of a step goes.

    Attributes:
        model, place, workload: what was profiled; the place is target and threads, the workload has its optimizer.
        batch: inputs per step.
        steps: how many were traced.
        step_ms: median time of a step without tracing.
        traced_ms: mean time of the traced steps that count.
        busy_ms: of that, with at least one operation computing.
        by_operation, by_layer: columns `name`, `calls`, `time_ms` and `share` (of all operations' time), in order.
    """

    model: str
    place: str
    workload: str
    batch: int
    steps: int
    step_ms: float
    traced_ms: float
    busy_ms: float
    by_operation: pd.DataFrame
    by_layer: pd.DataFrame

    @property
    def label(self) -> str:
        """What was profiled, in words."""
        return f"{self.model}, {self.workload}, batch {self.batch}"

    @property
    def summed_ms(self) -> float:
        """The time of all operations, those at the same time counted each."""
        return float(self.by_operation["time_ms"].sum())

    @property
    def parallel_ms(self) -> float:
        """How much of that passed while another operation computed, too."""
        return self.summed_ms - self.busy_ms

    @property
    def idle_ms(self) -> float:
        """How much of a traced step passed without any operation."""
        return self.traced_ms - self.busy_ms


def read_breakdowns(path: Path) -> tuple[Breakdown, ...] | None:
    """Return the profiles of a file, None of a folder or file that holds something else.

    Raises:
        UsageError: it is a profile with a value that none can have: one line.
    """
    table = read_table(path, COLUMNS)
    if table is None:
        return None
    numbers = table[list(_NUMBERS)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not len(table) or not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise UsageError(f"{path}: not a profile: it has no rows, or a time or count that is not a positive number")
    if (bad := ~(table["traced_ms"] >= table["busy_ms"])).any():
        row = int(np.flatnonzero(bad)[0]) + 1
        raise UsageError(f"{path}: row {row}: busy_ms is more than traced_ms; profile the model again")
    return tuple(breakdowns_of(table))


def read_table(path: Path, columns: Collection[str]) -> pd.DataFrame | None:
    """Return a CSV or Parquet file that has ``columns``, None of what is neither or has others, which is not read."""
    if not path.is_file() or path.suffix not in _ENDINGS:
        return None
    try:
        if path.suffix == ".csv":
            has_them = set(columns) <= set(pd.read_csv(path, nrows=0).columns)
            return pd.read_csv(path, dtype=_TEXTS) if has_them else None
        return pd.read_parquet(path) if set(columns) <= set(pq.read_schema(path).names) else None
    except (OSError, ValueError, TypeError, NotImplementedError):
        return None


def breakdowns_of(table: pd.DataFrame) -> Iterator[Breakdown]:
    """Yield each profile of a table as `perfcast profile` writes it."""
    texts = table.fillna({"optimizer": "", "layer": ""})
    for values, rows in texts.groupby(list(KEYS), sort=False):
        about: dict[str, Any] = dict(zip(KEYS, values, strict=True))
        first = rows.iloc[0]
        yield Breakdown(
            escape_control(about["model"]),
            place_of(about),
            workload_of(about),
            int(about["batch"]),
            int(first["steps"]),
            float(first["step_ms"]),
            float(first["traced_ms"]),
            float(first["busy_ms"]),
            _summed(rows, "operation"),
            _summed(rows, "layer"),
        )


def place_of(about: Mapping[str, Any]) -> str:
    """Return target and threads of a profile (`KEYS`), in words."""
    return escape_control(f"{about['target']}, {pluralize(int(about['threads']), 'thread')}")


def workload_of(about: Mapping[str, Any]) -> str:
    """Return workload and optimizer of a profile (`KEYS`), in words."""
    return escape_control(" · ".join(filter(None, (about["workload"], about["optimizer"]))))


def _summed(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    found = rows.groupby(column, sort=True)[["calls", "time_ms"]].sum().reset_index(names="name")
    found["name"] = found["name"].map(escape_control)
    total = found["time_ms"].sum()
    found["share"] = found["time_ms"] / total if total else 0.0
    return found.sort_values("time_ms", ascending=False, kind="stable", ignore_index=True)
