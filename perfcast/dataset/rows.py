"""The columns of one measurement, from its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.dataset.columns import PUBLISHED_LATENCIES, SAMPLE_LISTS
from perfcast.dataset.power import power_columns
from perfcast.factors import FACTORS
from perfcast.runner.workloads import WORKLOADS
from perfcast.stability import Series, judge, learn_machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perfcast.stability import Machine

_MS = 1e-6
_MB = 1e-6
_JUDGED = ("trust", "trust_reason", "pattern")
_JUDGED_NUMBERS = (
    *("latency_ms", "latency_low_ms", "latency_high_ms"),
    *("warmup", "normality_p", "proven_outliers", "outlier_gain_percent"),
)
_TIMES = (*PUBLISHED_LATENCIES, "latency_std_ms", "process_mean_ms", "timed_s")


def measurement_row(record: dict[str, Any], machine: Machine | None = None) -> dict[str, Any]:
    """Return the columns of one measurement: its identity, its factors and what its samples give.

    Args:
        record: the measurement.
        machine: what was learned of the machine from all that was measured on it, see `learned_machines`.
    """
    factors = record["factors"]
    return {
        "model": record["model"],
        "artifact": record["artifact"],
        "measurement": record["key"],
        "environment": record["environment"],
        "fingerprint": record["fingerprint"],
        "target": record["target"],
        **_factor_columns(factors | {"protocol": record["protocol"]["name"]}),
        "includes": getattr(WORKLOADS.get(factors["workload"]), "INCLUDES", factors["workload"]),
        "iterations": record["protocol"]["iterations"],
        "replicate": record["replicate"],
        "status": record["status"],
        "reason": record["reason"],
        "stopped_by": record.get("stopped_by"),
        "started_at": record["started_at"],
        **_sample_columns(record),
        **_judged_columns(record, machine),
        **_timing_columns(record),
        **_memory_columns(record["memory"]),
        **_peak_columns(record["peaks"]),
        **visit_columns(record["visits"]),
        **power_columns(record),
    }


def _factor_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each factor; where a number is unknown, NaN."""
    return {
        factor.name: _number(values[factor.name]) if factor.type is float else values[factor.name]
        for factor in FACTORS
        if factor.name in values or not factor.is_partial
    }


def learned_machines(records: Iterable[dict[str, Any]]) -> dict[tuple[str, int], Machine]:
    """Return what is learned of each machine from all that was measured on it, by `machine_of` a record.

    How calibration relates to latency depends on the threads that both use.
    """
    measured: dict[tuple[str, int], list[Series]] = {}
    for record in records:
        if (series := _series(record)) is not None:
            measured.setdefault(machine_of(record), []).append(series.without_swapping())
    return {of: learn_machine(series) for of, series in measured.items()}


def machine_of(record: dict[str, Any]) -> tuple[str, int]:
    """Return the fingerprint of the environment and the number of threads of a measurement."""
    return record["fingerprint"], record["factors"]["threads"]


def _series(record: dict[str, Any]) -> Series | None:
    """Return the samples of a measurement; None where there are none above zero."""
    series = Series.of_record(record) if record["samples"] else None
    return series if series is not None and series.kept().wall_ms.any() else None


def _judged_columns(record: dict[str, Any], machine: Machine | None) -> dict[str, Any]:
    """Return what `perfcast.stability.judge` says of the samples, missing where there are none above zero."""
    if (series := _series(record)) is None:
        return dict.fromkeys(_JUDGED) | dict.fromkeys(_JUDGED_NUMBERS, np.nan)
    found = judge(series, machine)
    return {
        "latency_ms": found.location_ms,
        "latency_low_ms": found.low_ms,
        "latency_high_ms": found.high_ms,
        "trust": found.trust,
        "trust_reason": found.reason,
        "pattern": found.pattern,
        "warmup": found.warmup,
        "normality_p": found.normality_p,
        "proven_outliers": found.proven_outliers,
        "outlier_gain_percent": found.outlier_gain_percent,
    }


def _sample_columns(record: dict[str, Any]) -> dict[str, Any]:
    samples = record["samples"]
    if not samples:
        return dict.fromkeys(SAMPLE_LISTS) | dict.fromkeys(_TIMES, np.nan) | {"runs": 0}
    wall, process = (np.array(samples[name], float) * _MS for name in ("wall_ns", "process_ns"))
    kept = ~np.array(samples["discarded"], bool)
    return {
        "wall_samples_ms": wall[kept].tolist(),
        "process_samples_ms": process[kept].tolist(),
        "warmup_samples_ms": wall[~kept].tolist(),
        "round": np.array(samples["round"], int)[kept].tolist(),
        "visit": np.array(samples["visit"], int)[kept].tolist(),
        **latency_columns(wall[kept]),
        "process_mean_ms": float(process[kept].mean()),
        "timed_s": float(wall.sum()) * 1e-3,
        "runs": len(wall),
    }


def latency_columns(wall_ms: np.ndarray) -> dict[str, float]:
    """Return what the source document takes of the kept wall times of one measurement, in ms."""
    p50, p90, p99 = np.percentile(wall_ms, [50, 90, 99])
    return {
        "latency_mean_ms": float(wall_ms.mean()),
        "latency_min_ms": float(wall_ms.min()),
        "latency_max_ms": float(wall_ms.max()),
        "latency_std_ms": float(wall_ms.std(ddof=1)) if len(wall_ms) > 1 else 0.0,
        "latency_p50_ms": float(p50),
        "latency_p90_ms": float(p90),
        "latency_p99_ms": float(p99),
    }


def _timing_columns(record: dict[str, Any]) -> dict[str, float]:
    timing, sustained = record["timing"] or {}, record["sustained"]
    return {
        **{name: _number(timing.get(name)) for name in ("load_s", "first_call_s", "overhead_s")},
        "latency_sustained_ms": float(np.median(sustained["wall_ns"])) * _MS if sustained else np.nan,
    }


def _memory_columns(memory: dict[str, Any] | None) -> dict[str, float]:
    """Return the memory columns, in MB of 10^6 bytes; docs/measuring.md defines each."""
    memory = memory or {}
    above_null = {
        f"ram_{name}_mb": _number(memory.get(f"{name}_bytes"), minus=memory.get(f"null_{name}_bytes")) * _MB
        for name in ("load_peak", "run_peak")
    }
    return above_null | {
        "allocator_peak_mb": _number(memory.get("allocator_peak_bytes")) * _MB,
        "system_drop_mb": _number(memory.get("system_drop_bytes")) * _MB,
        "unmeasured_peak_mb": _number(memory.get("peak_bytes")) * _MB,
    }


def _peak_columns(peaks: dict[str, float] | None) -> dict[str, float]:
    """Return the device's measured peaks; missing where they were not measured."""
    return {f"peak_{name}": _number((peaks or {}).get(name)) for name in ("flops_per_s", "bytes_per_s")}


def visit_columns(visits: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how the machine was at each visit, and over all visits of the measurement."""
    states = [visit["state"] for visit in visits]
    calibrations = [_calibration_ms(visit["calibration"]) for visit in visits]
    temperatures, clocks = (_all_of(states, name) for name in ("temperature_c", "cpu_mhz"))
    throttles, swaps = (_known(_all_of(states, name)) for name in ("throttle_count", "swapped_meanwhile"))
    return {
        "visits": len(visits),
        "disturbed_visits": sum(visit["disturbed"] for visit in visits),
        "visit_started_at": [visit["started_at"] for visit in visits],
        "visit_disturbed": [visit["disturbed"] for visit in visits],
        "visit_calibration_ms": calibrations,
        "visit_temperature_c": temperatures,
        "visit_cpu_mhz": clocks,
        "calibration_ms": _mean(calibrations),
        **{name: _mean(_all_of(states, name)) for name in ("load_1_minute", "others_cpus")},
        "cpu_mhz": _mean(clocks),
        "temperature_c": max(_known(temperatures), default=np.nan),
        "throttled": throttles[-1] > throttles[0] if len(throttles) > 1 else None,
        "swapped_pages": sum(swaps) if swaps else np.nan,
    }


def _calibration_ms(calibration: dict[str, float] | None) -> float:
    return (calibration["before_ns"] + calibration["after_ns"]) / 2 * _MS if calibration else np.nan


def _all_of(states: Iterable[dict[str, Any]], name: str) -> list[float]:
    return [_number(state.get(name)) for state in states]


def _known(values: Iterable[float]) -> list[float]:
    return [value for value in values if not np.isnan(value)]


def _mean(values: Iterable[float]) -> float:
    known = _known(values)
    return float(np.mean(known)) if known else np.nan


def _number(value: Any, minus: Any = 0) -> float:
    return np.nan if value is None or minus is None else float(value) - float(minus)
