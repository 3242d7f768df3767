"""Bringing the runner and graphs to a device: once each, by the digest of their content."""

from __future__ import annotations

import contextlib
import gzip
import json
import select
import subprocess
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from perfcast.bench.remote.connection import ANSWERS_S
from perfcast.bench.runner_process import parse_answer
from perfcast.errors import BenchmarkError, LinkError
from perfcast.runner.protocol import GONE, PROGRAMS
from perfcast.storage import canonical_json, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SENT_AT_ONCE = 1 << 20
_FROM_HOME = "case $python in /*) ;; */*) python=$PWD/$python ;; esac"
"""An interpreter's path counts from the home folder on, wherever it is run; a mere name is looked up."""

KEEP_RUNNER = rf"""
folder=$1 python=$2 name=$3 digest=${{3%%.*}}
{_FROM_HOME}
cd -- "$folder" && mkdir -p {PROGRAMS} || exit 1
cat >".$name.$$" &&
"$python" -c 'import hashlib, sys
sys.exit(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest() != sys.argv[2])' ".$name.$$" "$digest" &&
mv -f -- ".$name.$$" "$name" && exit 0
rm -f -- ".$name.$$"
exit 1
"""
"""Runner on standard input: kept under its name, once it is whole."""

RUN = rf"""
folder=$1 python=$2 runner=$3
{_FROM_HOME}
shift 3
cd -- "$folder" && [ -f "$runner" ] || exit {GONE}
exec "$python" "$runner" "$@"
"""
"""Runs the runner in its folder, with further arguments."""


@dataclass(frozen=True)
class Sent:
    """What was brought to a device."""

    files: int
    size_bytes: int
    seconds: float


def packed(graphs: Mapping[str, Path]) -> dict[str, tuple[str, bytes]]:
    """Return graphs as a device keeps them: by the names that tasks have for them, file name and compressed content.

    Raises:
        OSError: one cannot be read.
    """
    found = {}
    for name, path in graphs.items():
        content = gzip.compress(path.read_bytes(), mtime=0)
        found[name] = f"{digest_of(content)}.{name.partition('.')[2]}.gz", content
    return found


def send_files(command: Sequence[str], files: Mapping[str, bytes], errors: IO[bytes]) -> tuple[int, Sent]:
    """Send those of ``files`` that a device lacks; return the exit status of ``command`` and what was sent.

    Args:
        command: starts the runner's `--receive` there.
        files: contents by file name.
        errors: takes the error stream.

    Raises:
        LinkError: it does not answer.
        BenchmarkError: the device answered something else than what it lacks.
    """
    start = time.monotonic()
    sizes = {name: len(content) for name, content in files.items()}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
    lacking: list[str] = []
    try:
        if not (process.stdin and process.stdout):
            raise AssertionError("both are pipes")
        process.stdin.write(canonical_json({"files": sizes}) + b"\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], ANSWERS_S)[0]:
            raise LinkError(f"no answer for {ANSWERS_S} s; the list of missing files was expected")
        lacking = _lacking(process.stdout.readline(), sizes)
        for name in lacking:
            _write(process.stdin, files[name])
        process.stdin.close()
        process.stdout.read()
    except BrokenPipeError:
        pass  # It has ended; its status says how.
    finally:
        status = _end(process)
    return status, Sent(len(lacking), sum(sizes[name] for name in lacking), time.monotonic() - start)


def _lacking(line: bytes, sizes: Mapping[str, int]) -> list[str]:
    if not line:
        return []  # It has ended; its status says how.
    answer = parse_answer(line.decode("utf-8", "replace"))
    names = answer.get("names", [None])
    if answer["event"] != "lacking" or not set(names) <= set(sizes):
        raise BenchmarkError(f"the runner answered {answer['event']!r} instead of the list of missing files")
    return list(names)


def _write(stream: IO[bytes], content: bytes) -> None:
    for start in range(0, len(content), _SENT_AT_ONCE):
        stream.write(content[start : start + _SENT_AT_ONCE])
    stream.flush()


def _end(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=10 if process.stdin and process.stdin.closed else 0.5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):  # What was still to be written is to nobody.
                if stream:
                    stream.close()


def order_of(token: str, settings: Mapping[str, object], container: Mapping[str, object] | None) -> str:
    """Return the request to lock and set up the device first."""
    return json.dumps({"token": token, "settings": settings, "container": container})
