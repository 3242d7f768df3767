"""What a device lacks, found out before anything is measured."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.errors import BenchmarkError
from perfcast.text import escape_control, one_line

if TYPE_CHECKING:
    from perfcast.bench.remote.connection import Connection
    from perfcast.bench.remote.description import Remote

CLOCK_MAY_DIFFER_S = 300
MIN_FREE_MB = 100
OLDEST_PYTHON = (3, 6)
_MAX_LENGTH = 300
_SCRIPT = r"""
folder=$1 python=$2 engine=$3 image=$4 runner=$5
say() { printf '%s\t%s\n' "$1" "$2" | head -c 500; }
say machine "$(uname -m)"
say clock "$(date +%s)"
say python "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
if refused=$(mkdir -p -- "$folder" 2>&1); then
  say free_kb "$(df -Pk -- "$folder" | awk 'NR == 2 {print $4}')"
  [ -f "$folder/$runner" ] && say runner there
else
  say folder_refused "$refused"
fi
[ -z "$engine" ] && exit 0
if ! command -v "$engine" >/dev/null; then
  say engine_refused absent
elif refused=$("$engine" info 2>&1 >/dev/null); then
  say image "$("$engine" image inspect --format '{{.Architecture}}' "$image" 2>/dev/null)"
else
  say engine_refused "$(printf '%s' "$refused" | tail -n 1)"
fi
exit 0
"""
_ARCHITECTURES = {"arm64": "aarch64", "amd64": "x86_64"}
"""What container engines call machines that the kernel calls otherwise."""


@dataclass(frozen=True)
class Found:
    """What a device says of what it has, as text; what it does not say is absent."""

    facts: dict[str, str]
    asked_s: float

    @classmethod
    def of_output(cls, output: str, asked_s: float) -> Found:
        """Return what a device printed: names and values, parted by a tabulator, a line each."""
        lines = [line.split("\t", 1) for line in output.splitlines() if "\t" in line]
        return cls({name: escape_control(value[:_MAX_LENGTH]) for name, value in lines}, asked_s)

    @property
    def has_runner(self) -> bool:
        """Whether the runner of this version is there."""
        return "runner" in self.facts

    def number(self, name: str) -> float | None:
        """Return a fact as a number, None if it is not one."""
        text = self.facts.get(name, "")
        return float(text) if re.fullmatch(r"\d{1,15}", text) else None


def look(connection: Connection, remote: Remote, runner: str) -> Found:
    """Ask a device what it has.

    Raises:
        LinkError: it cannot be reached; one line says why.
        BenchmarkError: it has no POSIX shell.
    """
    container = remote.container
    engine, image = (container.engine, container.image) if container else ("", "")
    said = connection.run(_SCRIPT, remote.folder, remote.python, engine, image, runner)
    found = Found.of_output(said.output, time.time())
    if said.status or not found.facts:
        words = one_line(said.errors, _MAX_LENGTH) or "nothing"
        raise BenchmarkError(
            f"{connection.host.name}: its shell exited with status {said.status} and printed {words!r}"
        )
    return found


def problems_of(found: Found, remote: Remote) -> list[str]:
    """Return what must be fixed before anything can be measured, each with what to do about it."""
    problems = [_machine(found, remote), _python(found, remote), _disk(found, remote), _clock(found)]
    if remote.container:
        problems.append(_container(found, remote))
    return [problem for problem in problems if problem]


def _machine(found: Found, remote: Remote) -> str:
    machine = found.facts.get("machine", "")
    if remote.architecture and machine != remote.architecture:
        kind = f"it is a machine of type {machine or 'unknown'}, not {remote.architecture}"
        return f"{kind}: choose the right device, or correct device.architecture"
    return ""


def _python(found: Found, remote: Remote) -> str:
    match = re.fullmatch(r"(\d+)\.(\d+)", found.facts.get("python", ""))
    least = ".".join(map(str, OLDEST_PYTHON))
    if not match:
        return f"there is no {remote.python}: install Python {least} or later (`sudo apt install python3`)"
    if (int(match[1]), int(match[2])) < OLDEST_PYTHON:
        return f"{remote.python} is Python {match[0]}; {least} or later is needed"
    return ""


def _disk(found: Found, remote: Remote) -> str:
    if refused := found.facts.get("folder_refused"):
        return f"{remote.folder} cannot be created there ({refused}); set transport.folder to a writable one"
    free = found.number("free_kb")
    if free is not None and free * 1024 < MIN_FREE_MB * 1e6:
        return f"its disk is full: {remote.folder} has {free * 1024e-6:.0f} MB left, {MIN_FREE_MB} MB are needed"
    return ""


def _clock(found: Found) -> str:
    clock = found.number("clock")
    if clock is None:
        return "it does not report its time (`date +%s`)"
    off = clock - found.asked_s
    if abs(off) <= CLOCK_MAY_DIFFER_S:
        return ""
    where = "ahead" if off > 0 else "behind"
    return (
        f"its clock is {_long(abs(off))} {where}: measurements would have wrong dates; "
        "set it (`sudo timedatectl set-ntp true`, or `sudo date -s …`)"
    )


def _long(seconds: float) -> str:
    days, hours, minutes = seconds / 86400, seconds / 3600, seconds / 60
    if days >= 2:
        return f"{days:.0f} days"
    return f"{hours:.0f} hours" if hours >= 2 else f"{minutes:.0f} minutes"


def _container(found: Found, remote: Remote) -> str:
    if not (container := remote.container):
        return ""
    engine, refused = container.engine, found.facts.get("engine_refused")
    if refused == "absent":
        return f"{engine} is not installed: `sudo apt install {engine}`; or set transport.container to null"
    if refused:
        return f"{engine} cannot be used ({refused}); to get access: `sudo usermod -aG {engine} $USER`"
    image = found.facts.get("image", "")
    if not image:
        return f"the image {container.image} is missing: `{engine} pull` it, and `{engine} tag` it with this name"
    machine = found.facts.get("machine")
    if (of_image := _ARCHITECTURES.get(image, image)) != machine:
        return f"the image {container.image} is for {of_image}, the machine is {machine}"
    return ""
