"""What is wrong with rows of a table, each by its row: nothing is left out, or kept, without a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from perfcast.imports.reading import ROW, TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

LEFT_OUT, KEPT, REPLACED = "left out", "kept", "replaced by what is usual"
COLUMNS = ("table", "row", "column", "value", "problem", "done")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with rows.

    Attributes:
        column: where; empty for the row as a whole.
        what: what is wrong, as people say it.
        done: `LEFT_OUT`, `KEPT` or `REPLACED`.
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
    line = {"table": "", "row": 0, "value": "", "problem": "is the same in all rows", "done": LEFT_OUT}
    return pd.DataFrame([line | {"column": name} for name in names], columns=list(COLUMNS))


def listed(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return all lines, in the order of tables and rows."""
    full = [part for part in parts if len(part)]
    if not full:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(full).sort_values(["table", "row", "column"], kind="stable", ignore_index=True)
