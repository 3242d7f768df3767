"""The `perfcast` command."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.catalog.naming import visible
from perfcast.errors import PerfcastError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from perfcast.sources import Library

_SHEETS = (Path("config/models"), Path(__file__).resolve().parents[1] / "config/models")
_STORE = Path("results/store")


class _Perfcast(click.Group):
    """Turns perfcast's own errors into one line and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except PerfcastError as error:
            # Errors quote files and names, which may hold what commands a terminal.
            click.echo(f"perfcast: error: {visible(error)}", err=True)
            sys.exit(error.exit_code)


@click.group(cls=_Perfcast, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="perfcast")
def main() -> None:
    """Forecast how fast a neural network runs on a device, and how much memory it takes.

    A SOURCE is a descriptor (model.json), a Keras file (.keras) or the name of a model that a sheet lists,
    such as densenet121_224.
    """


def _sources(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.argument("sources", metavar="SOURCE...", nargs=-1, required=True),
        click.option(
            "--sheet",
            "sheets",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            multiple=True,
            help="Sheet to look names up in; may be given again.  [default: all of config/models]",
        ),
        click.option(
            "--store",
            type=click.Path(file_okay=False, path_type=Path),
            default=_STORE,
            show_default=True,
            help="Store of the workflow, which spares building models it has.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@_sources
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write: .csv or .parquet.",
)
def features(sources: tuple[str, ...], sheets: tuple[Path, ...], store: Path, out: Path) -> None:
    """Write the features of models: a row a SOURCE, in order."""
    _check_ending(out)
    _write(out, _features_of(sources, sheets, store))


@main.command()
@_sources
@click.option(
    "--predictor",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of a predictor, such as results/local/predictor.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write instead: .csv or .parquet.")
def predict(sources: tuple[str, ...], sheets: tuple[Path, ...], store: Path, predictor: Path, out: Path | None) -> None:
    """Forecast latency and memory of models, with prediction intervals."""
    from perfcast.fit.options import COVERAGE_SLACK
    from perfcast.fit.predictor import load_predictor

    if out:
        _check_ending(out)
    loaded = load_predictor(predictor)
    forecasts = loaded.predict(_features_of(sources, sheets, store))
    if out:
        _write(out, forecasts)
    else:
        _show(forecasts, loaded.interval)
        for metric, coverage in loaded.coverage.items():
            if coverage < loaded.interval - COVERAGE_SLACK:
                click.echo(f"{metric}: on families left out, the intervals held {coverage:.0%} of the time")


def _features_of(sources: tuple[str, ...], sheets: tuple[Path, ...], store: Path) -> pd.DataFrame:
    from perfcast.features.table import features_table
    from perfcast.sources import describe_sources

    with _native_libraries_silent():
        return features_table(describe_sources(sources, _library(sheets, store)))


@contextlib.contextmanager
def _native_libraries_silent() -> Iterator[None]:
    """Keep what native libraries print off the terminal: TensorFlow's start would bury the answer.

    Errors come as exceptions and are not affected.
    """
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _library(sheets: tuple[Path, ...], store: Path) -> Library:
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.sources import Library

    folder = next((folder for folder in _SHEETS if folder.is_dir()), _SHEETS[0])
    return Library(sheets or tuple(sorted(folder.glob("*.csv"))), ArtifactStore(store))


def _check_ending(out: Path) -> None:
    if out.suffix not in {".csv", ".parquet"}:
        raise UsageError(f"--out {out}: the ending has to be .csv or .parquet")
    folder = out.absolute().parent
    try:
        found = folder.is_dir()
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror})") from error
    if not found:
        raise UsageError(f"--out {out}: there is no folder {folder}")


def _write(out: Path, table: pd.DataFrame) -> None:
    from perfcast.storage import write_table

    try:
        write_table(out, table)
    except OSError as error:
        raise PerfcastError(f"{out}: cannot be written ({error})") from error


def _show(forecasts: pd.DataFrame, share: float) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("model", "metric", box=None, pad_edge=False)
    for name in ("forecast", f"{share:.0%} interval"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in forecasts.itertuples():
        interval = f"{_digits(row.lower)} to {_digits(row.upper)} {row.unit}"
        warning = "" if row.in_domain else "unlike what was measured: the interval promises nothing"
        cells = (row.model, row.metric, f"{_digits(row.prediction)} {row.unit}", interval, warning)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _digits(value: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    return f"{float(f'{value:.3g}'):,.10g}"
