"""Options of commands that measure or plan to: which target, under which configuration."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.files import PROJECT_FILE
from perfcast.errors import UsageError
from perfcast.text import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Duration(click.ParamType):
    """A duration such as `90s` or `5m`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds.

        Raises:
            UsageError: the text is not a duration; one line.
        """
        try:
            return parse_duration(str(value))
        except ValueError as error:
            raise UsageError(f"--{param.name if param else self.name}: {error}") from error


DURATION = Duration()
_TARGET = click.option("--target", help="The target to measure on.  [default: the configuration's, else local]")
_CONFIGFILE = click.option(
    "--configfile",
    "files",
    type=PROJECT_FILE,
    multiple=True,
    help="Configuration that overrides the defaults, as for Snakemake; can be repeated.",
)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command options that choose its argument ``settings``; files are looked up in the project, too."""

    @functools.wraps(command)
    def gathered(*arguments: Any, target: str | None, files: tuple[Path, ...], **values: Any) -> None:
        from perfcast.planning.settings import settings_of_files

        command(*arguments, settings=settings_of_files(target, files), **values)

    return _TARGET(_CONFIGFILE(gathered))
