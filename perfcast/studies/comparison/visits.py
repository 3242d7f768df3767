"""What each visit of a measurement says: the unit of the statistics, since the samples of a visit are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

DEFAULT = "latency_ms"

_WALL, _PROCESS = "wall_samples_ms", "process_samples_ms"
_STATISTICS: Mapping[str, tuple[str, Callable[[np.ndarray], float]]] = {
    DEFAULT: (_WALL, lambda times: float(np.median(times))),
    "latency_mean_ms": (_WALL, lambda times: float(np.mean(times))),
    "latency_min_ms": (_WALL, lambda times: float(np.min(times))),
    "latency_max_ms": (_WALL, lambda times: float(np.max(times))),
    "latency_p50_ms": (_WALL, lambda times: float(np.median(times))),
    "latency_p90_ms": (_WALL, lambda times: float(np.percentile(times, 90))),
    "latency_p99_ms": (_WALL, lambda times: float(np.percentile(times, 99))),
    "process_mean_ms": (_PROCESS, lambda times: float(np.mean(times))),
}


@dataclass(frozen=True)
class Visits:
    """The visits of one measurement, as equal arrays.

    Attributes:
        values: logarithm of the compared statistic in each visit.
        rounds: the round of the campaign that the visit was in.
        calibrations: logarithm of the calibration workload's time around the visit, NaN where unknown.
        disturbed: whether the runner found the visit disturbed.
    """

    values: np.ndarray
    rounds: np.ndarray
    calibrations: np.ndarray
    disturbed: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def middle(self) -> float:
        """The mean of the middle half of the logarithms, of one visit or more."""
        cut = len(self.values) // 4
        return float(np.mean(np.sort(self.values)[cut : len(self.values) - cut]))

    @property
    def undisturbed(self) -> Visits:
        """The visits that were not disturbed."""
        calm = ~self.disturbed
        return Visits(self.values[calm], self.rounds[calm], self.calibrations[calm], self.disturbed[calm])


NONE = Visits(np.empty(0), np.empty(0, int), np.empty(0), np.empty(0, bool))


def visits_of(row: Mapping[str, Any] | pd.Series, column: str) -> Visits:
    """Return the visits of a dataset's row; none for a column that visits say nothing of."""
    if column not in _STATISTICS:
        return NONE
    samples, statistic = _STATISTICS[column]
    lists = [row.get(name) for name in (samples, "visit", "round")]
    if any(values is None for values in lists):
        return NONE
    times, visit, rounds = (np.asarray(values) for values in lists)
    numbers, starts = np.unique(visit, return_index=True)
    values = np.array([statistic(times[visit == number]) for number in numbers], float)
    if not (values > 0).all():
        return NONE
    calibrations = np.array(_of_visits(row, "visit_calibration_ms", numbers, np.nan), float)
    return Visits(
        values=np.log(values),
        rounds=rounds[starts].astype(int),
        calibrations=np.log(np.where(calibrations > 0, calibrations, np.nan)),
        disturbed=np.array(_of_visits(row, "visit_disturbed", numbers, False), bool),
    )


def _of_visits(row: Mapping[str, Any] | pd.Series, name: str, numbers: np.ndarray, otherwise: Any) -> list[Any]:
    values = row.get(name)
    return [values[at] if values is not None and at < len(values) else otherwise for at in numbers]
