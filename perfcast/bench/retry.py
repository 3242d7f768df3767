"""Waiting for a device that is gone or taken: with growing pauses, and not for ever."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.bench.result_collector import say

if TYPE_CHECKING:
    from perfcast.errors import BenchmarkError

FIRST_PAUSE_S, MAX_PAUSE_S = 1.0, 60.0


@dataclass
class RetryPolicy:
    """How long has been waited since the campaign last got further.

    Attributes:
        limit_s: after which waiting ends.
    """

    limit_s: float
    _pause_s: float = FIRST_PAUSE_S
    _since: float | None = None
    _reached: object = None
    _said: str = ""

    def after(self, error: BenchmarkError, reached: object) -> None:
        """Wait after ``error``, a little longer each time; raise it where that has been long enough.

        Args:
            error: why a device was lost.
            reached: how far the campaign has got; where it got further than last time, retry starts over.
        """
        now = time.monotonic()
        if self._since is None or reached != self._reached:
            self._since, self._pause_s, self._reached, self._said = now, FIRST_PAUSE_S, reached, ""
        if now + self._pause_s - self._since > self.limit_s:
            raise error
        if str(error) != self._said:
            self._said = str(error)
            wait = f"{self.limit_s / 60:.0f} min" if self.limit_s >= 60 else f"{self.limit_s:.0f} s"
            say(f"{error}; measurements are stored; retrying for {wait}")
        time.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)
