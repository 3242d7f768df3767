"""Processes that work for another one, and end with it."""

from __future__ import annotations

import os
import threading
import time

_EVERY_S = 1.0


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
