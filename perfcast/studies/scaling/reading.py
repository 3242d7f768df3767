"""Tables piece by piece: those of any kind, and perfcast datasets, of any length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pandas.api.types import is_bool_dtype, is_numeric_dtype

from perfcast.studies.results import DATASET, read_results, results_folder
from perfcast.studies.scaling.numbers import share_of_numbers
from perfcast.tables.files import table_parts
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

PIECE = 500_000
"""Rows held at once."""
_HEAD = 1000
_MIN_NUMERIC = 0.5
_DATASET_COLUMNS = {"measurement", "model", "latency_ms"}


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
    """Return the table at ``path``: a file of any kind that `table_parts` reads, or the folder of a target's results.

    Raises:
        UsageError: it is missing, empty or not a table: one line that names it.
    """
    head = None if path.is_dir() else next(table_parts(path, _HEAD, as_text=False))
    if head is None or set(head) >= _DATASET_COLUMNS:
        frame = read_results(path, ())
        return Source(str(path), _label(path), _numeric(frame), lambda columns: iter([frame[list(columns)]]))

    def pieces(columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        return table_parts(path, PIECE, columns, as_text=False)

    return Source(str(path), _label(path), _numeric(head), pieces)


def _label(path: Path) -> str:
    """Return a file's name without its ending; a dataset is called as the folder of its results."""
    folder = results_folder(path).resolve().name
    name = path.name.removesuffix(".gz")
    return folder if path.is_dir() or path.name == DATASET else name.rpartition(".")[0] or name


def _numeric(frame: pd.DataFrame) -> dict[str, bool]:
    """Return whether each column can hold numbers; columns of row numbers are no columns of data."""
    return {str(name): _can_hold_numbers(frame[name]) for name in frame if not _counts_rows(str(name))}


def _counts_rows(name: str) -> bool:
    is_unnamed = name.startswith(("Unnamed: ", "__index_level_"))
    return is_unnamed or name in (ROW, TABLE) or name.casefold() in ("", "index")


def _can_hold_numbers(column: pd.Series) -> bool:
    if is_bool_dtype(column):
        return False
    return is_numeric_dtype(column) or share_of_numbers(column) >= _MIN_NUMERIC
