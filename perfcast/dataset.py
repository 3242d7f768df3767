"""The dataset stage: a target's measurements joined with the features of their models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from perfcast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA_VERSION = 1
_MS = 1e-6
_MB = 1e-6

_TEXT = [
    *("model", "name", "family", "source", "artifact", "measurement", "context", "target", "device", "toolchain"),
    *("toolchain_version", "precision", "weights_as", "workload", "protocol", "verdict", "started_at"),
]
_LATENCIES = [f"latency_{name}_ms" for name in ("mean", "min", "max", "p50", "p90", "p99")]
_NUMBERS = [
    *("clock_mhz", "process_mean_ms", "reference_ms", "ram_load_peak_mb", "ram_inference_peak_mb"),
    *("allocator_peak_mb", "system_drop_mb", "load_s", "first_call_s", "overhead_s"),
]
_STATE = ["load_1_minute", "cpu_mhz", "temperature_c"]
_LISTS = ["wall_samples_ms", "process_samples_ms", "warmup_samples_ms", "round", "visit"]

SCHEMA = pa.DataFrameSchema(
    {
        **{name: pa.Column(str) for name in _TEXT},
        **{name: pa.Column(float, pa.Check.gt(0), nullable=True) for name in _LATENCIES},
        **{name: pa.Column(float, nullable=True) for name in [*_NUMBERS, *_STATE]},
        **{name: pa.Column(object, nullable=True) for name in _LISTS},
        **{name: pa.Column(int, pa.Check.gt(0)) for name in ("input_size", "threads", "batch")},
        "latency_std_ms": pa.Column(float, pa.Check.ge(0), nullable=True),
        "optimised": pa.Column(bool),
        "replicate": pa.Column(int, pa.Check.ge(0)),
        "reason": pa.Column(str, nullable=True),
    },
    unique=["measurement"],
)


def build_dataset(records: Iterable[dict[str, Any]], features: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Return a row a measurement, its derived columns and its model's features.

    Args:
        records: measurements as the store gives them.
        features: a row a model, first column `model`.
        models: the model database, with `model` and `source`.

    Raises:
        DataError: a measurement's model has no features, or a row is not as the schema promises.
    """
    rows = pd.DataFrame([measurement_row(record) for record in records])
    if rows.empty:
        raise DataError("there are no measurements to make a dataset of")
    rows["reason"] = rows["reason"].astype("str")
    known = models[["model", "source"]].merge(features, on="model", validate="one_to_one")
    strangers = sorted(set(rows["model"]) - set(known["model"]))
    if strangers:
        raise DataError(f"{strangers[0]}: measured, but without features; run the features stage again")
    joined = known.merge(rows, on="model", validate="one_to_many")
    return _checked(joined, features.attrs.get("features_version"))


def measurement_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of one measurement: its identity, its factors and what its samples give."""
    factors = record["factors"]
    names = ("device", "toolchain", "toolchain_version", "threads", "batch", "precision", "optimised")
    return {
        "model": record["model"],
        "artifact": record["artifact"],
        "measurement": record["key"],
        "context": record["context"],
        "target": record["target"],
        **{name: factors[name] for name in names},
        "weights_as": factors["weights_as"],
        "workload": factors["workload"],
        "clock_mhz": _number(factors["clock_mhz"]),
        "protocol": record["protocol"]["name"],
        "replicate": record["replicate"],
        "verdict": record["verdict"],
        "reason": record["reason"],
        "started_at": record["started_at"],
        **_time_columns(record),
        **_memory_columns(record["memory"]),
        **{name: _number((record["state"] or {}).get(name)) for name in _STATE},
    }


def _time_columns(record: dict[str, Any]) -> dict[str, Any]:
    samples, timing = record["samples"], record["timing"] or {}
    spent = {name: _number(timing.get(name)) for name in ("load_s", "first_call_s", "overhead_s")}
    if not samples:
        missing = dict.fromkeys([*_LATENCIES, "latency_std_ms", "process_mean_ms", "reference_ms"], np.nan)
        return dict.fromkeys(_LISTS) | missing | spent
    wall, process = (np.array(samples[name], float) * _MS for name in ("wall_ns", "process_ns"))
    kept = ~np.array(samples["discarded"], bool)
    reference = [ns for visit in record["reference_ns"] for ns in (visit["before_ns"], visit["after_ns"])]
    return {
        "wall_samples_ms": wall[kept].tolist(),
        "process_samples_ms": process[kept].tolist(),
        "warmup_samples_ms": wall[~kept].tolist(),
        "round": np.array(samples["round"], int)[kept].tolist(),
        "visit": np.array(samples["visit"], int)[kept].tolist(),
        **latency_columns(wall[kept]),
        "process_mean_ms": float(process[kept].mean()),
        "reference_ms": float(np.mean(reference)) * _MS if reference else np.nan,
        **spent,
    }


def latency_columns(wall_ms: np.ndarray) -> dict[str, float]:
    """Return what is derived from the kept wall times of one measurement, in ms."""
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


def _memory_columns(memory: dict[str, Any] | None) -> dict[str, float]:
    """Return the memory columns, in MB of 10^6 bytes; docs/measuring.md defines each."""
    memory = memory or {}
    above_null = {
        f"ram_{name}_mb": _number(memory.get(f"{name}_bytes"), minus=memory.get(f"null_{name}_bytes")) * _MB
        for name in ("load_peak", "inference_peak")
    }
    return above_null | {
        "allocator_peak_mb": _number(memory.get("allocator_peak_bytes")) * _MB,
        "system_drop_mb": _number(memory.get("system_drop_bytes")) * _MB,
    }


def _number(value: Any, minus: Any = 0) -> float:
    return np.nan if value is None or minus is None else float(value) - float(minus)


def _checked(table: pd.DataFrame, features_version: int | None) -> pd.DataFrame:
    try:
        checked = SCHEMA.validate(table, lazy=False)
    except pa.errors.SchemaError as error:
        raise DataError(f"dataset: {str(error).splitlines()[0]}") from error
    checked.attrs = {"schema_version": SCHEMA_VERSION, "features_version": features_version}
    return checked
