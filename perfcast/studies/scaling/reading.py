"""Tables piece by piece: CSV, Parquet and perfcast datasets, of any length."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from pandas.io.common import get_handle

from perfcast.errors import UsageError
from perfcast.studies.results import DATASET, read_results, results_folder
from perfcast.studies.scaling.numbers import share_of_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PIECE = 500_000
"""Rows held at once."""
_HEAD = 1000
_SEPARATORS = ",;\t"
_MIN_NUMERIC = 0.5
_DATASET_COLUMNS = ("measurement", "model", "latency_ms")
_BROKEN = (OSError, ValueError, TypeError, NotImplementedError, EOFError, ImportError, csv.Error)
"""What pandas, pyarrow and the packings raise over files that are something else."""


@dataclass(frozen=True)
class Source:
    """A table that is read piece by piece.

    Attributes:
        origin: its path, for messages.
        label: what its data are called.
        numeric: whether each column can hold numbers, by the first rows.
        pieces: takes the columns wanted; returns frames with these.
    """

    origin: str
    label: str
    numeric: dict[str, bool]
    pieces: Callable[[Sequence[str]], Iterator[pd.DataFrame]]


def open_source(path: Path) -> Source:
    """Return the table at ``path``: a CSV or Parquet file, or the folder of a target's results.

    Raises:
        UsageError: it is missing, empty or not a table: one line that names it.
    """
    if path.is_dir():
        return _of_dataset(path)
    if not path.exists():
        raise UsageError(f"{path}: there is no such file; name a CSV or Parquet file, or a folder of results")
    try:
        return _of_parquet(path) if path.suffix == ".parquet" else _of_csv(path)
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> UsageError:
    why = " ".join(str(error).split())[:200]
    return UsageError(f"{path}: cannot be read as a table ({why}); name a CSV or Parquet file")


def _of_dataset(path: Path) -> Source:
    frame = read_results(path, ())
    return Source(str(path), _label(path), _numeric(frame), lambda columns: iter([frame[list(columns)]]))


def _label(path: Path) -> str:
    """Return a file's name without its ending; a dataset is called as the folder of its results."""
    folder = results_folder(path).resolve().name
    name = path.name.removesuffix(".gz")
    return folder if path.is_dir() or path.name == DATASET else name.rpartition(".")[0] or name


def _of_parquet(path: Path) -> Source:
    file = pq.ParquetFile(path)
    if set(_DATASET_COLUMNS) <= set(file.schema_arrow.names):
        return _of_dataset(path)
    head = next(file.iter_batches(_HEAD), None)
    empty = file.schema_arrow.empty_table().to_pandas()
    frame = empty if head is None else head.to_pandas()

    def pieces(columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        try:
            for batch in pq.ParquetFile(path).iter_batches(PIECE, columns=list(columns)):
                yield batch.to_pandas()
        except _BROKEN as error:
            raise _unreadable(path, error) from error

    return Source(str(path), _label(path), _numeric(frame), pieces)


def _of_csv(path: Path) -> Source:
    separator = _separator(path)
    decimal = "," if separator == ";" else "."
    options = {
        "sep": separator,
        "decimal": decimal,
        "skipinitialspace": True,
        "encoding": "utf-8-sig",
        "low_memory": False,
    }
    head = pd.read_csv(path, nrows=_HEAD, **options)
    # Of a name with blanks around it, `Layers ,`, both are known.
    names = {str(name).strip(): str(name) for name in head}

    def pieces(columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        wanted = {names[column]: column for column in columns}
        try:
            for piece in pd.read_csv(path, usecols=list(wanted), chunksize=PIECE, **options):
                yield piece.rename(columns=wanted)[list(columns)]
        except _BROKEN as error:
            raise _unreadable(path, error) from error

    return Source(str(path), _label(path), _numeric(head.rename(columns=str.strip)), pieces)


def _separator(path: Path) -> str:
    """Return what separates the names of a table's header: the most frequent of comma, semicolon and tab."""
    with get_handle(path, "r", encoding="utf-8-sig", compression="infer") as opened:
        header = opened.handle.readline(1 << 20)
    if not str(header).strip():
        raise ValueError("the file is empty, or its first line is")
    return max(_SEPARATORS, key=str(header).count)


def _numeric(frame: pd.DataFrame) -> dict[str, bool]:
    """Return whether each column can hold numbers; columns of row numbers are no columns of data."""
    return {str(name): _can_hold_numbers(frame[name]) for name in frame if not _counts_rows(str(name))}


def _counts_rows(name: str) -> bool:
    return name.startswith(("Unnamed: ", "__index_level_")) or name.casefold() in ("", "index")


def _can_hold_numbers(column: pd.Series) -> bool:
    if is_bool_dtype(column):
        return False
    return is_numeric_dtype(column) or share_of_numbers(column) >= _MIN_NUMERIC
