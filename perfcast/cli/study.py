"""The command `study`, and its shorter names: every study by its name."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.cli.output import check_ending, show_table
from perfcast.errors import PerfcastError, UsageError
from perfcast.studies.registry import find_study, study_packages
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.pages import Table
    from perfcast.studies.study import Findings, Option, Study

_TABLE = (".csv", ".parquet")


class _Studies(click.Group):
    """The studies of the registry as commands."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(study_packages())

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        return study_command(name) if name in study_packages() else None


@click.command(cls=_Studies)
def study() -> None:
    """Analyse datasets: print findings, write a page.

    `perfcast study NAME --help` lists the arguments of a study.
    """


def study_command(name: str, called: str | None = None) -> click.Command:
    """Return the command of a study, which may be ``called`` something else."""
    found = find_study(name)
    table = f" or a table (.csv or .parquet), {found.table}" if found.table else ""
    out = click.Option(
        ["--out"],
        multiple=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"File for the page (.html), a summary (.md){table}; can be repeated.",
    )
    figures = click.Option(
        ["--figures"],
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for the page's figures as SVG and PNG; needs Chrome or Chromium.",
    )
    return click.Command(
        called or name,
        params=[*map(_argument, found.inputs), *map(_click_option, found.options), out, figures],
        callback=lambda **values: _run(found, values),
        help=f"{found.help}\n\n{' and '.join(found.inputs)}: {found.input_help}.",
        short_help=found.summary,
    )


def _argument(name: str) -> click.Argument:
    nargs = -1 if name.endswith("...") else 1
    return click.Argument([_key(name)], metavar=name, nargs=nargs, required=True, type=click.Path(path_type=Path))


def _run(found: Study, values: dict[str, Any]) -> None:
    for file in values["out"]:
        check_ending(file, (".html", ".md", *(_TABLE if found.table else ())))
    findings = found.run(_paths(found, values), found.chosen(values))
    images, problem = _images(values["figures"], findings)
    for file in values["out"]:
        _write(file, findings, images)
    _show(findings)
    if problem:
        raise problem
    sys.exit(findings.status)


def _images(folder: Path | None, findings: Findings) -> tuple[dict[str, Path], PerfcastError | None]:
    """Write the figures; return their images, and why there are none: everything else is written all the same."""
    from perfcast.pages.images import write_images

    try:
        return (write_images(folder, findings.page.figures) if folder else {}), None
    except PerfcastError as error:
        return {}, error


def _write(file: Path, findings: Findings, images: dict[str, Path]) -> None:
    from perfcast.pages import write_markdown, write_page
    from perfcast.storage import write_table

    if file.suffix == ".html":
        write_page(file, findings.page)
    elif file.suffix == ".md":
        write_markdown(file, findings.page, findings.lines, images)
    elif findings.table is not None:
        write_table(file, findings.table)


def _paths(found: Study, values: dict[str, Any]) -> list[Path]:
    given = [values[_key(name)] for name in found.inputs]
    return [path for paths in given for path in (paths if isinstance(paths, tuple) else (paths,))]


def _key(name: str) -> str:
    """Return the key of an input among the command's values, which no option can have."""
    return f"input {name}".lower()


def show_lines(lines: Iterable[str | Table]) -> None:
    """Print sentences and tables."""
    for line in lines:
        if isinstance(line, str):
            click.echo(escape_control(line))
        else:
            _show_table(line)


def _show(findings: Findings) -> None:
    show_lines(findings.lines)
    for name, path in findings.files.items():
        click.echo(f"{name}: {escape_control(path)}")


def _show_table(table: Table) -> None:
    columns = {column.label: "right" if column.numeric else "left" for column in table.columns}
    show_table(columns, [[cell.text for cell in row.cells] for row in table.rows])


def _click_option(option: Option) -> click.Option:
    name = f"--{option.name.replace('_', '-')}"
    return click.Option(
        [name],
        type=_click_type(option),
        is_flag=option.schema["type"] == "boolean",
        default=option.default,
        show_default=option.default is not None,
        callback=_finite,
        help=option.help,
    )


def _click_type(option: Option) -> click.ParamType:
    schema = option.schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "enum" in schema:
        return click.Choice(schema["enum"])
    if "boolean" in kinds:
        return click.BOOL
    if "string" in kinds:
        return click.STRING
    number = click.FloatRange if "number" in kinds else click.IntRange
    return number(
        min=schema.get("minimum", schema.get("exclusiveMinimum")),
        max=schema.get("maximum", schema.get("exclusiveMaximum")),
        min_open="exclusiveMinimum" in schema,
        max_open="exclusiveMaximum" in schema,
    )


def _finite(_: click.Context, option: click.Parameter, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):  # NaN is within any range.
        raise UsageError(f"--{option.name} {value}: must be a number")
    return value
