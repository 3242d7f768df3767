"""Tables of others as they stand: text and numbers, with the row of the file that each line came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perfcast.imports.mapping import Mapping

ROW, TABLE = "__row__", "__table__"
"""The columns that say where a row stands: its line in the file, or its number in a Parquet table, and the file."""


def read_tables(paths: Sequence[Path], mapping: Mapping, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the rows of tables one after the other; what is missing in them is missing here.

    Text stays text: what has to be a number is read as one later, so that what is none can be named.

    Args:
        paths: of the tables.
        mapping: how to read them.
        columns: that they need to have; all that the mapping names where not given.

    Raises:
        UsageError: a file cannot be read as a table, or lacks a column that the mapping names.
    """
    needed = mapping.named if columns is None else columns
    return pd.concat([_read(path, mapping, needed) for path in paths], ignore_index=True)


def _read(path: Path, mapping: Mapping, needed: Sequence[str]) -> pd.DataFrame:
    try:
        table = _parquet(path) if path.suffix == ".parquet" else _text(path, mapping, needed)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except pd.errors.EmptyDataError as error:
        raise UsageError(f"{path}: is empty") from error
    except (ValueError, EOFError) as error:  # pandas' and pyarrow's own errors are of these kinds.
        raise UsageError(f"{path}: cannot be read as a table ({' '.join(str(error).split())[:200]})") from error
    lacking = [name for name in needed if name not in table]
    if lacking:
        listed = ", ".join(map(repr, lacking[:5]))
        raise UsageError(f"{path}: lacks the column{'s' * (len(lacking) > 1)} {listed}, which the mapping names")
    return table.assign(**{TABLE: str(path)})


def _text(path: Path, mapping: Mapping, needed: Sequence[str]) -> pd.DataFrame:
    has_header = mapping.columns is None
    table = pd.read_csv(
        path,
        header=0 if has_header else None,
        dtype="str",
        keep_default_na=False,
        na_values=["", *mapping.missing],
        skip_blank_lines=False,
        skipinitialspace=True,
        encoding="utf-8-sig",
    )
    if mapping.columns is not None:
        table.columns = pd.Index(_names(path, len(table.columns), mapping, needed))
    table[ROW] = table.index + (2 if has_header else 1)
    return table.dropna(how="all", subset=[name for name in table if name != ROW])


def _names(path: Path, count: int, mapping: Mapping, needed: Sequence[str]) -> list[str]:
    """Return the names of the columns of a table without a header; what was measured may be left out to be forecast."""
    names = list(mapping.columns or ())
    if count == len(names):
        return names
    measured = {metric.column for metric in mapping.metrics.values()}
    asked = [name for name in names if name not in measured]
    if count == len(asked) and not measured & set(needed):
        return asked
    raise UsageError(f"{path}: has {count} columns, the mapping names {len(names)}: is it the right one?")


def _parquet(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    return table.assign(**{ROW: range(1, len(table) + 1)})
