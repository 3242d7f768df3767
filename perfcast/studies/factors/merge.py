"""Several tables about the same rows become one, on the column that names a row; what does not fit is listed by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.errors import UsageError
from perfcast.studies.factors.cells import without_markers
from perfcast.tables.problems import EXCLUDED, KEPT, Problem, at_rows
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW
from perfcast.text import escape_control, format_list

if TYPE_CHECKING:
    from collections.abc import Sequence

_OWN = (ROW, TABLE)
_MAX_WHOLE = 2**53
_NAMED = 8


def merge(tables: Sequence[pd.DataFrame], asked_id: str = "") -> tuple[pd.DataFrame, list[pd.DataFrame], str]:
    """Return the rows that all tables have, with the columns of all; what is wrong with the others; and the id used.

    Tables of the same columns are rows of one table: they are put below each other.

    Args:
        tables: as `perfcast.tables.files` reads them, each whole.
        asked_id: the column that names a row; empty for the one that all tables share and that is unique.

    Raises:
        UsageError: there is no such column, or several could be it.
    """
    clean = [pd.DataFrame({name: _plain(table, name) for name in table}) for table in tables]
    if len(clean) > 1 and len({frozenset(table) for table in clean}) == 1:
        clean = [pd.concat(clean, ignore_index=True)]
    row_id = asked_id or (_shared_id(clean) if len(clean) > 1 else "")
    if not row_id:
        return clean[0], [], ""
    for table in clean:
        if row_id not in table:
            raise UsageError(f"{table[TABLE].iloc[0]}: there is no column {row_id!r} to merge on; name one with --id")
    lines: list[pd.DataFrame] = []
    unique = [_one_per_id(table, row_id, lines) for table in clean]
    return _joined(unique, row_id, lines), lines, row_id


def _plain(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in _OWN else without_markers(table[name])


def _shared_id(tables: Sequence[pd.DataFrame]) -> str:
    """Return the column that all tables share, and of several the one that is unique in each."""
    shared = [name for name in tables[0] if name not in _OWN and all(name in table for table in tables)]
    unique = [name for name in shared if all(_keys(table[name]).is_unique for table in tables)]
    candidates = shared if len(shared) == 1 else unique
    if len(candidates) == 1:
        return candidates[0]
    names = [escape_control(name) for name in (candidates or shared)]
    which = f"several could be: {format_list(names[:_NAMED], len(names))}" if names else "no column is in all of them"
    raise UsageError(f"cannot tell which column names a row in all tables: {which}; name it with --id")


def _keys(column: pd.Series) -> pd.Series:
    return column.map(_key, na_action="ignore")


def _key(value: object) -> str:
    """Return an id as text: 17, 17.0 and `17 ` are one."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < _MAX_WHOLE else text


def _one_per_id(table: pd.DataFrame, row_id: str, lines: list[pd.DataFrame]) -> pd.DataFrame:
    """Return a table by its ids, the first row of each; the others are listed."""
    keys = _keys(table[row_id])
    lines.append(at_rows(table, keys.isna().to_numpy(), Problem(row_id, "is missing", EXCLUDED)))
    table, keys = table[keys.notna()], keys[keys.notna()]
    later = keys.duplicated().to_numpy()
    if later.any():
        values = table.drop(columns=[row_id, *_OWN]).astype(str)
        firsts = values.set_axis(keys, axis=0)[~later].reindex(keys).to_numpy()
        differs = (values.to_numpy() != firsts).any(axis=1)
        contradicted = (keys.isin(keys[later & differs]) & ~later).to_numpy()
        for rows, what, done in (
            (later & ~differs, "repeats an earlier row", EXCLUDED),
            (later & differs, "contradicts an earlier row with this id", EXCLUDED),
            (contradicted, "is contradicted by a later row with this id", KEPT),
        ):
            lines.append(at_rows(table, rows, Problem(row_id, what, done)))
    return table[~later].set_axis(keys[~later], axis=0)


def _joined(tables: Sequence[pd.DataFrame], row_id: str, lines: list[pd.DataFrame]) -> pd.DataFrame:
    for other in tables[1:]:
        _list_unmatched(tables[0], other, row_id, lines)
    everywhere = [key for key in tables[0].index if all(key in table.index for table in tables)]
    if not everywhere:
        raise UsageError(f"no row is in all tables: the values of {row_id!r} differ; name another column with --id")
    found = tables[0].loc[everywhere]
    for table in tables[1:]:
        rows = table.loc[everywhere]
        for name in rows.columns.difference([row_id, *_OWN], sort=False):
            if name in found:
                _list_conflicts(found, rows, name, lines)
            else:
                found = found.assign(**{name: rows[name]})
    return found.reset_index(drop=True)


def _list_unmatched(one: pd.DataFrame, other: pd.DataFrame, row_id: str, lines: list[pd.DataFrame]) -> None:
    for table, second in ((one, other), (other, one)):
        if len(second):
            what = f"has no row of this id in {second[TABLE].iloc[0]}"
            lines.append(at_rows(table, ~table.index.isin(second.index), Problem(row_id, what, EXCLUDED)))


def _list_conflicts(found: pd.DataFrame, rows: pd.DataFrame, name: str, lines: list[pd.DataFrame]) -> None:
    first, second = _keys(found[name]).to_numpy(), _keys(rows[name]).to_numpy()
    both = found[name].notna().to_numpy() & rows[name].notna().to_numpy()
    differs = both & np.array([str(a) != str(b) for a, b in zip(first, second, strict=True)], dtype=bool)
    what = f"contradicts {found[TABLE].iloc[0]}, whose value counts"
    lines.append(at_rows(rows, differs, Problem(name, what, EXCLUDED)))
