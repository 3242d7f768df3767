"""Tables in files of any common kind, part by part: CSV, Parquet, Excel, JSON and pickled frames.

Text tables and Parquet are never held in memory as a whole. The other kinds have to be, and are bounded.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perfcast.errors import UsageError, naming
from perfcast.tables.pickled_frames import frame_from_pickle
from perfcast.tables.reading import TABLE, broken_tables_refused, refuse_names
from perfcast.tables.text_tables import PART_ROWS, ROW, Layout, column_names, delimiter_of, first_row, text_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_WHOLE_BYTES = 64 * 2**20
"""Of a file that has to be read as a whole."""
_PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")
_TEXT = (".csv", ".tsv", ".txt")
_LINES = (".jsonl", ".ndjson")
KINDS = (*_TEXT, ".parquet", ".xlsx", ".json", *_LINES, ".pickle", ".pkl")


def table_parts(
    path: Path, rows: int | None = None, columns: Sequence[str] | None = None, *, as_text: bool = True
) -> Iterator[pd.DataFrame]:
    """Yield a table in parts of at most ``rows`` rows, with the columns `ROW` and `TABLE` of where each stands.

    Args:
        path: of the table.
        rows: of a part; `PART_ROWS` where not given.
        columns: those wanted, of text tables and Parquet, without `TABLE`; all where not given.
        as_text: whether the cells of text tables stay text; else a column of numbers is one. Those of other tables are
            what the file says.

    Raises:
        UsageError: it is absent, of an unknown kind, damaged, too large for its kind, or names two columns alike.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; name a table ({', '.join(KINDS)})")
    kind, most = _kind(path), rows or PART_ROWS
    with broken_tables_refused(path):
        if kind in _TEXT:
            parts = text_parts(path, _layout(path, as_text=as_text), most, columns)
        elif kind == ".parquet":
            parts = _parquet_parts(path, most, columns)
        else:
            parts = _numbered(path, _whole(path, kind))
        for part in parts:
            yield part.assign(**{TABLE: str(path)}) if columns is None else part


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if len(suffixes) > 1 and suffixes[-1] in _PACKED and suffixes[-2] in _TEXT:
        return suffixes[-2]
    if not suffixes or suffixes[-1] not in KINDS:
        raise UsageError(f"{path}: not a table of a known kind; known are {', '.join(KINDS)}")
    return suffixes[-1]


def _layout(path: Path, *, as_text: bool) -> Layout:
    delimiter = delimiter_of(path)
    names = column_names([name.strip() for name in first_row(path, delimiter)])
    refuse_names(path, names)
    return Layout(names, delimiter, as_text=as_text)


def _parquet_parts(path: Path, rows: int, columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        refuse_names(path, file.schema_arrow.names)
        first = 1
        for batch in file.iter_batches(rows, columns=None if columns is None else list(columns)):
            part = batch.to_pandas()
            yield part.assign(**{ROW: np.arange(first, first + len(part))})
            first += len(part)
        if first == 1:
            yield file.schema_arrow.empty_table().to_pandas().assign(**{ROW: np.array([], dtype=int)})


def _numbered(path: Path, table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    names = [str(name) for name in table]
    refuse_names(path, names)
    yield table.set_axis(names, axis=1).assign(**{ROW: np.arange(1, len(table) + 1)})


def _whole(path: Path, kind: str) -> pd.DataFrame:
    if path.stat().st_size > MAX_WHOLE_BYTES:
        raise UsageError(f"{path}: is larger than {MAX_WHOLE_BYTES // 2**20} MiB; save it as CSV or Parquet")
    with naming(str(path)):
        if kind == ".xlsx":
            return _excel(path)
        data = path.read_bytes()
        return frame_from_pickle(data) if kind in (".pickle", ".pkl") else _json(data, kind)


def _json(data: bytes, kind: str) -> pd.DataFrame:
    """Return a table of records (a list of mappings, or one a line), or of columns (a mapping of lists)."""
    try:
        text = data.decode("utf-8-sig")
        value = [json.loads(line) for line in text.splitlines() if line.strip()] if kind in _LINES else json.loads(text)
    except RecursionError as error:
        raise UsageError("is nested too deeply") from error
    if isinstance(value, dict):
        return _of_columns(value)
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        raise UsageError("is not a table: write a list of mappings, one per row, or a mapping of lists, one per column")
    names = list(dict.fromkeys(name for row in value for name in row))
    return pd.DataFrame({name: [row.get(name) for row in value] for name in names})


def _of_columns(value: dict[str, Any]) -> pd.DataFrame:
    counts = {len(cells) for cells in value.values() if isinstance(cells, list)}
    if not value or len(counts) != 1 or not all(isinstance(cells, list) for cells in value.values()):
        raise UsageError("is not a table: its columns must be lists of one length")
    return pd.DataFrame(value)


def _excel(path: Path) -> pd.DataFrame:
    """Return the first sheet, read by openpyxl, which is optional: `pip install perfcast[excel]`."""
    try:
        import openpyxl  # noqa: F401
    except ImportError as error:
        raise UsageError("Excel files need openpyxl: pip install openpyxl; or save it as CSV") from error
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_WHOLE_BYTES:
            raise UsageError(f"unpacks to more than {MAX_WHOLE_BYTES // 2**20} MiB; save it as CSV or Parquet")
    try:
        return pd.read_excel(path, engine="openpyxl")
    except (KeyError, TypeError, AttributeError) as error:  # What openpyxl raises over a broken archive.
        raise UsageError(f"cannot be read as an Excel file ({type(error).__name__})") from error
