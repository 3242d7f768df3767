"""One run a folder: keeps two runs of this workflow apart, and clears away the locks that a killed run left.

Snakemake locks its folder with files, which outlive a killed run. The locks here are the kernel's: it gives them
back however a process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from perfcast.errors import StoreError, UsageError
from perfcast.storage import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOCK = "perfcast.lock"
RECORD = "perfcast.json"
_KEYS = {"pid", "host", "since", "before", "own"}


@functools.cache
def lifeline(folder: Path) -> str:
    """Return a file that stays locked until this process ends: what jobs watch, to end with it."""
    path = folder / "lifeline"
    with contextlib.suppress(OSError):  # A file system without such locks: jobs then end by themselves.
        fcntl.flock(_kept_open(path), fcntl.LOCK_EX)
    return str(path)


@functools.cache
def keep(snakemake: Path, results: str) -> None:
    """Keep a folder for this run until it ends; clear away what a killed one left there.

    Args:
        snakemake: the folder's `.snakemake`.
        results: the folder that all outputs of this workflow are in.

    Raises:
        UsageError: another run has it.
    """
    handle, record = _kept_open(snakemake / LOCK), snakemake / RECORD
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(_busy(_read(record))) from None
    except OSError:
        return  # This file system knows no such locks: Snakemake's own have to do.
    left = _read(record)
    # Whether a run on another host is over, its record does not say.
    if left.get("host") == platform.node():
        _clear(snakemake, left, results)
    _drop_dangling_links(Path(results))
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    holder = {"pid": os.getpid(), "host": platform.node(), "since": since}
    write_json(record, holder | {"before": _locks(snakemake), "own": None})
    atexit.register(record.unlink, missing_ok=True)


def remember_locks(snakemake: Path, names: Iterable[str]) -> None:
    """Record which of Snakemake's locks are this run's, once it has them."""
    record = snakemake / RECORD
    values = _read(record)
    if values.get("pid") == os.getpid():
        locks = _locks(snakemake)
        write_json(record, values | {"own": {name: locks[name] for name in names if name in locks}})


def _kept_open(path: Path) -> int:
    """Open a file for good: the kernel closes it, and gives up its lock, when this process ends."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _read(record: Path) -> dict[str, Any]:
    """Return who holds the folder, or held it last; nothing where the record is absent or damaged."""
    with contextlib.suppress(StoreError):
        values = read_json(record)
        if isinstance(values, dict) and values.keys() >= _KEYS:
            return values
    return {}


def _busy(holder: dict[str, Any]) -> str:
    who = "(pid {pid} on {host}, since {since}) ".format(**holder) if holder else ""
    return f"another perfcast run {who}is working in this folder; wait for it or stop it"


def _locks(snakemake: Path) -> dict[str, list[int]]:
    """Return Snakemake's locks by name, each with what distinguishes it from a later one of the same name."""
    found = {}
    for path in (snakemake / "locks").glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            found[path.name] = [status.st_ino, status.st_mtime_ns]
    return found


def _drop_dangling_links(results: Path) -> None:
    """Remove links into a cache that was emptied: Snakemake can neither read nor make again what they stand for."""
    for path in (results / "features.parquet", *(results / "manifests/export").glob("*")):
        if path.is_symlink() and not path.exists():
            path.unlink()


def _clear(snakemake: Path, left: dict[str, Any], results: str) -> None:
    """Remove the locks of a run that was killed, and none that may be a living Snakemake's."""
    own = left["own"]
    if own is None:
        # Killed just before it could say, or part of another workflow: what appeared since it began and locks
        # nothing but its results is its own, unless others are about.
        own = {} if any(_others(snakemake.parent.resolve())) else _locks(snakemake)
        own = {name: identity for name, identity in own.items() if _is_of(snakemake / "locks" / name, results)}
    for name, identity in _locks(snakemake).items():
        if own.get(name) == identity and left["before"].get(name) != identity:
            (snakemake / "locks" / name).unlink(missing_ok=True)


def _is_of(lock: Path, results: str) -> bool:
    """Tell whether a lock of Snakemake's, a list of files, locks files of these results alone."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        names = lock.read_text().splitlines()
        return all(Path(name).is_relative_to(results) for name in names)
    return False


def _others(folder: Path) -> Iterator[int]:
    """Yield the process ids of other Snakemakes that work in a folder of this host."""
    this = psutil.Process()
    family = {this.pid, *(parent.pid for parent in this.parents())}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.pid not in family and _is_snakemake_in(process, folder):
                yield process.pid


def _is_snakemake_in(process: psutil.Process, folder: Path) -> bool:
    try:
        words = process.cmdline()
    except psutil.AccessDenied:
        return False
    if not any(Path(word).name == "snakemake" for word in words):
        return False
    try:
        return process.cwd() == str(folder)
    except psutil.AccessDenied:
        return True  # Another user's, which may be anywhere.
