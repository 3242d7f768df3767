"""Processes that work for another one, and end with it."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import joblib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_EVERY_S = 1.0


def run_all(tasks: Sequence[Callable[[], Any]], jobs: int) -> Iterator[Any]:
    """Yield the results of ``tasks`` in order, from ``jobs`` processes; of one job, from this process."""
    # Workers of a process that is killed would wait for more to do for minutes.
    with joblib.parallel_config("loky", initializer=end_with, initargs=(os.getpid(),)):
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    return parallel(joblib.delayed(task)() for task in tasks)


def end_with(parent: int) -> None:
    """End this process soon after its parent, which may be killed, maybe before this one has started.

    Args:
        parent: the id of the process that started this one.
    """
    threading.Thread(target=_end_without, args=(parent,), daemon=True).start()


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY_S)
    os._exit(1)
