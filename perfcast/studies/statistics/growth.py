"""Growth by a power whose exponent changes: where it does, over several curves at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from perfcast.studies.statistics.changepoints import Break, detectable, find_breaks, undecided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.studies.statistics.changepoints import Replicates


class Curve(Protocol):
    """Values over the levels of something."""

    @property
    def levels(self) -> Sequence[float]:
        """The levels, ascending, above zero."""

    @property
    def logs(self) -> Sequence[Sequence[float]]:
        """Natural logarithms of the values at each level."""

    @property
    def replicates(self) -> Replicates:
        """What the values of one level have in common, see `find_breaks`."""


C = TypeVar("C", bound=Curve)


@dataclass(frozen=True)
class Growth(Generic[C]):
    """Where the exponent of a curve changes.

    Attributes:
        curve: the one.
        breaks: the changes; levels are those of the curve, `before` and `after` exponents.
        undecided: why none can be found; empty where one could be.
        detectable: the smallest change of the exponent that would probably be found; NaN where some were.
    """

    curve: C
    breaks: tuple[Break, ...] = ()
    undecided: str = ""
    detectable: float = np.nan


def growths_of(curves: Sequence[C], alpha: float) -> tuple[Growth[C], ...]:
    """Return where each curve changes; a false alarm has probability ``alpha`` over all of them (Bonferroni)."""
    reasons = [undecided(_places(each), each.logs, replicates=each.replicates) for each in curves]
    share = alpha / max(1, reasons.count(""))
    return tuple(
        Growth(each, undecided=reason) if reason else _growth(each, share)
        for each, reason in zip(curves, reasons, strict=True)
    )


def _growth(curve: C, alpha: float) -> Growth[C]:
    found = find_breaks(_places(curve), curve.logs, alpha=alpha, replicates=curve.replicates)
    breaks = tuple(
        replace(each, level=float(np.exp(each.level)), low=float(np.exp(each.low)), high=float(np.exp(each.high)))
        for each in found
    )
    if breaks:
        return Growth(curve, breaks)
    return Growth(curve, detectable=detectable(_places(curve), curve.logs, alpha=alpha, replicates=curve.replicates))


def _places(curve: Curve) -> list[float]:
    return [float(np.log(level)) for level in curve.levels]
