import numpy as np
import pandas as pd
import pytest

from perfcast.bench.record import SCHEMA_VERSION
from perfcast.dataset import build_dataset, latency_columns
from perfcast.errors import DataError
from perfcast.storage import write_table


def record(model="net_32", wall_ms=(9.0, 1.0, 2.0, 3.0), discard=1, **changes):
    count = len(wall_ms)
    return {
        "schema_version": SCHEMA_VERSION,
        "key": f"key of {model}",
        "artifact": "a" * 64,
        "model": model,
        "target": "local",
        "factors": {
            "device": "cpu", "toolchain": "tensorflow", "toolchain_version": "2", "threads": 2, "batch": 1,
            "precision": "float32", "optimised": True, "weights_as": "constant", "clock_mhz": None,
            "input_shape": [32, 32, 3], "workload": "inference",
        },
        "protocol": {"name": "published", "version": 1, "iterations": count, "discard": discard},
        "replicate": 0,
        "context": "c" * 64,
        "started_at": "2026-01-01T00:00:00Z",
        "state": {"load_1_minute": 0.5, "memory_available_bytes": 1, "cpu_mhz": None, "temperature_c": 40.0},
        "verdict": "measured",
        "reason": None,
        "samples": {
            "wall_ns": [int(ms * 1e6) for ms in wall_ms],
            "process_ns": [int(2 * ms * 1e6) for ms in wall_ms],
            "round": [0] * count,
            "visit": [0] * count,
            "discarded": [index < discard for index in range(count)],
        },
        "reference_ns": [{"visit": 0, "before_ns": 1_000_000, "after_ns": 3_000_000}],
        "memory": {
            "null_load_peak_bytes": 290_000_000, "load_peak_bytes": 500_000_000,
            "null_inference_peak_bytes": 300_000_000, "inference_peak_bytes": 400_000_000,
            "peak_resettable": True, "allocator_peak_bytes": None, "system_drop_bytes": 210_000_000,
        },
        "timing": {"load_s": 0.5, "first_call_s": 0.1, "overhead_s": 0.7},
    } | changes  # fmt: skip


def failed(model):
    nothing = {"samples": None, "memory": None, "timing": None, "reference_ns": []}
    return record(model, verdict="out_of_memory", reason="too big", **nothing)


@pytest.fixture
def tables():
    names = ["net_32", "huge_224"]
    models = pd.DataFrame({"model": names, "source": "synthetic", "digest": ["d", "e"]})
    features = pd.DataFrame(
        {"model": names, "name": ["net", "huge"], "family": "f", "input_size": [32, 224], "flops": [10, 99]}
    )
    features.attrs["features_version"] = 7
    return features, models


def test_columns_are_derived_from_the_samples_that_count(tables):
    (row,) = build_dataset([record()], *tables).to_dict("records")
    assert row["latency_mean_ms"] == pytest.approx(2.0)
    assert row["latency_p50_ms"] == pytest.approx(2.0)
    assert (row["latency_min_ms"], row["latency_max_ms"]) == pytest.approx((1.0, 3.0))
    assert row["latency_std_ms"] == pytest.approx(1.0)
    assert row["process_mean_ms"] == pytest.approx(4.0)
    assert row["reference_ms"] == pytest.approx(2.0)
    assert (row["wall_samples_ms"], row["warmup_samples_ms"]) == ([1.0, 2.0, 3.0], [9.0])
    assert row["ram_load_peak_mb"] == pytest.approx(210.0)
    assert row["ram_inference_peak_mb"] == pytest.approx(100.0)
    assert np.isnan(row["allocator_peak_mb"])
    assert (row["load_1_minute"], row["temperature_c"]) == (0.5, 40.0)
    assert np.isnan(row["cpu_mhz"])
    assert (row["flops"], row["family"], row["source"]) == (10, "f", "synthetic")


def test_a_failed_measurement_keeps_its_row_and_its_reason(tables, tmp_path):
    table = build_dataset([record(), failed("huge_224")], *tables)
    write_table(tmp_path / "dataset.parquet", table)
    read = pd.read_parquet(tmp_path / "dataset.parquet").set_index("model")
    assert read.loc["huge_224", "verdict"] == "out_of_memory"
    assert read.loc["huge_224", "reason"] == "too big"
    assert np.isnan(read.loc["huge_224", "latency_mean_ms"])
    assert list(read.loc["net_32", "wall_samples_ms"]) == [1.0, 2.0, 3.0]
    assert read.attrs == {"schema_version": 1, "features_version": 7}


def test_failed_rows_alone_are_a_dataset_too(tables):
    assert list(build_dataset([failed("huge_224")], *tables)["verdict"]) == ["out_of_memory"]


def test_nothing_measured_is_an_error(tables):
    with pytest.raises(DataError, match="no measurements"):
        build_dataset([], *tables)


def test_a_model_without_features_is_named(tables):
    with pytest.raises(DataError, match="stranger_7"):
        build_dataset([record("stranger_7")], *tables)


def test_an_impossible_latency_is_refused(tables):
    with pytest.raises(DataError, match="latency"):
        build_dataset([record(wall_ms=(0.0, 0.0, 0.0))], *tables)


def test_the_same_measurement_twice_is_refused(tables):
    with pytest.raises(DataError, match="measurement"):
        build_dataset([record(), record()], *tables)


def test_one_sample_has_no_spread():
    assert latency_columns(np.array([4.0]))["latency_std_ms"] == 0.0
