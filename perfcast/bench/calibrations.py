"""Times of the calibration workload: how fast a machine is, and whether another one is as fast."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SLOW = 0.95


@dataclass(frozen=True)
class Speed:
    """What a machine's calibration times show, in any unit of time.

    Attributes:
        best: the shortest.
        usual: the median.
        slow: the 95th percentile, by the nearest rank.
    """

    best: float
    usual: float
    slow: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Speed:
        """Return the speed that times show, of which there is at least one."""
        ranked = sorted(times)
        return cls(ranked[0], median(ranked), ranked[min(len(ranked) - 1, int(_SLOW * len(ranked)))])

    def agrees(self, other: Speed) -> bool:
        """Return whether two machines may be as fast: what is usual on one is seen on the other.

        So the tolerance is what the times themselves show, some per cent on a calm machine. Of one that was never calm
        (3,144 times during a campaign), 99% of the blocks of ten successive times agree with all taken together; 19%
        would if they were twice as long, and none if three times.
        """
        return self.best <= other.usual <= self.slow or other.best <= self.usual <= other.slow


def calibration_name(device: str, threads: int) -> str:
    """Return what the calibration workload's times are kept by: on another number of threads it is another one."""
    return f"{device}, {threads} thread{'s' if threads > 1 else ''}"


def ratio_in_words(ratio: float) -> str:
    """Return in words that something takes ``ratio`` times as long, such as `3.1 times slower`."""
    times = max(ratio, 1 / ratio)
    return f"{times:.{1 if times >= 2 else 2}f} times {'slower' if ratio > 1 else 'faster'}"
