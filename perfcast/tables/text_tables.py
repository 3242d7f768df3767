"""Text tables (CSV and the like) part by part: each row with its line, as many fields in each as in the first.

Lines without quotes, of which most tables consist, are rows: they are counted, and read by pandas. What has quotes is
taken apart by the `csv` module first, as a row may go on over several lines.
"""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.io.common import get_handle

from perfcast.errors import UsageError
from perfcast.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ROW = "__row__"
"""The column with the line that a row begins in."""
PART_ROWS = 200_000
"""Lines that are read at once."""
_DELIMITERS = ",;\t"
_MAX_HEADER = 1 << 20
_DECIMAL_COMMA = r"^([+-]?[0-9]+),([0-9]+(?:[eE][+-]?[0-9]+)?\s*[A-Za-zµμ]{0,8})$"


@dataclass(frozen=True)
class Layout:
    """How to read a text table.

    Attributes:
        names: of its columns.
        delimiter: between fields. Where it is a semicolon, numbers may have decimal commas.
        has_header: whether the first row holds the names.
        as_text: whether cells stay the text that they are, with nothing missing; else a column of numbers is one.
    """

    names: Sequence[str]
    delimiter: str = ","
    has_header: bool = True
    as_text: bool = True


def delimiter_of(path: Path) -> str:
    """Return what separates the fields of a table's first line: the most frequent of comma, semicolon and tab.

    Raises:
        OSError, ValueError: it cannot be read, or is not text.
    """
    with get_handle(path, "r", encoding="utf-8-sig", compression="infer") as opened:
        return max(_DELIMITERS, key=str(opened.handle.readline(_MAX_HEADER)).count)


def first_row(path: Path, delimiter: str = ",") -> list[str]:
    """Return the fields of a table's first row.

    Raises:
        UsageError: there is none.
        OSError, ValueError, csv.Error: it cannot be read, or is not text.
    """
    with get_handle(path, "r", encoding="utf-8-sig", compression="infer") as opened:
        fields = next(filter(None, _reader(opened.handle, delimiter)), None)
    if fields is None:
        raise UsageError(f"{path}: is empty")
    return fields


def column_names(header: Sequence[str]) -> list[str]:
    """Return a name for each column, those without one included."""
    return [name or f"Unnamed: {place}" for place, name in enumerate(header)]


def text_parts(
    path: Path, layout: Layout, rows: int = PART_ROWS, columns: Sequence[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Yield a text table in parts of at most ``rows`` lines, with the column `ROW`; one without rows is an empty part.

    Args:
        path: of the table, which may be compressed.
        layout: how to read it.
        rows: of a part.
        columns: those wanted; all where not given.

    Raises:
        UsageError: a row has more or fewer fields than there are names: they would be read as other columns' than
            theirs.
        OSError, ValueError, csv.Error: it cannot be read, or is not text.
    """
    with get_handle(path, "r", encoding="utf-8-sig", compression="infer") as opened:
        lines, begin, is_header, is_empty = iter(opened.handle), 1, layout.has_header, True
        while block := list(itertools.islice(lines, rows + is_header)):
            text = "".join(block)
            if '"' in text or "\0" in text:
                numbers, text, after = _quoted(path, itertools.chain(block, lines), layout, begin, len(block))
            else:
                numbers, text, after = _plain(path, block, layout, begin)
            begin = after
            part = _parsed(text, layout, columns, skip=is_header and len(numbers) > 0)
            is_header, skipped = is_header and not len(numbers), len(numbers) - len(part)
            if len(part):
                is_empty = False
                yield part.assign(**{ROW: numbers[skipped:]})
    if is_empty:
        yield _parsed("", layout, columns, skip=False).assign(**{ROW: np.array([], dtype=int)})


def _plain(path: Path, block: list[str], layout: Layout, begin: int) -> tuple[np.ndarray, str, int]:
    """Return the line of each row in lines without quotes, their text, and the number of the line after them."""
    count, delimiter = len(layout.names), layout.delimiter
    counts = map(str.count, block, itertools.repeat(delimiter))
    fields = np.fromiter(counts, dtype=int, count=len(block)) + 1
    is_row = np.ones(len(block), dtype=bool)
    for place in range(len(block)) if count == 1 else np.flatnonzero(fields != count):
        if not block[place].strip("\r\n"):
            is_row[place] = False
        elif fields[place] != count:
            raise _wrong_count(path, begin + int(place), int(fields[place]), count)
    kept = block if is_row.all() else list(itertools.compress(block, is_row))
    return begin + np.flatnonzero(is_row), "".join(kept), begin + len(block)


def _quoted(path: Path, lines: Iterator[str], layout: Layout, begin: int, most: int) -> tuple[np.ndarray, str, int]:
    """Return the same of lines some of which have quotes: of the rows that begin in the first ``most`` of them."""
    reader, written = _reader(lines, layout.delimiter), io.StringIO()
    writer = csv.writer(written, delimiter=layout.delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    numbers, number = [], begin
    for fields in reader:
        if fields and len(fields) != len(layout.names):
            raise _wrong_count(path, number, len(fields), len(layout.names))
        if fields:
            numbers.append(number)
            writer.writerow(fields)
        number = begin + reader.line_num
        if reader.line_num >= most:
            break
    return np.array(numbers, dtype=int), written.getvalue(), number


def _reader(lines: Iterator[str], delimiter: str) -> Any:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def _wrong_count(path: Path, line: int, found: int, wanted: int) -> UsageError:
    return UsageError(
        f"{path}: cannot be read as a table: line {line} has {pluralize(found, 'field')}, the first {wanted}; put what "
        "has a comma in quotes, and no comma after the last field"
    )


def _parsed(text: str, layout: Layout, columns: Sequence[str] | None, *, skip: bool) -> pd.DataFrame:
    names = list(layout.names)
    decimal = "," if layout.delimiter == ";" else "."
    kinds: dict[str, Any] = {"dtype": "str", "na_filter": False} if layout.as_text else {"decimal": decimal}
    frame = pd.read_csv(
        io.BytesIO(text.encode()),
        sep=layout.delimiter,
        names=names,
        usecols=None if columns is None else list(columns),
        skiprows=1 if skip else 0,
        skipinitialspace=True,
        skip_blank_lines=False,
        quoting=csv.QUOTE_MINIMAL if '"' in text else csv.QUOTE_NONE,
        low_memory=False,
        **kinds,
    )
    found = frame if columns is None else frame[list(columns)]
    if not layout.as_text or decimal == ".":
        return found
    return found.apply(lambda column: column.str.replace(_DECIMAL_COMMA, r"\1.\2", regex=True))
