"""Power from the target's option to the columns, through the real runner on a machine with a fake counter."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from perfcast.bench.target import Protocol, Target, read_description
from perfcast.dataset.rows import measurement_row
from perfcast.errors import BenchmarkError, UsageError
from perfcast.fit.stage import options_of
from tests.unit.campaigns import dummy_exports, idle_campaign, measure, tasks_of
from tests.unit.runner.fake_device import FakeDevice
from tests.unit.runner.power_files import WATTS, write_zone

pytestmark = pytest.mark.heavy

POWERED = Path(__file__).with_name("runner") / "powered_runner.py"
TWICE = Protocol("published", 20, 4, visits=2)
METRICS = {"latency_ms": {"column": "latency_ms", "unit": "ms"}, "energy_mj": {"column": "energy_run_mj", "unit": "mJ"}}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with no counter yet."""
    (tmp_path / "machine").mkdir()
    monkeypatch.setattr("perfcast.bench.transport.RUNNER", POWERED)
    monkeypatch.setenv("FAKE_RAPL", str(tmp_path / "machine"))
    return FakeDevice(tmp_path / "machine", monkeypatch)


def asking(campaign, power):
    return replace(campaign, target=replace(campaign.target, power=power))


def test_energy_of_a_run_is_read_from_a_counter_that_wraps_around(tmp_path, root, machine):
    write_zone(machine, "intel-rapl:0", "package-0", 0)
    campaign = asking(idle_campaign(tmp_path, root, TWICE), "auto")
    (record,) = measure(campaign, dummy_exports(tmp_path, count=1))
    environment = campaign.measurements.environment(record["environment"])
    assert environment["settings"]["power"] == "rapl (package-0), counter read before and after 0.5 s"
    assert record["power"] == {
        "source": "rapl", "parts": "package-0", "rate_hz": None, "block_s": 0.5, "reason": None,
    }  # fmt: skip
    powers = [visit["power"] for visit in record["visits"]]
    assert len(powers) == 2
    # Of disturbed visits, as this machine may have made one, the energy would not count.
    row = measurement_row(record | {"visits": [visit | {"disturbed": False} for visit in record["visits"]]})
    assert row["power_source"] == "rapl"
    assert row["power_idle_w"] == pytest.approx(WATTS, rel=0.2)
    assert row["power_mean_w"] == pytest.approx(WATTS, rel=0.2)
    each = [1e3 * power["mean_w"] * power["seconds"] / power["runs"] for power in powers]
    assert row["energy_run_mj"] == pytest.approx(sum(each) / 2)
    assert row["energy_run_low_mj"] <= row["energy_run_mj"] <= row["energy_run_high_mj"]
    rest = [1e3 * power["idle_w"] * power["seconds"] / power["runs"] for power in powers]
    assert row["energy_run_above_idle_mj"] == pytest.approx((sum(each) - sum(rest)) / 2, abs=1e-9)


def test_missing_sensor_changes_no_measurement(tmp_path, root, machine):
    exports, campaign = dummy_exports(tmp_path, count=1), idle_campaign(tmp_path, root, TWICE)
    before, environment = {task.key for task in tasks_of(campaign, exports)}, campaign.environment()
    (record,) = measure(asking(campaign, "auto"), exports)
    assert {record["key"]} == before
    assert campaign.measurements.environment(record["environment"]) == environment
    assert not any("power" in visit for visit in record["visits"])
    row = measurement_row(record)
    assert row["power_reason"] == "no sensor found (looked for RAPL, INA3221, tegrastats)"
    assert pd.isna([row["power_mean_w"], row["energy_run_mj"], row["energy_run_high_mj"]]).all()
    assert row["power_source"] is None
    earlier = measurement_row({name: value for name, value in record.items() if name != "power"})
    assert (earlier["power_source"], earlier["power_reason"]) == (None, None)


def test_measurement_with_power_is_another_one(tmp_path, root, machine):
    exports, campaign = dummy_exports(tmp_path, count=1), idle_campaign(tmp_path, root, TWICE)
    write_zone(machine, "intel-rapl:0", "package-0", 0)
    keys = [{task.key for task in tasks_of(asking(campaign, power), exports)} for power in ("off", "auto", "rapl")]
    assert keys[0] != keys[1] == keys[2]


def test_missing_named_sensor_is_refused(tmp_path, root, machine):
    campaign = asking(idle_campaign(tmp_path, root, TWICE), "rapl")
    with pytest.raises(UsageError, match=r"^power: no sensor found \(looked for RAPL\); set power of the target to "):
        measure(campaign, dummy_exports(tmp_path, count=1))


@pytest.mark.parametrize("instead", [{"peaks": {"power": None}}, {"visit": {"power": None}}])
def test_power_that_was_not_requested_is_refused(campaign, exports, runner, instead):
    (event,) = instead
    facts = {"source": "rapl", "parts": "package-0", "rate_hz": None, "block_s": 0.5, "reason": None}
    runner.wish(instead={event: {"power": facts if event == "peaks" else None}})
    with pytest.raises(BenchmarkError, match="reported power, which was not requested"):
        measure(campaign, exports)


@pytest.mark.parametrize("value", [0, -1, 5001, "20", None])
def test_impossible_power_of_a_runner_is_refused(campaign, exports, runner, value):
    power = {"idle_w": value, "mean_w": 10.0, "seconds": 0.5, "runs": 3, "readings": 2}
    runner.wish(instead={"visit": {"power": power}})
    with pytest.raises(BenchmarkError, match="malformed answer"):
        measure(asking(campaign, "auto"), exports)


def test_metrics_of_power_are_fitted_only_where_there_is_some():
    dataset = pd.DataFrame({"latency_ms": [1.0, 2.0], "energy_run_mj": [None, 3.0]})
    assert list(options_of(dataset, METRICS, {}, 1).metrics) == ["latency_ms", "energy_mj"]
    for without in (dataset.assign(energy_run_mj=float("nan")), dataset[["latency_ms"]]):
        assert list(options_of(without, METRICS, {}, 1).metrics) == ["latency_ms"]


@pytest.mark.parametrize(("power", "asked"), [("auto", "auto"), ("off", "off"), ('"off"', "off"), ("nvml", "nvml")])
def test_target_says_where_power_is_read(tmp_path, root, power, asked):
    text = (root / "config/targets/local.yaml").read_text().replace("power: auto", f"power: {power}")
    (tmp_path / "mine.yaml").write_text(text[: text.index("  energy_mj:")])
    assert Target.from_dict("mine", read_description(tmp_path / "mine.yaml")).power == asked


@pytest.mark.parametrize(
    ("power", "words"),
    [
        ("plug", r"mine\.yaml: power: 'plug' is not one of \['auto', 'off', 'rapl', "),
        ("off", r"mine\.yaml: metrics\.energy_mj\.column: energy_run_mj is not measured; set power: auto"),
    ],
)
def test_wrong_power_of_a_target_is_one_line(tmp_path, root, power, words):
    text = (root / "config/targets/local.yaml").read_text().replace("power: auto", f"power: {power}")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UsageError, match=words):
        read_description(tmp_path / "mine.yaml")
