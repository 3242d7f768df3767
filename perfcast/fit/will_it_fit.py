"""Will it fit: how likely a run is to need more than some memory, and the largest batch that is safe."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.errors import UsageError
from perfcast.factors import NAMES
from perfcast.fit.inputs import BATCH
from perfcast.tables.units import is_memory, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from perfcast.fit.predictor import MetricPredictor, Predictor

SAFE = 0.95
"""The probability of fitting from which on a batch is safe."""

_COLUMNS = ("exceeds_memory", "largest_safe_batch", "largest_measured_batch")
_NARROWEST = 1e-9


def exceeding(predictions: pd.DataFrame, share: float, memory: float) -> np.ndarray:
    """Return the probability that each run needs more than ``memory``.

    Errors are normal in logarithms, as wide as the interval says.

    Args:
        predictions: as `MetricPredictor.predict` returns them.
        share: that the intervals are meant to hold.
        memory: in the predictions' unit.
    """
    half_width = np.maximum(np.log(predictions["upper"] / predictions["prediction"]), _NARROWEST)
    deviations = np.log(memory / predictions["prediction"]) / half_width * NormalDist().inv_cdf((1 + share) / 2)
    return 1 - np.array([NormalDist().cdf(each) for each in deviations])


def will_it_fit(
    predictor: Predictor, features: pd.DataFrame, factors: Mapping[str, Any], memory_mb: float
) -> pd.DataFrame:
    """Return how likely models are to need more than ``memory_mb``, and their largest safe batches.

    Args:
        predictor: with a metric of memory.
        features: one row per model, as `Predictor.predict` takes them.
        factors: chosen values, as `Predictor.predict` takes them.
        memory_mb: what there is, in MB (10⁶ bytes).

    Returns:
        `model`, `metric`, a column for each factor that was chosen or that parts differ in, `exceeds_memory` (a
        probability), `largest_safe_batch` (0 where not even one sample is) and `largest_measured_batch`, which it
        cannot be above; both are missing where the batch never varied.

    Raises:
        UsageError: the predictor has no metric of memory, or as `Predictor.predict`.
    """
    import pandas as pd

    chosen = {name: value for name, value in factors.items() if value is not None}
    numbers, ratios = predictor.numbers(chosen), predictor.ratios(chosen)
    names = features.get("model", features.index).astype(str)
    rows = []
    for part in predictor.matching(chosen):
        shown = chosen | dict(part.factors)
        for name, metric in part.metrics.items():
            if not is_memory(metric.unit):
                continue
            memory = memory_mb / unit_of(metric.unit).factor  # type: ignore[union-attr]
            risks = exceeding(metric.predict(features, numbers, ratios), predictor.interval, memory)
            for place, (model, risk) in enumerate(zip(names, risks, strict=True)):
                head = {"model": model, "metric": name} | {each: shown[each] for each in NAMES if each in shown}
                one = features.iloc[[place]]
                batch = largest_safe_batch(metric, one, numbers, memory, predictor.interval)
                most = largest_measured_batch(metric)
                rows.append(head | dict(zip(_COLUMNS, (risk, batch, most), strict=True)))
    if not rows:
        raise UsageError("--memory-mb: the predictor predicts no memory, only " + ", ".join(predictor.metrics))
    return pd.DataFrame(rows).astype(dict.fromkeys(_COLUMNS[1:], "Int64"))


def largest_measured_batch(metric: MetricPredictor) -> int | None:
    """Return the largest batch that a metric was measured at; None where the batch never varied."""
    if BATCH not in metric.columns.factors:
        return None
    return int(metric.combinations[:, metric.columns.factors.index(BATCH)].max())


def largest_safe_batch(
    metric: MetricPredictor, features: pd.DataFrame, numbers: Mapping[str, float], memory: float, share: float
) -> int | None:
    """Return the largest batch that fits with a probability of `SAFE`, no larger than was measured.

    Args:
        metric: of memory.
        features: of one model.
        numbers: the values of the other numeric factors.
        memory: in the metric's unit.
        share: that the intervals are meant to hold.

    Returns:
        0 where not even the smallest is safe; None where the batch never varied.
    """
    most = largest_measured_batch(metric)
    if most is None:
        return None

    def is_safe(batch: int) -> bool:
        found = metric.predict(features, {**numbers, BATCH: float(batch)})
        return bool(exceeding(found, share, memory)[0] <= 1 - SAFE)

    safe, unsafe = 0, most + 1
    while unsafe - safe > 1:
        middle = (safe + unsafe) // 2
        safe, unsafe = (middle, unsafe) if is_safe(middle) else (safe, middle)
    return safe
