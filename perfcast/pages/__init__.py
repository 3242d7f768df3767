"""Pages: tables, figures and sections as self-contained HTML and as Markdown. Nothing here knows a metric."""

from perfcast.pages.figures import Figure
from perfcast.pages.markdown import write_markdown
from perfcast.pages.rendering import Page, Section, write_page
from perfcast.pages.sections import section_or_reason
from perfcast.pages.tables import Cell, Column, Row, Table, number_cell, text_row

__all__ = [
    "Cell",
    "Column",
    "Figure",
    "Page",
    "Row",
    "Section",
    "Table",
    "number_cell",
    "section_or_reason",
    "text_row",
    "write_markdown",
    "write_page",
]
