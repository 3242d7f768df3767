"""Options of commands that measure or plan to: which target, under which configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.files import PROJECT_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from perfcast.planning import Settings

_TARGET = click.option("--target", help="The target to measure on.  [default: the configuration's, else local]")
_CONFIGFILE = click.option(
    "--configfile",
    "files",
    type=PROJECT_FILE,
    multiple=True,
    help="Configuration that overrides the defaults, as for Snakemake; can be repeated.",
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

    return read_settings(target, files)
