"""Tables of others as they stand: text and numbers, with the row of the file that each line came from."""

from __future__ import annotations

import contextlib
import csv
import lzma
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pandas as pd
from pandas.api.types import is_numeric_dtype, is_object_dtype, is_string_dtype

from perfcast.dataset.reading import read_dataset
from perfcast.errors import UsageError
from perfcast.tables.text_tables import ROW, Layout, column_names, first_row, text_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from perfcast.tables.mapping import Mapping

TABLE = "__table__"
"""The column that says which file a row is of; `ROW` is its line there, or its number in a table without lines."""

# pandas' and pyarrow's own errors are ValueErrors; a packing that nothing here can read is an ImportError.
_BROKEN = (
    *(ValueError, TypeError, NotImplementedError, EOFError, ImportError, csv.Error),
    *(zlib.error, zipfile.BadZipFile, lzma.LZMAError, tarfile.TarError),
)


def read_tables(paths: Sequence[Path], mapping: Mapping) -> pd.DataFrame:
    """Return the rows of tables one after the other; what is missing in them is missing here.

    Text stays text: what must be a number is read as one later, so that other text can be named.

    Args:
        paths: of the tables.
        mapping: how to read them.

    Raises:
        UsageError: a file cannot be read as a table, or lacks a column that the mapping names.
    """
    return without_markers(tables_as_they_stand(paths, mapping, mapping.named, "the mapping names"), mapping)


def tables_as_they_stand(paths: Sequence[Path], mapping: Mapping, needed: Sequence[str], whose: str) -> pd.DataFrame:
    """Return the rows of tables one after the other, all of them, with what stands in them, markers too.

    Args:
        paths: of the tables.
        mapping: how to read them.
        needed: the columns that they must have.
        whose: who needs these, for the message, such as `the mapping names`.

    Raises:
        UsageError: a file cannot be read as a table, names two columns alike, or lacks one that is needed.
    """
    return pd.concat([_read(path, mapping, needed, whose) for path in paths], ignore_index=True)


def without_markers(table: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return a table that is missing what it says is missing: with nothing at all, or by one of the mapping's markers.

    A marker that is a number stands for that number in a column of numbers.
    """
    numbers = pd.to_numeric(pd.Series(mapping.missing, dtype="str"), errors="coerce").dropna()

    def known(column: pd.Series) -> pd.Series:
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        if is_numeric_dtype(column):
            return column.mask(column.isin(numbers))
        if is_object_dtype(column):  # of Parquet, where lists stand, too
            return column.mask([isinstance(value, str) and value in texts for value in column])
        return column.mask(column.isin(texts)) if is_string_dtype(column) else column

    texts = ("", *mapping.missing)
    return pd.DataFrame({name: table[name] if name in (ROW, TABLE) else known(table[name]) for name in table})


@contextlib.contextmanager
def broken_tables_refused(path: Path) -> Iterator[None]:
    """Let what libraries raise over a broken file be one line that names it.

    Raises:
        UsageError: for any of that.
    """
    try:
        yield
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except _BROKEN as error:
        raise UsageError(f"{path}: cannot be read as a table ({' '.join(str(error).split())[:200]})") from error


def _read(path: Path, mapping: Mapping, needed: Sequence[str], whose: str) -> pd.DataFrame:
    with broken_tables_refused(path):
        table = _parquet(path) if path.suffix == ".parquet" else _text(path, mapping, needed)
    lacking = [name for name in needed if name not in table]
    if lacking:
        listed = ", ".join(map(repr, lacking[:5]))
        raise UsageError(f"{path}: lacks the column{'s' * (len(lacking) > 1)} {listed}, which {whose}")
    return table.assign(**{TABLE: str(path)})


def _text(path: Path, mapping: Mapping, needed: Sequence[str]) -> pd.DataFrame:
    first = first_row(path)
    has_header = mapping.columns is None
    names = column_names(first) if has_header else _names(path, len(first), mapping, needed)
    refuse_names(path, names)
    return pd.concat(text_parts(path, Layout(names, has_header=has_header)), ignore_index=True)


def _names(path: Path, count: int, mapping: Mapping, needed: Sequence[str]) -> list[str]:
    """Return the names of the columns of a table without a header; measured columns may be missing for predictions."""
    names = list(mapping.columns or ())
    if count == len(names):
        return names
    asked = [name for name in names if name not in mapping.measured]
    if count == len(asked) and not set(mapping.measured) & set(needed):
        return asked
    raise UsageError(
        f"{path}: has {count} columns, the mapping names {len(names)}; choose another mapping or correct its columns"
    )


def refuse_names(path: Path, names: Sequence[str]) -> None:
    """Refuse names of columns that stand for two, or that this module needs.

    Raises:
        UsageError: one does.
    """
    seen = {ROW, TABLE}
    for name in names:
        if name in seen:
            why = "is a reserved name" if name in (ROW, TABLE) else "names two columns"
            raise UsageError(f"{path}: {name!r} {why}; rename one")
        seen.add(name)


def _parquet(path: Path) -> pd.DataFrame:
    table = read_dataset(path)
    refuse_names(path, list(table))
    return table.assign(**{ROW: range(1, len(table) + 1)})
