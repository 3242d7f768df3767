"""This machine as a host, for containers on it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.bench.remote.connection import Connection
from perfcast.runner.locks import this_machine

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class ThisMachine:
    """This machine: what runs on it directly, and what does in a container, wait for each other."""

    @property
    def name(self) -> str:
        """Its name on the network."""
        return str(this_machine())

    @property
    def address(self) -> str:
        """Another one than that of what runs directly: its lock is the runner's to take, as on any device."""
        return f"{this_machine()}-containers"

    @contextlib.contextmanager
    def connected(self) -> Iterator[Shell]:
        """Yield its shell."""
        yield Shell(self)


@dataclass(frozen=True)
class Shell(Connection):
    """The shell of this machine."""

    def command(self, script: str, *arguments: str) -> list[str]:
        """Return the command that runs a script in the home folder, as a login would."""
        return ["sh", "-c", f"cd || exit 1\n{script}", "perfcast", *arguments]

    def cut(self, status: int, errors: str) -> None:
        """Return None: there is no link to fail."""
