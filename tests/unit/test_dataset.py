import numpy as np
import pandas as pd
import pytest

from perfcast.bench.record import SCHEMA_VERSION
from perfcast.dataset.build import build_dataset
from perfcast.dataset.noise import noise_floor
from perfcast.errors import DataError
from perfcast.runner.protocol import fingerprint_of
from perfcast.storage import digest_of_json, write_table

VISITS = 3
STEADY = np.random.default_rng(0).normal(2.0, 0.01, (VISITS, 20))
ENVIRONMENT = {
    "machine": {"host": "here", "architecture": "x86_64", "cpu": "a cpu", "cpus": 2, "gpu": None, "swap_bytes": 0},
    "software": {"os": "Debian", "numpy": "2.0", "tensorflow": "2.20", "runner": 3},
    "settings": {"governor": "performance", "refused": None},
    "variables": {},
}
LIMITS = {"flops_per_s": 1e11, "bytes_per_s": 1e10, "seconds": 2.0}


def with_setting(**settings):
    return ENVIRONMENT | {"settings": ENVIRONMENT["settings"] | settings}


def visit(number, **changes):
    state = {
        "load_1_minute": 0.5, "memory_available_bytes": 1, "cpu_mhz": 2000.0 + number, "temperature_c": 40.0 + number,
        "throttle_count": 7, "swapped_meanwhile": 0,
    }  # fmt: skip
    return {
        "visit": number, "round": number, "started_at": f"2026-01-01T00:0{number}:00Z", "disturbed": False,
        "state": state | changes.pop("state", {}), "calibration": {"before_ns": 1_000_000, "after_ns": 3_000_000},
    } | changes  # fmt: skip


def record(model="net_32", wall_ms=STEADY, discard=2, environment=ENVIRONMENT, replicate=0, **changes):
    visits, count = np.shape(wall_ms)
    wall = [int(ms * 1e6) for ms in np.ravel(wall_ms)]
    return {
        "schema_version": SCHEMA_VERSION,
        "key": f"key of {model} {replicate}",
        "artifact": "a" * 64,
        "model": model,
        "target": "local",
        "factors": {
            "device": "cpu", "toolchain": "tensorflow", "toolchain_version": "2", "threads": 2, "batch": 1,
            "precision": "float32", "graph_optimizations": True, "weights_as": "constant", "clock_mhz": None,
            "input_shape": [32, 32, 3], "workload": "inference",
        },
        "protocol": {"name": "adaptive", "version": 3, "iterations": 5 * count, "discard": 5 * discard, "visits": 5},
        "replicate": replicate,
        "environment": digest_of_json(environment),
        "fingerprint": digest_of_json(fingerprint_of(environment)),
        "started_at": "2026-01-01T00:00:00Z",
        "visits": [visit(number) for number in range(visits)],
        "status": "measured",
        "reason": None,
        "peaks": LIMITS,
        "sustained": None,
        "samples": {
            "wall_ns": wall,
            "process_ns": [2 * ns for ns in wall],
            "round": np.repeat(range(visits), count).tolist(),
            "visit": np.repeat(range(visits), count).tolist(),
            "discarded": [index < discard for index in range(count)] * visits,
            "steal_ns": None,
        },
        "memory": {
            "null_load_peak_bytes": 290_000_000, "load_peak_bytes": 500_000_000,
            "null_run_peak_bytes": 300_000_000, "run_peak_bytes": 400_000_000,
            "peak_resettable": True, "allocator_peak_bytes": None, "system_drop_bytes": 210_000_000,
        },
        "timing": {"load_s": 0.5, "first_call_s": 0.1, "fork_s": 0.01, "overhead_s": 0.7},
    } | changes  # fmt: skip


def failed(model):
    nothing = {"samples": None, "memory": {"peak_bytes": 900_000_000}, "timing": None, "visits": []}
    return record(model, status="out_of_memory", reason="too big", **nothing)


@pytest.fixture
def build():
    names = ["net_32", "huge_224"]
    models = pd.DataFrame({"model": names, "source": "synthetic", "digest": ["d", "e"]})
    numbers = {"macs": [10_000, 10**9], "conv_parameters": [100, 10**7], "fc_parameters": [10, 10**7]}
    features = pd.DataFrame({"model": names, "name": ["net", "huge"], "family": "f", "input_size": [32, 224]} | numbers)
    features.attrs["features_version"] = 7

    def build(records, *environments):
        return build_dataset(
            records, features, models, {digest_of_json(each): each for each in (ENVIRONMENT, *environments)}
        )

    return build


@pytest.fixture
def row(build):
    return lambda *arguments, **changes: build([record(*arguments, **changes)]).to_dict("records")[0]


def test_published_statistics_use_valid_samples(row):
    found = row(wall_ms=[[9.0, 1.0, 2.0, 3.0]], discard=1)
    assert found["latency_mean_ms"] == pytest.approx(2.0)
    assert found["latency_p50_ms"] == pytest.approx(2.0)
    assert (found["latency_min_ms"], found["latency_max_ms"]) == pytest.approx((1.0, 3.0))
    assert found["latency_std_ms"] == pytest.approx(1.0)
    assert found["process_mean_ms"] == pytest.approx(4.0)
    assert (found["wall_samples_ms"], found["warmup_samples_ms"]) == ([1.0, 2.0, 3.0], [9.0])
    assert found["timed_s"] == pytest.approx(0.015)
    assert (found["runs"], found["iterations"]) == (4, 20)


def test_other_columns_are_taken_from_the_record(row):
    found = row()
    assert found["ram_load_peak_mb"] == pytest.approx(210.0)
    assert found["ram_run_peak_mb"] == pytest.approx(100.0)
    assert np.isnan(found["allocator_peak_mb"])
    assert (found["macs"], found["family"], found["source"]) == (10_000, "f", "synthetic")
    assert "copied in" in found["includes"]
    assert np.isnan(found["latency_sustained_ms"])
    assert row(sustained={"wall_ns": [2_000_000, 5_000_000, 3_000_000], "seconds": 60.0})["latency_sustained_ms"] == 3


def test_steady_measurement_is_trusted_within_its_interval(row):
    found = row()
    assert (found["status"], found["trust"], found["trust_reason"]) == ("measured", "trusted", "")
    assert found["pattern"] == "white_noise"
    assert found["latency_low_ms"] < found["latency_ms"] < found["latency_high_ms"]
    assert found["latency_ms"] == pytest.approx(2.0, rel=0.01)


def test_untrusted_measurement_keeps_numbers_and_reason(row):
    found = row(visits=[visit(number, disturbed=True) for number in range(VISITS)])
    assert found["trust"] == "noisy"
    assert "disturbed" in found["trust_reason"]
    assert found["status"] == "measured"
    assert found["latency_ms"] > 0
    assert (found["visits"], found["disturbed_visits"]) == (3, 3)


def test_machine_state_over_the_visits(row):
    found = row()
    assert (found["cpu_mhz"], found["temperature_c"], found["load_1_minute"]) == (2001.0, 42.0, 0.5)
    assert found["calibration_ms"] == pytest.approx(2.0)
    assert (found["throttled"], found["swapped_pages"]) == (False, 0.0)
    assert found["visit_temperature_c"] == [40.0, 41.0, 42.0]
    assert row(visits=[visit(0), visit(1, state={"throttle_count": 8}), visit(2)])["throttled"] is False
    assert row(visits=[visit(0), visit(1), visit(2, state={"throttle_count": 8})])["throttled"] is True
    swapped = [visit(0), visit(1, state={"swapped_meanwhile": 5}), visit(2, state={"swapped_meanwhile": 10})]
    assert row(visits=swapped)["swapped_pages"] == 15.0


def test_unknown_machine_state_is_missing(row):
    silent = {"cpu_mhz": None, "temperature_c": None, "throttle_count": None, "swapped_meanwhile": None}
    found = row(visits=[visit(number, state=silent) for number in range(VISITS)])
    assert np.isnan([found["cpu_mhz"], found["temperature_c"], found["swapped_pages"]]).all()
    assert pd.isna(found["throttled"])


def test_latency_below_the_peaks_is_impossible(build):
    fast = STEADY / 1000
    table = build([record("huge_224", fast), record("net_32", fast)]).set_index("model")
    assert table.loc["huge_224", "status"] == "impossible"
    assert "device" in table.loc["huge_224", "reason"]
    assert table.loc["net_32", "status"] == "measured"


def test_zero_latency_is_impossible_and_affects_no_other(build):
    table = build([record("huge_224", 0 * STEADY), record()]).set_index("model")
    assert list(table.loc[["huge_224", "net_32"], "status"]) == ["impossible", "measured"]


def test_without_peaks_no_latency_is_impossible(row):
    assert row("huge_224", STEADY / 1000, peaks=None)["status"] == "measured"
    nothing = record()["factors"] | {"toolchain": "noop"}
    assert row("huge_224", STEADY / 1000, factors=nothing)["status"] == "measured"


def test_failed_model_keeps_its_row_reason_and_peak_memory(build, tmp_path):
    table = build([record(), failed("huge_224")])
    write_table(tmp_path / "dataset.parquet", table)
    read = pd.read_parquet(tmp_path / "dataset.parquet").set_index("model")
    huge = read.loc["huge_224"]
    assert (huge["status"], huge["reason"], huge["unmeasured_peak_mb"]) == ("out_of_memory", "too big", 900.0)
    assert huge[["latency_ms", "latency_mean_ms", "trust", "pattern", "warmup"]].isna().all()
    assert list(read.loc["net_32", "visit_started_at"])[-1] == "2026-01-01T00:02:00Z"
    fingerprint = fingerprint_of(ENVIRONMENT)
    assert read.attrs == {
        "schema_version": 3, "features_version": 7, "noise_floor": {},
        "fingerprints": {digest_of_json(fingerprint): fingerprint},
    }  # fmt: skip


def test_failed_rows_alone_are_a_dataset_too(build):
    assert list(build([failed("huge_224")])["status"]) == ["out_of_memory"]


def test_noise_floor_covers_each_repeated_column(build, tmp_path):
    table = build([record(), record(replicate=1, wall_ms=1.1 * STEADY)])
    write_table(tmp_path / "dataset.parquet", table)
    floor = pd.read_parquet(tmp_path / "dataset.parquet").attrs["noise_floor"]
    expected = {"median": 100 * 0.1 / 1.05, "p95": 100 * 0.1 / 1.05, "pairs": 1}
    assert floor["latency_ms"] == pytest.approx(expected, rel=1e-4)
    assert floor["ram_run_peak_mb"]["median"] == 0
    assert not {"allocator_peak_mb", "latency_sustained_ms"} & set(floor)


def test_noise_floor_compares_same_model_and_factors():
    rows = pd.DataFrame(
        {
            "model": ["a", "a", "a", "b", "b", "c", "c"],
            "batch": [1, 1, 8, 1, 1, 1, 1],
            "replicate": [0, 1, 0, 0, 1, 0, 1],
            "status": ["measured"] * 4 + ["failed"] + ["measured"] * 2,
            "latency_ms": [10.0, 11.0, 80.0, 5.0, np.nan, 4.0, 0.0],
        }
    )
    assert noise_floor(rows, "latency_ms") == pytest.approx({"median": 100 / 10.5, "p95": 100 / 10.5, "pairs": 1})
    assert noise_floor(rows[rows["replicate"] == 0], "latency_ms") is None


def test_untrusted_repetitions_give_no_noise_floor(build):
    swapped = record(replicate=1)
    for visit in swapped["visits"]:
        visit["state"] = visit["state"] | {"swapped_meanwhile": 9}
    table = build([record(), swapped])
    assert list(table["trust"]) == ["trusted", "rejected"]
    assert table.attrs["noise_floor"] == {}


def test_different_environments_are_refused_in_one_line(build):
    other = with_setting(governor="powersave")
    records = [record(), record(replicate=1), record("huge_224", environment=other)]
    with pytest.raises(DataError) as caught:
        build(records, other)
    message = str(caught.value)
    assert "governor is performance in 2, powersave in 1;" in message
    assert "delete results/local/manifests and run again" in message
    assert "a second target" in message
    assert "numpy" not in message
    assert "\n" not in message


def test_many_environment_differences_are_abbreviated(build):
    facts = {f"fact{index}": "very long\n" * 50 for index in range(9)}
    other = with_setting(**facts) | {"software": {"numpy": "3"}}
    with pytest.raises(DataError) as caught:
        build([record(), record("huge_224", environment=other)], other)
    assert len(str(caught.value)) < 900
    assert "more facts differ" in str(caught.value)


def test_other_host_of_the_same_kind_is_the_same_environment(build):
    twin = ENVIRONMENT | {"machine": ENVIRONMENT["machine"] | {"host": "there"}}
    assert len(build([record(), record("huge_224", environment=twin)], twin)) == 2


def test_no_measurement_is_an_error(build):
    with pytest.raises(DataError, match="no measurements"):
        build([])


def test_a_model_without_features_is_named(build):
    with pytest.raises(DataError, match="stranger_7"):
        build([record("stranger_7")])


def test_the_same_measurement_twice_is_refused(build):
    with pytest.raises(DataError, match="measurement"):
        build([record(), record()])


def test_one_sample_has_no_spread(row):
    assert row(wall_ms=[[4.0]], discard=0)["latency_std_ms"] == 0.0
