"""The columns of a measurement's power, from its record."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.dataset.columns import ENERGIES
from perfcast.runner.schedule import student_t

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MJ = 1e3


def power_columns(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the power at rest and under load in W, the energy of a run in mJ, and where they were read.

    Undisturbed visits count, or all where none is undisturbed. Each energy is their mean, with its 95% interval by
    Student's t: how far visits differ, not how exact the sensor is. One visit has no interval.
    """
    facts = record.get("power") or {}
    visits = [visit for visit in record["visits"] if visit.get("power")]
    counted = [visit["power"] for visit in visits if not visit["disturbed"]] or [visit["power"] for visit in visits]
    seconds = [power["seconds"] / power["runs"] for power in counted]
    idle, mean = ([power[f"{name}_w"] for power in counted] for name in ("idle", "mean"))
    run_mj = [watts * each * _MJ for watts, each in zip(mean, seconds, strict=True)]
    above_mj = [(watts - rest) * each * _MJ for watts, rest, each in zip(mean, idle, seconds, strict=True)]
    return {
        "power_source": facts.get("source"),
        "power_reason": facts.get("reason"),
        "power_rate_hz": float(facts.get("rate_hz") or np.nan),
        "power_idle_w": _interval(idle)[0],
        "power_mean_w": _interval(mean)[0],
        **dict(zip(ENERGIES, [*_interval(run_mj), *_interval(above_mj)], strict=True)),
    }


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of values and the ends of its 95% interval; NaN where there are too few."""
    if not values:
        return np.nan, np.nan, np.nan
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return mean, np.nan, np.nan
    half = student_t(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return mean, mean - half, mean + half
