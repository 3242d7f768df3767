"""Transports: how a plan reaches the runner on a target, and how its answers come back."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from perfcast.config import check
from perfcast.errors import BenchmarkError, UsageError
from perfcast.storage import canonical_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNER = Path(__file__).resolve().parents[2] / "board"
LAST_LINES = 20
LONGEST = 1 << 28
ENDING_S = 10


class Transport(Protocol):
    """Brings plans to a target's runner."""

    @property
    def device(self) -> str:
        """Which device it reaches: a name for files, the same for all targets on one device."""

    def probe(self, factors: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """Return the target's context as it is with the settings applied, without measuring."""

    def run(self, plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the runner's answers as they are made."""


@dataclass(frozen=True)
class LocalTransport:
    """Runs the runner on this machine, with this Python."""

    log: Path | None = None

    @property
    def device(self) -> str:
        """This machine, by its name on the network."""
        return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()) or "this-machine"

    def probe(self, factors: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """Return this machine's context as it is with the settings applied.

        Raises:
            BenchmarkError: the runner did not answer, or something else.
        """
        for answer in self._answers(["--probe", factors["toolchain"], "--settings", json.dumps(settings)]):
            if answer["event"] != "context":
                raise BenchmarkError(f"the runner answered {answer['event']!r} where its context was due")
            context: dict[str, Any] = answer["context"]
            return context
        raise BenchmarkError("the runner said nothing about this machine")

    def run(self, plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the runner's answers to ``plan``, as they are made.

        Raises:
            BenchmarkError: the runner ended early or answered what it should not.
        """
        with tempfile.TemporaryDirectory(prefix="perfcast-") as folder:
            path = Path(folder) / "plan.json"
            write_json(path, plan)
            yield from self._answers([str(path), "--wait"])

    def _answers(self, arguments: list[str]) -> Iterator[dict[str, Any]]:
        with self._errors() as errors:
            said_before = errors.tell()
            command = [sys.executable, str(RUNNER), "--die-with-parent", *arguments]
            pipe = subprocess.PIPE
            process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=errors, encoding="utf-8", errors="replace"
            )
            try:
                for line in _lines(process):
                    yield _parse(line)
                    _go_on(process)
                status = process.wait()
            finally:
                _end(process)
            if status < 0:
                raise BenchmarkError(f"the runner was killed by signal {-status}; run again to go on")
            if status > 0:
                raise BenchmarkError(f"the runner ended with status {status}: {_last_words(errors, said_before)}")

    def _errors(self) -> IO[str]:
        """Open what the runner's error stream goes to: the log itself, which then has it however this ends."""
        if self.log is None:
            return tempfile.TemporaryFile("w+", prefix="perfcast-", errors="replace")
        log = self.log.open("a+", errors="replace")
        log.seek(0, os.SEEK_END)
        return log


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield the runner's lines; one that has no end is cut, and is then no answer."""
    while process.stdout and (line := process.stdout.readline(LONGEST)):
        yield line


def _go_on(process: subprocess.Popen[str]) -> None:
    """Tell the runner that its answer is stored."""
    with contextlib.suppress(BrokenPipeError):  # It has ended; its status says how.
        if process.stdin:
            process.stdin.write("\n")
            process.stdin.flush()


def _end(process: subprocess.Popen[str]) -> None:
    """End a runner that still runs: it is asked first, so that it can restore the device's settings."""
    process.terminate()
    try:
        process.communicate(timeout=ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _parse(line: str) -> dict[str, Any]:
    """Return a line of the runner's answer, once it is what a runner may say: boards are not trusted."""
    try:
        answer: dict[str, Any] = json.loads(line)
        check(answer, "answer", "the runner")
        canonical_json(answer)  # Of lone surrogates, which nothing can be written with.
    except (ValueError, RecursionError, UsageError) as error:
        raise BenchmarkError(f"the runner answered what it should not: {line.strip()[:200]!r}") from error
    return answer


def _last_words(errors: IO[str], start: int) -> str:
    errors.seek(start)
    lines = [line.strip()[:500] for line in deque(errors, LAST_LINES) if line.strip()]
    return "".join(letter for letter in lines[-1] if letter.isprintable()) if lines else "it said nothing"


def open_transport(description: dict[str, Any], log: Path | None = None) -> Transport:
    """Return the transport that a target's description names.

    Raises:
        UsageError: there is no such transport.
    """
    if description["kind"] == "local":
        return LocalTransport(log)
    raise UsageError(f"transport.kind: {description['kind']!r} is not known; use 'local'")
