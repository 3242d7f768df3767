"""The dataset stage: a target's measurements joined with the features of their models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pandera.pandas as pa

from perfcast.dataset.columns import ENERGIES, PUBLISHED_LATENCIES, SAMPLE_LISTS, VISIT_LISTS
from perfcast.dataset.fingerprint import fingerprints_of, refuse_mixed_fingerprints
from perfcast.dataset.noise import noise_floors
from perfcast.dataset.reading import SCHEMA_VERSION
from perfcast.dataset.rows import learned_machines, machine_of, measurement_row
from perfcast.errors import DataError
from perfcast.factors import FACTORS
from perfcast.network.records import FLOAT_BYTES
from perfcast.runner.toolchains import TOOLCHAINS
from perfcast.runner.workloads import WORKLOADS
from perfcast.stability import impossible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from perfcast.factors import Factor
    from perfcast.stability import Machine


_TEXT = [
    *("model", "name", "family", "source", "artifact", "measurement", "environment", "fingerprint", "target"),
    *("includes", "status", "started_at"),
]
_OPTIONAL_TEXT = ["reason", "stopped_by", "trust", "trust_reason", "pattern", "power_source", "power_reason"]
_LATENCIES = ["latency_ms", "latency_high_ms", "latency_sustained_ms", *PUBLISHED_LATENCIES]
_NUMBERS = [
    *("process_mean_ms", "calibration_ms", "ram_load_peak_mb", "ram_run_peak_mb"),
    *("allocator_peak_mb", "system_drop_mb", "unmeasured_peak_mb", "load_s", "first_call_s", "overhead_s", "timed_s"),
    *("latency_low_ms", "normality_p", "outlier_gain_percent", "load_1_minute"),
    *("others_cpus", "cpu_mhz", "temperature_c"),
    *("swapped_pages", "power_rate_hz", "power_idle_w", "power_mean_w", *ENERGIES),
    *("peak_flops_per_s", "peak_bytes_per_s"),
]
_COUNTS = ["visits", "disturbed_visits", "runs", "replicate"]
_OPTIONAL_COUNTS = ["warmup", "proven_outliers"]


def _factor_column(factor: Factor) -> pa.Column:
    """Return the check of a factor's column; a number is positive where it is known."""
    if factor.is_partial:
        return pa.Column(nullable=True, required=False)  # Missing of what lacks the option, or leaves the setting.
    if factor.is_categorical:
        return pa.Column(factor.type)
    return pa.Column(factor.type, pa.Check.gt(0), nullable=factor.type is float)


SCHEMA = pa.DataFrameSchema(
    {
        **{factor.name: _factor_column(factor) for factor in FACTORS},
        **{name: pa.Column(str) for name in _TEXT},
        **{name: pa.Column(str, nullable=True) for name in _OPTIONAL_TEXT},
        **{name: pa.Column(float, pa.Check.ge(0), nullable=True) for name in _LATENCIES},
        **{name: pa.Column(float, nullable=True) for name in _NUMBERS},
        **{name: pa.Column(object, nullable=True) for name in (*SAMPLE_LISTS, *VISIT_LISTS)},
        **{name: pa.Column(int, pa.Check.gt(0)) for name in ("input_size", "iterations")},
        **{name: pa.Column(int, pa.Check.ge(0)) for name in _COUNTS},
        **{name: pa.Column("Int64", pa.Check.ge(0), nullable=True) for name in _OPTIONAL_COUNTS},
        "latency_std_ms": pa.Column(float, pa.Check.ge(0), nullable=True),
        "throttled": pa.Column("boolean", nullable=True),
    },
    unique=["measurement"],
)


def build_dataset(
    records: Iterable[dict[str, Any]],
    features: pd.DataFrame,
    models: pd.DataFrame,
    environments: Mapping[str, dict[str, Any]],
) -> pd.DataFrame:
    """Return one row per measurement, with its derived and judged columns and its model's features.

    The status of a measurement whose latency the device cannot have reached becomes `impossible`. The noise
    floor of each column that was measured again stands in `attrs`, and so do the fingerprints by their digests.

    Args:
        records: measurements as the store gives them.
        features: one row per model, first column `model`.
        models: the model database, with `model` and `source`.
        environments: the environments that the records name, by digest.

    Raises:
        DataError: measurements of one toolchain were made in different environments, a measurement's model has no
            features, or a row is not as the schema promises.
    """
    measurements = list(records)
    if not measurements:
        raise DataError("there are no measurements to make a dataset of")
    refuse_mixed_fingerprints(measurements, environments)
    known = models[["model", "source"]].merge(features, on="model", validate="one_to_one")
    strangers = sorted({record["model"] for record in measurements} - set(known["model"]))
    if strangers:
        raise DataError(f"{strangers[0]}: measured, but without features; run the features stage again")
    demands = known.set_index("model")
    machines = learned_machines(measurements)
    rows = pd.DataFrame(
        [_row(record, machines.get(machine_of(record)), demands.loc[record["model"]]) for record in measurements]
    )
    rows = rows.astype(
        dict.fromkeys(_OPTIONAL_TEXT, "str") | dict.fromkeys(_OPTIONAL_COUNTS, "Int64") | {"throttled": "boolean"}
    )
    joined = known.merge(rows, on="model", validate="one_to_many")
    checked = _checked(joined, features.attrs.get("features_version"))
    checked.attrs["fingerprints"] = fingerprints_of(measurements, environments)
    return checked


def _row(record: dict[str, Any], machine: Machine | None, features: pd.Series) -> dict[str, Any]:
    row = measurement_row(record, machine)
    reason = _why_impossible(row, features, record["peaks"])
    return row if reason is None else row | {"status": "impossible", "reason": reason}


def _why_impossible(row: dict[str, Any], features: pd.Series, peaks: dict[str, float] | None) -> str | None:
    """Say why the device cannot have computed a model that fast; a toolchain that computes nothing can."""
    if row["status"] != "measured" or not getattr(TOOLCHAINS.get(row["toolchain"]), "COMPUTES", True):
        return None
    if row["latency_max_ms"] == 0:
        return "it is too short for the resolution of the device's clock"
    if peaks is None:
        return None
    # An embedding reads few of its rows, and normalisations are folded: only these weights are read for certain.
    read = FLOAT_BYTES * (features["conv_parameters"] + features["fc_parameters"])
    workload = WORKLOADS.get(row["workload"])
    examples = workload.examples(row) if workload else row["batch"]
    return impossible(row["latency_ms"], float(features["macs"]) * examples, float(read), peaks)


def _checked(table: pd.DataFrame, features_version: int | None) -> pd.DataFrame:
    try:
        checked = SCHEMA.validate(table, lazy=False)
    except pa.errors.SchemaError as error:
        raise DataError(f"dataset: {str(error).splitlines()[0]}") from error
    versions = {"schema_version": SCHEMA_VERSION, "features_version": features_version}
    checked.attrs = versions | {"noise_floor": noise_floors(checked)}
    return checked
