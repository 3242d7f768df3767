"""What each visit of a measurement says: the unit of the statistics, since the samples of a visit are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

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
    """

    values: np.ndarray
    rounds: np.ndarray
    calibrations: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def value(self) -> float:
        """What the visits gave, of one or more: the mean of the middle half of the logarithms."""
        return float(np.exp(stats.trim_mean(self.values, 0.25)))


NONE = Visits(np.empty(0), np.empty(0, int), np.empty(0))


def visits_of(row: Mapping[str, Any] | pd.Series, column: str) -> Visits:
    """Return the visits of a dataset's row; none for a column that visits say nothing of.

    Of `latency_ms` those that were not disturbed, where there are any.
    """
    if column not in _STATISTICS:
        return NONE
    samples, statistic = _STATISTICS[column]
    lists = [row.get(name) for name in (samples, "visit", "round")]
    if any(values is None for values in lists):
        return NONE
    times, visit, rounds = (np.asarray(values) for values in lists)
    numbers = np.unique(visit)
    if column == DEFAULT:
        numbers = _calm(numbers, row)
    values = np.array([statistic(times[visit == number]) for number in numbers], float)
    calibrations = np.array([_of_visit(row, "visit_calibration_ms", int(number), np.nan) for number in numbers], float)
    if not (values > 0).all():
        return NONE
    return Visits(
        values=np.log(values),
        rounds=np.array([rounds[visit == number][0] for number in numbers], int),
        calibrations=np.log(np.where(calibrations > 0, calibrations, np.nan)),
    )


def _calm(numbers: np.ndarray, row: Mapping[str, Any] | pd.Series) -> np.ndarray:
    calm = np.array([not _of_visit(row, "visit_disturbed", int(number), False) for number in numbers])
    return numbers[calm] if calm.any() else numbers


def _of_visit(row: Mapping[str, Any] | pd.Series, name: str, visit: int, otherwise: Any) -> Any:
    values = row.get(name)
    return values[visit] if values is not None and visit < len(values) else otherwise
