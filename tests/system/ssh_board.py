"""A board that is none: a private OpenSSH server on loopback, whose commands run in a home folder of their own."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import eventually

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
NAME = "board"
HOME = "it's a board's; $(touch spoiled)"

_SERVER = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized
PidFile {folder}/sshd.pid
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
ForceCommand {folder}/login
"""
_CLIENT = """
Host {name}
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
"""
_LOGIN = """#!/bin/sh
export HOME={home} PATH={tools}:$PATH PERFCAST_LOCKS={locks}
cd "$HOME"
exec sh -c "$SSH_ORIGINAL_COMMAND"
"""


@dataclass(frozen=True)
class SshBoard:
    """A running server.

    Attributes:
        folder: its keys and configuration, and those of who may come in.
        port: where it listens.
    """

    folder: Path
    port: int
    name: str = NAME

    @classmethod
    def start(cls, folder: Path) -> SshBoard:
        """Start a server that keeps everything in ``folder``."""
        for part in (HOME, "tools", "locks"):
            (folder / part).mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            board = cls(folder, free.getsockname()[1])
        for key in ("host_key", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run(command, check=True, timeout=60)
        board.trust()
        (folder / "authorized").write_text((folder / "key.pub").read_text())
        (folder / "server").write_text(_SERVER.format(folder=folder, port=board.port))
        (folder / "client").write_text(_CLIENT.format(folder=folder, port=board.port, name=NAME))
        board.log_in_as(PYTHON=sys.executable)
        board.tool("python3", f'exec {shlex.quote(sys.executable)} "$@"')
        Path("/run/sshd").mkdir(exist_ok=True)
        board.up()
        return board

    @property
    def home(self) -> Path:
        """Where commands start."""
        return self.folder / HOME

    @property
    def environment(self) -> dict[str, str]:
        """What has perfcast come in here."""
        return {"PERFCAST_SSH": f"ssh -F {shlex.quote(str(self.folder / 'client'))}"}

    def trust(self) -> None:
        """Know the server's key."""
        kind, key, *_ = (self.folder / "host_key.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def log_in_as(self, **environment: str) -> None:
        """Set what commands find in their environment."""
        login = self.folder / "login"
        more = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
        places = {name: shlex.quote(str(self.folder / name)) for name in ("tools", "locks")}
        text = _LOGIN.format(home=shlex.quote(str(self.home)), **places)
        login.write_text(text.replace("cd ", more + "cd "))
        login.chmod(0o755)

    def tool(self, name: str, script: str) -> None:
        """Put a command first in the board's PATH."""
        path = self.folder / "tools" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def up(self) -> None:
        """Start the server."""
        subprocess.run([SSHD, "-f", self.folder / "server", "-E", self.folder / "sshd.log"], check=True, timeout=60)
        eventually(self._answers, said=(self.folder / "sshd.log").read_text)

    def _answers(self) -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", self.port)) == 0

    def down(self) -> None:
        """Stop the server, and cut all links."""
        server = psutil.Process(int((self.folder / "sshd.pid").read_text()))
        sessions = server.children()
        server.kill()
        for session in sessions:
            cut(session)
        server.wait(10)

    def cut_links(self) -> int:
        """Cut the links that there are, as if a cable had been pulled; return how many."""
        sessions = psutil.Process(int((self.folder / "sshd.pid").read_text())).children()
        for session in sessions:
            cut(session)
        return len(sessions)

    def processes(self) -> list[psutil.Process]:
        """Return the processes that measure there, in its containers too."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd"]):
            is_runner = any(word.endswith(".pyz") for word in process.info["cmdline"] or [])
            where = process.info["cwd"] or ""
            if is_runner and where.startswith((str(self.folder), "/perfcast")):
                found.append(process)
        return found


def cut(session: psutil.Process) -> None:
    """Kill what serves a link, and nothing that it started."""
    servers = [session, *(child for child in session.children() if child.name() == "sshd")]
    for process in reversed(servers):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
