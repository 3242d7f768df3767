"""Pages as Markdown, for a ticket or a paper: sentences and tables, and figures as links to images."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from perfcast.pages.formatting import pluralize
from perfcast.storage import write_text
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from perfcast.pages.figures import Figure
    from perfcast.pages.rendering import Page, Section
    from perfcast.pages.tables import Cell, Table

_MAX_ROWS = 50
_MARKUP = re.compile(r"[\\`*\[\]<|~$#]|&(?=#?\w)|(?<![^\W_])_|_(?![^\W_])")
_START = re.compile(r"^(?=[-+=>])|^\d+(?=[.)])")


def markdown(page: Page, lines: Sequence[str | Table] = (), images: Mapping[str, str] | None = None) -> str:
    """Return a page as Markdown (GitHub's, which most programs read).

    Args:
        page: what to write. Of a page with a template of its own, whose content only that knows, the title, the facts
            and the figures are written.
        lines: sentences and tables that stand for the content of such a page.
        images: an address of each figure's image by the figure's key; figures without one are described.
    """
    shown = images or {}
    facts = "\n".join(f"- {_paragraph(name)}: {_escaped(value)}" for name, value in page.facts)
    blocks = [f"# {_escaped(page.title)}", _paragraph(page.lead), facts]
    if not page.sections:
        blocks += [_paragraph(line) if isinstance(line, str) else _table(line) for line in lines]
    for section in page.sections:
        blocks += _section(section, shown)
    blocks += [_figure(figure, shown) for figure in page.others]
    return "\n\n".join(block for block in blocks if block) + "\n"


def write_markdown(
    path: str | Path, page: Page, lines: Sequence[str | Table] = (), images: Mapping[str, Path] | None = None
) -> None:
    """Write a page as Markdown to ``path``; links to images are relative to it.

    Raises:
        StoreError: the folder cannot be written.
    """
    folder = Path(path).absolute().parent
    links = {key: quote(os.path.relpath(image.absolute(), folder)) for key, image in (images or {}).items()}
    write_text(path, markdown(page, lines, links))


def _section(section: Section, images: Mapping[str, str]) -> Iterator[str]:
    yield f"## {_escaped(section.title)}"
    yield from (f"**Warning:** {_escaped(warning)}" for warning in section.warnings)
    yield from map(_paragraph, section.sentences)
    yield from map(_table, section.tables)
    yield from (_figure(figure, images) for figure in section.figures)


def _figure(figure: Figure, images: Mapping[str, str]) -> str:
    heading = f"**{_escaped(figure.title)}.**"
    if figure.missing:
        return f"{heading} {_escaped(figure.missing)}"
    caption = f"{heading} {_escaped(figure.caption or figure.alt)}"
    if figure.key not in images:
        return f"Figure: {caption}"
    return f"![{_escaped(figure.alt)}]({images[figure.key]})\n\n{caption}"


def _table(table: Table) -> str:
    heading = f"**{_escaped(table.caption)}**"
    if not table.rows:
        return f"{heading}: {_escaped(table.empty)}"
    rows = [
        [_escaped(column.label) or " " for column in table.columns],
        ["---:" if column.numeric else "---" for column in table.columns],
        *([_cell(cell) for cell in row.cells] for row in table.rows[:_MAX_ROWS]),
    ]
    written = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    left = len(table.rows) - _MAX_ROWS
    return f"{heading}\n\n{written}" + (f"\n\n{pluralize(left, 'more row')} in the page." if left > 0 else "")


def _cell(cell: Cell) -> str:
    text = _escaped(cell.text)
    return f"**{text}**" if cell.strong and text else text


def _paragraph(text: str) -> str:
    """Return a text that is neither a list nor a heading, whatever it begins with."""
    return _START.sub(lambda found: f"{found[0]}\\", _escaped(text))


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is: names of others hold markup, links and line breaks."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", escape_control(" ".join(text.split())))
