"""Hosts: machines with a POSIX shell, whichever way it is reached."""

from __future__ import annotations

import subprocess
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from perfcast.errors import LinkError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

ANSWERS_S = 60
_MAX_LENGTH = 1 << 20


class Host(Protocol):
    """A machine that can be connected to."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def address(self) -> str:
        """What names it for locks and files, whatever other names it has."""

    def connected(self) -> AbstractContextManager[Connection]:
        """Yield a connection, which opens with the first command."""


@dataclass(frozen=True)
class CommandResult:
    """What a command printed there, and how it ended."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True)
class Connection(ABC):
    """A way to one host, open for as long as a campaign takes."""

    host: Host

    @abstractmethod
    def command(self, script: str, *arguments: str) -> list[str]:
        """Return the command here that runs a script of the POSIX shell there, in the home folder.

        ``arguments`` are the script's $1, $2, …
        """

    @abstractmethod
    def cut(self, status: int, errors: str) -> str | None:
        """Return why the link to the host failed, where that is what a command's end means; None where it is not."""

    def run(self, script: str, *arguments: str, content: bytes = b"") -> CommandResult:
        """Run a script of the POSIX shell there, with ``content`` on its standard input.

        Raises:
            LinkError: it does not get there, or nothing comes back; one line says why.
            UsageError: what connects is not installed here.
        """
        # Not pipes: a connection that stays open for the next session would hold them open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                done = subprocess.run(
                    self.command(script, *arguments), input=content, stdout=output, stderr=errors,
                    timeout=ANSWERS_S, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise LinkError(f"{self.host.name}: does not answer within {ANSWERS_S} s") from error
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read(_MAX_LENGTH).decode("utf-8", "replace"))
        if reason := self.cut(done.returncode, texts[1]):
            raise LinkError(f"{self.host.name}: {reason}")
        return CommandResult(done.returncode, *texts)
