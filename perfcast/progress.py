"""How far a long stage is, and how long it still takes, on the error stream."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

Advance = Callable[..., None]
"""Called with the number of pieces just done (1 when not given)."""

Progress = Callable[[int, str], AbstractContextManager[Advance]]
"""What `track` and `quiet` are: takes the number of pieces and a description."""

PLAIN_LINE_EVERY_S = 10.0


@contextlib.contextmanager
def track(total: int, description: str) -> Iterator[Advance]:
    """Show how many of ``total`` pieces are done and the time left; yields what to call after each piece.

    On a terminal a bar is drawn; elsewhere a plain line is printed, at most one in ten seconds.
    """
    if sys.stderr.isatty():
        with _bar(total, description) as advance:
            yield advance
    else:
        with plain(total, description) as advance:
            yield advance


@contextlib.contextmanager
def plain(total: int, description: str) -> Iterator[Advance]:
    """Print a plain line at most every ten seconds: for a stage that runs while others draw on the terminal."""
    yield _PlainLines(total, description)


@contextlib.contextmanager
def quiet(total: int, description: str) -> Iterator[Advance]:
    """Show nothing, where `track` would show how far a stage is."""
    del total, description
    yield lambda pieces=1: None


@contextlib.contextmanager
def _bar(total: int, description: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    # No thread that draws by itself: it would run during timed inferences.
    with Bar(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task(description, total=total)

        def advance(pieces: int = 1) -> None:
            bar.update(task, advance=pieces, refresh=True)

        bar.refresh()
        yield advance


@dataclass
class _PlainLines:
    total: int
    description: str
    done: int = 0
    started: float = field(default_factory=lambda: time.monotonic())
    printed: float = field(default_factory=lambda: time.monotonic())

    def __call__(self, pieces: int = 1) -> None:
        self.done += pieces
        now = time.monotonic()
        if now - self.printed < PLAIN_LINE_EVERY_S:
            return
        self.printed = now
        left = (now - self.started) / self.done * (self.total - self.done) if self.done else 0.0
        print(  # noqa: T201 - where there is no terminal, this line is the progress bar
            f"{self.description}: {self.done}/{self.total}, {_clock(left)} left", file=sys.stderr, flush=True
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
