"""Tables: columns, rows and cells of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.pages import formatting as fmt

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Column:
    """A column's heading, with its unit; numbers are set to the right, sentences get room."""

    label: str
    numeric: bool = True
    wide: bool = False


def texts(*labels: str, wide: bool = False) -> tuple[Column, ...]:
    """Return a column of text for each label."""
    return tuple(Column(label, numeric=False, wide=wide) for label in labels)


def numbers(*labels: str) -> tuple[Column, ...]:
    """Return a column of numbers for each label."""
    return tuple(map(Column, labels))


@dataclass(frozen=True)
class Cell:
    """What one cell shows.

    Attributes:
        text: the text as read; escaped by the template.
        strong: set in bold, for what matters most in its table.
        anchor: the id of the section that the text leads to; empty for none.
        item: what to show there, for the script that draws the section.
    """

    text: str
    strong: bool = False
    anchor: str = ""
    item: int | None = None


@dataclass(frozen=True)
class Row:
    """A row of cells.

    Attributes:
        cells: one per column.
        mark: sets the row apart: `own` (what the page is about), `muted` (to compare with), `warn` or `bad`.
        keys: what filters match.
    """

    cells: tuple[Cell, ...]
    mark: str = ""
    keys: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Table:
    """A table with its caption; `empty` says why there is nothing to show when it has no rows."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    empty: str = "Nothing to show."


def text_row(*texts: str, mark: str = "") -> Row:
    """Return a row of plain texts."""
    return Row(tuple(Cell(text) for text in texts), mark)


def number_cell(value: Any) -> Cell:
    """Return a cell with ``value`` in three significant digits."""
    return Cell(fmt.number(value))
