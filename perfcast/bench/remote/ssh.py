"""Hosts over the system's OpenSSH: its configuration, agents and jump hosts are the user's own."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from perfcast.bench.remote.connection import ANSWERS_S, Connection
from perfcast.errors import UsageError
from perfcast.storage import digest_of
from perfcast.text import last_line, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VARIABLE = "PERFCAST_SSH"
"""The environment variable that names another ssh, with options: `ssh -F my_config`."""

SSH_FAILED = 255
_OPTIONS = {
    "BatchMode": "yes",  # Nobody is there to type a password.
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "15",  # A link that says nothing for 45 s is dead.
    "ServerAliveCountMax": "3",
    "ControlMaster": "auto",  # One connection for all that is done.
    "ControlPersist": "60",
    "ClearAllForwardings": "yes",
    "RequestTTY": "no",
}
_REASONS = (
    (r"could not resolve hostname", "its name is not known: add `Host {host}` with its address to ~/.ssh/config"),
    (
        r"remote host identification has changed|host key for .* has changed",
        "its host key is not the one that is known: another machine answers there, or it was reinstalled; "
        "see that it is yours, then run `ssh-keygen -R {host}` and `ssh {host}` once",
    ),
    (
        r"host key verification failed|no .* host key is known",
        "its host key is not known yet: run `ssh {host}` once and compare the fingerprint",
    ),
    (
        r"permission denied|too many authentication failures",
        "it refuses your key: run `ssh-copy-id {host}`, or name the key in ~/.ssh/config (IdentityFile)",
    ),
    (
        r"connection refused|timed out|no route to host|network is unreachable|connection closed|connection reset"
        r"|closed by remote host|timeout, server|broken pipe",
        "it does not answer; is it on, and in the network?",
    ),
)


@dataclass(frozen=True)
class SshHost:
    """A host as the user's OpenSSH knows it."""

    name: str

    @cached_property
    def address(self) -> str:
        """The address and port that its name stands for, and by which way: behind gateways addresses repeat.

        Raises:
            UsageError: there is no ssh here, or its configuration is wrong.
        """
        command = [*_ssh(), "-G", "--", self.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWERS_S, check=False)
        if done.returncode:
            raise UsageError(f"ssh cannot be used for {self.name}: {one_line(done.stderr, 500)}")
        facts = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
        ways = [facts[name] for name in ("proxyjump", "proxycommand") if facts.get(name, "none") != "none"]
        behind = f"-{digest_of(' '.join(ways).encode())[:8]}" if ways else ""
        return f"{facts.get('hostname', self.name)}-{facts.get('port', '22')}{behind}"

    @contextlib.contextmanager
    def connected(self) -> Iterator[SshConnection]:
        """Yield a connection to it, which opens with the first command.

        Raises:
            UsageError: there is no ssh here.
        """
        # Not below $TMPDIR: a socket's path may be of 100 characters at most.
        with tempfile.TemporaryDirectory(prefix="perfcast-ssh-", dir="/tmp") as control:
            connection = SshConnection(self, control)
            try:
                yield connection
            finally:
                with contextlib.suppress(subprocess.TimeoutExpired, OSError):
                    connection.close()


@dataclass(frozen=True)
class SshConnection(Connection):
    """A connection that its sessions share.

    Attributes:
        control: folder of the socket that they share it by.
    """

    control: str

    def command(self, script: str, *arguments: str) -> list[str]:
        """Return the command here that runs a script of the POSIX shell there."""
        return [*_ssh(), *self._options(), "--", self.host.name, remote_command(script, *arguments)]

    def cut(self, status: int, errors: str) -> str | None:
        """Return why ssh did not get there, or lost the way."""
        return reason_of(self.host.name, errors) if status == SSH_FAILED else None

    def close(self) -> None:
        """Close what its sessions shared."""
        command = [*_ssh(), *self._options(), "-O", "exit", "--", self.host.name]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWERS_S, check=False)

    def _options(self) -> list[str]:
        options = _OPTIONS | {"ControlPath": f"{self.control}/%C"}
        return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def remote_command(script: str, *arguments: str) -> str:
    """Return what to give a login shell, whichever it is, so that a POSIX shell runs a script with arguments."""
    return shlex.join(["exec", "sh", "-c", script, "perfcast", *arguments])


def _ssh() -> Sequence[str]:
    given = os.environ.get(VARIABLE) or "ssh"
    try:
        command = shlex.split(given)
    except ValueError as error:
        raise UsageError(f"{VARIABLE}: {one_line(given, 200)!r} is not a command ({error})") from error
    if not command:
        raise UsageError(f"{VARIABLE} is empty; unset it, or name an ssh such as `ssh -F my_config`")
    if not shutil.which(command[0]):
        raise UsageError(f"{command[0]} is not installed here; install OpenSSH's client")
    return command


def reason_of(host: str, errors: str) -> str:
    """Say why ssh did not get to a host, and what to do: what it printed, in words of ours where they are known."""
    for pattern, words in _REASONS:
        if re.search(pattern, errors, re.IGNORECASE):
            return words.format(host=host)
    return f"ssh ended with {last_line(errors)!r}" if errors.strip() else "ssh failed and said nothing"
