"""Files of the project as values of options."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.errors import UsageError
from perfcast.project_files import find_project_file

if TYPE_CHECKING:
    from collections.abc import Callable


class ProjectFile(click.Path):
    """A file that exists: of the working directory, else of those that come with perfcast."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the file's path; click says what is wrong with one that is not there."""
        with contextlib.suppress(UsageError):
            value = find_project_file(str(value))
        return super().convert(value, param, ctx)


PROJECT_FILE = ProjectFile()


def predictor_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that names a predictor, for a command's argument ``folder``."""
    return click.option("--predictor", "folder", type=click.Path(path_type=Path), help=help_text)
