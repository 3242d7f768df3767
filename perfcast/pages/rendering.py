"""Pages of HTML that open anywhere, offline."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from perfcast.pages.embed import embedded_json
from perfcast.storage import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from perfcast.pages.figures import Figure
    from perfcast.pages.tables import Table

_HERE = "perfcast.pages"


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading.

    Attributes:
        key: unique in the page; the element's id.
        title: its heading, and its link in the page's navigation.
        sentences: a paragraph each, above tables and figures.
        tables, figures: what it shows, in this order.
        warnings: sentences that must not be overlooked.
    """

    key: str
    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """A page, not yet rendered.

    It is made of sections, or of a template of a package's own that extends `page.html.j2`.

    Attributes:
        title: its heading.
        lead: the sentence below the heading.
        facts: what it is about, as (name, value).
        sections: its content, where it has no template of its own.
        package: the package whose folder `templates` holds its template and scripts; empty for sections.
        template: the template's name.
        scripts: names of files to run after `page.js`.
        content: what the template asks for.
        others: the figures of the template.
        embedded: JSON-ready data for the scripts, by name.
    """

    title: str
    lead: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
    package: str = ""
    template: str = "page.html.j2"
    scripts: tuple[str, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Figure, ...] = ()
    embedded: Mapping[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures."""
        return (*self.others, *(figure for section in self.sections for figure in section.figures))

    def html(self) -> str:
        """Return the page as self-contained HTML."""
        drawn = {figure.key: figure for figure in self.figures if not figure.missing}
        figures = {key: {"data": figure.traces, "layout": figure.layout} for key, figure in drawn.items()}
        template = _environment(self.package).get_template(self.template)
        text = template.render(
            self.content,
            title=self.title,
            lead=self.lead,
            facts=self.facts,
            sections=self.sections,
            embedded={name: embedded_json(value) for name, value in {"figures": figures, **self.embedded}.items()},
            css=_asset(_HERE, "page.css"),
            plotly=Markup(get_plotlyjs()),
            scripts=[
                *(_asset(_HERE, name) for name in ("plots.js", "page.js")),
                *(_asset(self.package, name) for name in self.scripts),
            ],
        )
        # A lone surrogate, which a name read from a file system can hold, has no UTF-8.
        return text.encode("utf-8", "replace").decode("utf-8")


def write_page(path: str | Path, page: Page) -> None:
    """Write ``page`` to ``path``; a page that exists is whole.

    Raises:
        StoreError: the folder cannot be written.
    """
    write_text(path, page.html())


def _asset(package: str, name: str) -> Markup:
    # Read, not included: a template engine would take braces of CSS and JavaScript for its own.
    return Markup((resources.files(package) / "templates" / name).read_text(encoding="utf-8"))


def _environment(package: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in (package, _HERE) if name]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
