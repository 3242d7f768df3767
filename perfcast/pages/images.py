"""Figures as images, drawn by a browser of the machine with the page's own style sheet and scripts."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import PerfcastError, UsageError
from perfcast.storage import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.pages.figures import Figure

FORMATS = ("svg", "png")
_WIDTH = 720
"""CSS pixels: with letters of 14, about as in print across a page."""
_SCALE = 2
_NO_BROWSER = (
    "images of figures need Chrome or Chromium, and none was found: install one, such as with `apt install chromium`, "
    "or name it in the environment variable BROWSER_PATH"
)


def write_images(folder: Path, figures: Sequence[Figure]) -> dict[str, Path]:
    """Write each figure that is drawn as SVG and PNG into ``folder``; return the PNG of each figure's key.

    Raises:
        UsageError: there is no browser.
        PerfcastError: the browser fails.
        StoreError: the folder cannot be written.
    """
    drawn = [figure for figure in figures if not figure.missing]
    names = _names([figure.key for figure in drawn])
    if drawn:
        with tempfile.TemporaryDirectory() as aside:
            _draw(drawn, names, Path(aside))
            for file in sorted(Path(aside).iterdir()):
                write_bytes(folder / file.name, file.read_bytes())
    return {key: folder / f"{name}.png" for key, name in names.items()}


def _names(keys: Sequence[str]) -> dict[str, str]:
    """Return the name of a file for each key, without what a file system or a link could take for something else."""
    found: dict[str, str] = {}
    for key in keys:
        name = base = re.sub(r"[^a-z0-9_-]+", "-", key.lower()).strip("-") or "figure"
        while name in found.values():
            name = f"{base}-{sum(other.startswith(base) for other in found.values()) + 1}"
        found[key] = name
    return found


def _draw(figures: Sequence[Figure], names: dict[str, str], folder: Path) -> None:
    import kaleido
    from choreographer.errors import BrowserClosedError, BrowserFailedError, ChromeNotFoundError

    tasks = [
        {
            "fig": {"data": list(figure.traces), "layout": figure.layout},
            "path": folder / f"{names[figure.key]}.{kind}",
            "opts": {"width": _WIDTH, "height": figure.height, "scale": _SCALE if kind == "png" else 1},
        }
        for figure in figures
        for kind in FORMATS
    ]
    try:
        with ExitStack() as open_files:
            options = {"page_generator": _index(open_files)}
            failed = kaleido.write_fig_from_object_sync(tasks, kopts=options)
    except ChromeNotFoundError as error:
        raise UsageError(_NO_BROWSER) from error
    except (BrowserClosedError, BrowserFailedError, RuntimeError, OSError) as error:
        raise PerfcastError(f"images of figures: the browser failed ({_first_line(error)})") from error
    if failed:
        raise PerfcastError(f"images of figures: the browser drew not all of them ({_first_line(failed[0])})")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]


def _index(open_files: ExitStack) -> Any:
    """Return what makes the page that the browser draws in: plotly.js, and the look of this package's pages."""
    from kaleido import PageGenerator

    templates = resources.files("perfcast.pages") / "templates"
    css, *scripts = (
        open_files.enter_context(resources.as_file(templates / name)) for name in ("page.css", "plots.js", "images.js")
    )
    style = f"<style>{css.read_text(encoding='utf-8')}</style>"
    index = PageGenerator(mathjax=False, others=[(script.as_uri(), "utf-8") for script in scripts])
    index.header += style
    return index
