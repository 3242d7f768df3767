"""What commands write: files, their format given by the extension, and tables on the terminal."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcast.errors import PerfcastError, UsageError
from perfcast.text import escape_control, format_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from rich.console import Console

    from perfcast.fit.predictor import Predictor

_PLAIN_WIDTH = 160
_DRAWING_WIDTH = 80
_WIDEST_DRAWING = 140


@contextlib.contextmanager
def native_libraries_silent() -> Iterator[None]:
    """Keep what native libraries print off the terminal: TensorFlow's start would bury the answer.

    Python's own error stream stays; errors come as exceptions and are not affected.
    """
    kept, stream = os.dup(2), sys.stderr
    with Path(os.devnull).open("wb") as nothing, os.fdopen(os.dup(2), "w", buffering=1) as terminal:
        if stream is sys.__stderr__:
            sys.stderr = terminal
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr = stream
            os.dup2(kept, 2)
            os.close(kept)


def say(error: PerfcastError) -> None:
    """Say an error in its one line."""
    # Errors quote files and names, which may hold what commands a terminal.
    click.echo(f"perfcast: error: {escape_control(error)}", err=True)


def end(failures: list[PerfcastError], done: int) -> None:
    """Say which sources failed; the exit code is 2 where each is the user's mistake and nothing was done."""
    for error in failures:
        say(error)
    if failures:
        mistakes = all(isinstance(error, UsageError) for error in failures)
        sys.exit(UsageError.exit_code if mistakes and not done else PerfcastError.exit_code)


def check_ending(out: Path, endings: tuple[str, ...] = (".csv", ".parquet")) -> None:
    """Refuse a file that could not be written, before anything is done.

    Raises:
        UsageError: it has none of the endings, or its folder is not there.
    """
    if out.suffix not in endings:
        raise UsageError(f"--out {out}: the ending must be {' or '.join(endings)}")
    folder = out.absolute().parent
    try:
        found = folder.is_dir()
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror})") from error
    if not found:
        raise UsageError(f"--out {out}: there is no folder {folder}")


def show_predictions(predictions: pd.DataFrame, predictor: Predictor) -> None:
    """Print predictions as a table, and which metrics' intervals hold less than they promise."""
    from perfcast.factors import NAMES
    from perfcast.fit.options import COVERAGE_SLACK

    factors = [name for name in predictions if name in NAMES]
    rows = []
    for row in predictions.itertuples():
        interval = f"{format_number(row.lower)} to {format_number(row.upper)} {row.unit}"
        chosen = (str(getattr(row, name)) for name in factors)
        rows.append(
            (row.model, row.metric, *chosen, f"{format_number(row.prediction)} {row.unit}", interval, _remarks(row))
        )
    show_table(
        {
            "model": "left",
            "metric": "left",
            **dict.fromkeys(factors, "left"),
            "prediction": "right",
            f"{predictor.interval:.0%} interval": "right",
            "": "left",
        },
        rows,
    )
    for metric, coverage in predictor.coverage.items():
        if coverage < predictor.interval - COVERAGE_SLACK:
            click.echo(f"{metric}: on held-out families, the intervals held {coverage:.0%} of the time")


def _remarks(row: Any) -> str:
    """Return what must be said of a prediction, a row of `Predictor.predict`."""
    remarks = []
    risk = getattr(row, "out_of_memory", math.nan)
    if not math.isnan(risk):
        remarks.append(f"runs out of memory with a probability of {risk:.1%}")
    if not row.in_domain:
        remarks.append("unlike the training data: the interval may not hold")
    return "; ".join(remarks)


def show_table(columns: dict[str, str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: headings and how each column is justified, and the rows' cells."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name, justify in columns.items():
        table.add_column(Text(escape_control(name)), justify="right" if justify == "right" else "left", overflow="fold")
    for cells in rows:
        table.add_row(*(Text(escape_control(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH).print(table)


def drawing_console() -> tuple[Console, bool]:
    """Return what drawings are printed on, as wide as the terminal, and whether it takes more than ASCII."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _DRAWING_WIDTH)
    console.width = min(console.width, _WIDEST_DRAWING)
    return console, (sys.stdout.encoding or "ascii").lower().replace("-", "") == "utf8"
