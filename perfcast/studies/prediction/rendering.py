"""Pages of HTML that open anywhere, offline."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from perfcast.storage import write_text
from perfcast.studies.prediction.embed import embedded_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from perfcast.studies.prediction.figures import Figure
    from perfcast.studies.prediction.metrics import MetricView


def render(
    template: str, metrics: Iterable[MetricView], others: Iterable[Figure], series: Sequence[Any], **content: Any
) -> str:
    """Return a page as self-contained HTML.

    Args:
        template: its file.
        metrics: what is shown of each metric.
        others: the other figures.
        series: of the sample browser.
        content: what else the template asks for.
    """
    views = tuple(metrics)
    every = (*others, *(figure for view in views for figure in view.figures))
    drawn = [figure for figure in every if not figure.missing]
    embedded = {
        "figures": embedded_json({figure.key: {"data": figure.traces, "layout": figure.layout} for figure in drawn}),
        "predicted": embedded_json({view.metric: view.predicted for view in views if view.predicted}),
        "samples": embedded_json(series),
    }
    text = (
        _environment()
        .get_template(template)
        .render(
            metrics=views,
            embedded=embedded,
            css=_own("report.css"),
            script=_own("report.js"),
            plotly=Markup(get_plotlyjs()),
            **content,
        )
    )
    # A lone surrogate, which a name read from a file system can hold, has no UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def write_report(path: str | Path, html: str) -> None:
    """Write the page ``html`` to ``path``; a page that exists is whole.

    Raises:
        StoreError: the folder cannot be written.
    """
    write_text(path, html)


def _own(name: str) -> Markup:
    # Read, not included: a template engine would take braces of CSS and JavaScript for its own.
    return Markup((resources.files("perfcast.studies.prediction") / "templates" / name).read_text(encoding="utf-8"))


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("perfcast.studies.prediction"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
