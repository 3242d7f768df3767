"""Talking with a runner: a plan in, a line an answer out, each taken before it goes on."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from perfcast.errors import BenchmarkError, PerfcastError
from perfcast.runner.shapes import schemas_of
from perfcast.schema import conforms
from perfcast.storage import canonical_json
from perfcast.text import last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LAST_LINES = 20
MAX_LINE_BYTES = 1 << 26
"""Characters of an answer: a quarter of an hour's samples of a network of 0.2 ms."""
ENDING_S = 10

Ending = tuple[int, str]
"""A runner's exit status (negative: the signal that killed it), and its last words."""


@dataclass(frozen=True)
class Runner:
    """A command that starts a runner.

    Attributes:
        command: the command and its arguments.
        log: file that its error stream is appended to; None keeps it for the last words only.
        error_of: makes an error of an ending that was not well.
    """

    command: Sequence[str]
    log: Path | None
    error_of: Callable[[Ending], PerfcastError]

    def answers(self, plan: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield its answers to ``plan`` as they are made; the next is read only when requested.

        Raises:
            BenchmarkError: it ended early or answered what it should not.
        """
        with _errors(self.log) as errors:
            said_before = errors.tell()
            pipe = subprocess.PIPE
            process = subprocess.Popen(
                self.command, stdin=pipe, stdout=pipe, stderr=errors, encoding="utf-8", errors="replace"
            )
            try:
                if plan is not None:
                    _send(process, canonical_json(plan).decode())
                for line in _lines(process):
                    yield parse_answer(line)
                    _send(process, "")
                status = process.wait()
            finally:
                _end(process)
            if status:
                raise self.error_of((status, _last_words(errors, said_before)))


def _errors(log: Path | None) -> IO[str]:
    """Open what the runner's error stream goes to: the log itself, which then has it however this ends."""
    if log is None:
        return tempfile.TemporaryFile("w+", prefix="perfcast-", errors="replace")
    file = log.open("a+", errors="replace")
    file.seek(0, os.SEEK_END)
    return file


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield the runner's lines; one that has no end is cut, and is then no answer."""
    while process.stdout and (line := process.stdout.readline(MAX_LINE_BYTES)):
        yield line


def _send(process: subprocess.Popen[str], line: str) -> None:
    """Send the runner its plan, or that its answer is stored."""
    with contextlib.suppress(BrokenPipeError):  # It has ended; its status says how.
        if process.stdin:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()


def _end(process: subprocess.Popen[str]) -> None:
    """End a runner that still runs: it is asked first, so that it can restore the device's settings."""
    process.terminate()
    try:
        process.communicate(timeout=ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def parse_answer(line: str) -> dict[str, Any]:
    """Return a line of the runner's answer, once it is what a runner may say: boards are not trusted.

    Raises:
        BenchmarkError: it is something else.
    """
    try:
        answer: dict[str, Any] = json.loads(line)
        is_known = isinstance(answer, dict) and any(conforms(answer, kind) for kind in schemas_of(answer["event"]))
        canonical_json(answer)  # Of lone surrogates, which nothing can be written with.
    except (ValueError, KeyError, TypeError, RecursionError):
        is_known = False
    if not is_known:
        raise BenchmarkError(f"malformed answer of the runner: {repr(line.strip()[:200])[:200]}")
    return answer


def _last_words(errors: IO[str], start: int) -> str:
    errors.seek(start)
    return last_line("".join(deque(errors, LAST_LINES)))
