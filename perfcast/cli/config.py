"""Options of commands that measure or plan to: which target, under which configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.planning import Settings

_FOLDERS = [Path(), Path(__file__).resolve().parents[2]]
_TARGET = click.option("--target", help="The target to measure on.  [default: the configuration's, or else local]")
_CONFIGFILE = click.option(
    "--configfile",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Configuration over the defaults, as Snakemake takes it; may be given again.",
)


def choosing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `target` and `files`, for `chosen`."""
    return _TARGET(_CONFIGFILE(command))


def chosen(target: str | None, files: tuple[Path, ...]) -> Settings:
    """Return the settings that the options name; files are looked up in the working directory, then in the project.

    Raises:
        UsageError: the configuration or the target is wrong.
    """
    from perfcast.planning import read_settings

    return read_settings(target, files, _FOLDERS)
