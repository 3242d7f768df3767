"""The samples of one measurement, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

_MS = 1e-6
CAUSES = (
    *("voluntary_switches", "involuntary_switches", "minor_faults", "major_faults"),
    *("run_delay_ns", "steal_ns", "interrupt_ns"),
)
"""What the runner records around each sample; docs/data-model.md says what each is."""


@dataclass(frozen=True)
class Series:
    """The samples of one measurement in the order they were taken.

    Attributes:
        wall_ms: wall time of each inference in ms, warm-up included.
        visit: the visit in which it was taken.
        discarded: whether the protocol declares it warm-up.
        causes: what happened during each inference, by the names in `CAUSES`; without those the platform lacks.
        disturbed: visits that the runner found disturbed.
        calibration_ms: time of the calibration workload around a visit, mean of before and after, by visit.
        swapped: visits during which the system swapped memory.
        clock_tick_ms: resolution of the clock in ms; 0 where it is not recorded.
    """

    wall_ms: np.ndarray
    visit: np.ndarray
    discarded: np.ndarray
    causes: Mapping[str, np.ndarray] = field(default_factory=dict)
    disturbed: frozenset[int] = frozenset()
    calibration_ms: Mapping[int, float] = field(default_factory=dict)
    swapped: frozenset[int] = frozenset()
    clock_tick_ms: float = 0.0

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Series:
        """Return the series of a record of a model that was measured (its `samples` are not null)."""
        samples, visits = record["samples"], record["visits"]
        return cls(
            wall_ms=np.asarray(samples["wall_ns"], float) * _MS,
            visit=np.asarray(samples["visit"], int),
            discarded=np.asarray(samples["discarded"], bool),
            causes={name: np.asarray(samples[name], float) for name in CAUSES if samples.get(name) is not None},
            disturbed=frozenset(visit["visit"] for visit in visits if visit["disturbed"]),
            calibration_ms={
                visit["visit"]: (visit["calibration"]["before_ns"] + visit["calibration"]["after_ns"]) / 2 * _MS
                for visit in visits
                if visit["calibration"]
            },
            swapped=frozenset(visit["visit"] for visit in visits if visit["state"].get("swapped_meanwhile")),
            clock_tick_ms=(record.get("clock_resolution_ns") or 0) * _MS,
        )

    @property
    def visits(self) -> list[int]:
        """The visits' numbers in the order they were made."""
        return [int(visit) for visit in dict.fromkeys(self.visit.tolist())]

    def kept(self) -> Series:
        """Return the series without declared warm-up."""
        return self.where(~self.discarded)

    def where(self, chosen: np.ndarray) -> Series:
        """Return the series of the samples for which the mask ``chosen`` is true."""
        return replace(
            self,
            wall_ms=self.wall_ms[chosen],
            visit=self.visit[chosen],
            discarded=self.discarded[chosen],
            causes={name: values[chosen] for name, values in self.causes.items()},
        )

    def without_swapping(self) -> Series:
        """Return the series without visits that swapped; all of it where there are no others."""
        free = ~np.isin(self.visit, list(self.swapped))
        return self.where(free) if free.any() else self

    def visit_times(self) -> dict[int, np.ndarray]:
        """Return the wall times of each visit, in ms."""
        return {visit: self.wall_ms[self.visit == visit] for visit in self.visits}
