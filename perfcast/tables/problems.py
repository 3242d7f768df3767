"""What is wrong with rows of a table, each by its row: nothing is excluded or kept silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW
from perfcast.text import format_list, pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_CONSTANT = "another value is out of the domain"
EXCLUDED, KEPT, REPLACED, MERGED = "excluded", "kept", "replaced by the usual value", "added to that row"
BOUND = "used as a lower bound"
COLUMNS = ("table", "row", "column", "value", "problem", "done")

_LISTED = 3


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with rows.

    Attributes:
        column: where; empty for the row as a whole.
        what: what is wrong, as people say it.
        done: `EXCLUDED`, `KEPT`, `REPLACED`, `MERGED` or `BOUND`.
    """

    column: str
    what: str
    done: str


def at_rows(rows: pd.DataFrame, wrong: np.ndarray, problem: Problem) -> pd.DataFrame:
    """Return a line for each of ``rows`` that is ``wrong`` (booleans), with the columns `COLUMNS`."""
    chosen = rows.loc[wrong]
    value = chosen[problem.column].astype("str") if problem.column in chosen else ""
    return pd.DataFrame(
        {
            "table": chosen[TABLE],
            "row": chosen[ROW],
            "column": problem.column,
            "value": value,
            "problem": problem.what,
            "done": problem.done,
        },
        columns=list(COLUMNS),
    )


def constant_columns(names: Sequence[str]) -> pd.DataFrame:
    """Return a line for each column that nothing can be learned from, since it is the same in all rows."""
    line = {"table": "", "row": 0, "value": "", "problem": "is the same in all rows", "done": _CONSTANT}
    return pd.DataFrame([line | {"column": name} for name in names], columns=list(COLUMNS))


def listed(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return all lines, in the order of tables and rows."""
    full = [part for part in parts if len(part)]
    if not full:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(full).sort_values(["table", "row", "column"], kind="stable", ignore_index=True)


def kinds(problems: pd.DataFrame, *, several: bool) -> dict[str, int]:
    """Return a line for each kind of problem, with its first rows, and how many there are.

    Args:
        problems: as `listed`.
        several: whether there are several tables: rows are then named with theirs.
    """
    lines = {}
    for (column, what, done), rows in problems.groupby(["column", "problem", "done"], sort=False):
        named = f"{column} {what}" if column else what
        if not rows["table"].iloc[0]:
            lines[f"{named}: {done}"] = 1
            continue
        first = rows.head(_LISTED)
        places = zip(first["table"], first["row"], strict=True)
        shown = [f"{table} {row}" if several else str(row) for table, row in places]
        lines[f"{done}: {pluralize(len(rows), 'row')} where {named}: {format_list(shown, len(rows))}"] = len(rows)
    return lines
