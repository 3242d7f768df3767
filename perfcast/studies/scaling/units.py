"""Times as people read them: in the unit that suits a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.pages.formatting import number
from perfcast.tables.units import seconds_of

if TYPE_CHECKING:
    from perfcast.studies.scaling.observations import Observations

_UNITS = ("s", "ms", "µs", "ns")
_MIN_SHOWN = 0.1


@dataclass(frozen=True)
class Unit:
    """A unit of time.

    Attributes:
        name: as shown; empty where the table does not say which it is.
        seconds: how many s it is; 1 where that is unknown.
    """

    name: str
    seconds: float

    @property
    def axis(self) -> str:
        """The title of an axis of times."""
        return f"Time, {self.name}" if self.name else "Time, unit not stated"

    def show(self, seconds: float) -> str:
        """Return a time with its unit."""
        shown = number(seconds / self.seconds)
        return f"{shown} {self.name}" if self.name else shown


def unit_for(observations: Observations) -> Unit:
    """Return the unit in which the typical time of a data set is 0.1 at least."""
    return unit_of_time(float(np.exp(observations.cells["log_time"].median())), observations.has_unit)


def unit_of_time(seconds: float, is_known: bool = True) -> Unit:
    """Return the unit in which a time is 0.1 at least."""
    if not is_known:
        return Unit("", 1.0)
    name = next((name for name in _UNITS if seconds >= _MIN_SHOWN * seconds_of(name)), _UNITS[-1])
    return Unit(name, seconds_of(name))
