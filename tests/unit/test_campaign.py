"""Measuring through the campaign's door, with the real runner in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from perfcast.bench.campaign import Campaign
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Protocol, Replicates, Target
from perfcast.bench.tasks import fraction_of, is_repeated, shard_of
from perfcast.bench.transport import RUNNER, LocalTransport
from perfcast.config import read_yaml
from perfcast.errors import BenchmarkError
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.models.spec import ModelSpec
from perfcast.progress import quiet
from perfcast.runner.protocol import fingerprint_of
from perfcast.storage import digest_of_json
from tests.unit.campaigns import plan_of, tasks_of
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

SPECS = [
    ModelSpec("basic_model_1_3_8_2", "basic_model", "synthetic", "basic_model", (32, 32, 3),
              {"conv_layers": 1, "filter_size": 3, "filters": 8, "strides": 2}),
    ModelSpec("basic_model_2_3_8_1", "basic_model", "synthetic", "basic_model", (32, 32, 3),
              {"conv_layers": 2, "filter_size": 3, "filters": 8, "strides": 1}),
]  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("store"))
    return store, export_models(SPECS, store)


@pytest.fixture
def campaign(exported, root, tmp_path):
    description = read_yaml(root / "config/targets/local.yaml")
    description["protocol"] = {"name": "published", "iterations": 10, "discard": 4, "visits": 2}
    target = Target.from_dict("local", description)
    target = replace(target, replicates=Replicates(share=0.0, count=0), time_limit_s=60.0)
    return Campaign(target, LocalTransport(tmp_path / "log"), exported[0], MeasurementStore(tmp_path))


def on_null(campaign, **changes):
    target = replace(campaign.target, factor_sets=(campaign.target.factors | {"toolchain": "noop"},), **changes)
    return replace(campaign, target=target)


@pytest.mark.parametrize("weights_as", ["constant", "variable"])
def test_measurement_has_every_field_of_its_record(campaign, exported, weights_as):
    factors = campaign.target.factors | {"weights_as": weights_as}
    campaign = replace(campaign, target=replace(campaign.target, factor_sets=(factors,)))
    keys = campaign.measure(exported[1], quiet, "measuring")
    records = [campaign.measurements.measurement(key) for key in keys]
    assert [record["model"] for record in records] == [spec.model for spec in SPECS]
    for record in records:
        assert record["status"] == "measured", record["reason"]
        assert record["factors"]["weights_as"] == weights_as
        samples = record["samples"]
        assert samples["discarded"] == ([True] * 2 + [False] * 3) * 2
        assert samples["visit"] == [0] * 5 + [1] * 5
        assert [visit["visit"] for visit in record["visits"]] == [0, 1]
        assert {len(values) for values in samples.values() if values is not None} == {10}
        assert min(samples["wall_ns"]) > 0
        for visit in record["visits"]:
            assert visit["state"]["load_1_minute"] >= 0
            assert min(visit["calibration"].values()) > 0
        memory = record["memory"]
        for peak in ("load_peak_bytes", "run_peak_bytes"):
            assert memory[peak] > memory[f"null_{peak}"] > 50e6
        assert record["timing"]["overhead_s"] > record["timing"]["load_s"] > 0
        assert record["peaks"]["flops_per_s"] > 1e8
        environment = campaign.measurements.environment(record["environment"])
        assert environment["machine"]["memory_bytes"] > 1e8
        assert environment["software"]["tensorflow"] == record["factors"]["toolchain_version"]
        assert record["fingerprint"] == digest_of_json(fingerprint_of(environment))


def test_noop_measures_without_a_runtime(campaign, exported):
    campaign = on_null(campaign)
    keys = campaign.measure(exported[1], quiet, "measuring")
    record = campaign.measurements.measurement(keys[0])
    assert record["factors"]["toolchain"] == "noop"
    assert record["status"] == "measured"


def test_measured_models_are_not_measured_again(campaign, exported):
    campaign = on_null(campaign)
    keys = campaign.measure(exported[1], quiet, "measuring")
    before = {key: campaign.measurements.measurement(key) for key in keys}
    broken = replace(campaign, transport=_Silent(campaign.transport))
    assert broken.measure(exported[1], quiet, "measuring") == keys
    assert {key: campaign.measurements.measurement(key) for key in keys} == before


class _Silent(LocalTransport):
    """Probes as ever, and must not be asked to measure."""

    def __init__(self, transport):
        super().__init__(transport.log)

    def run(self, plan, graphs):
        raise AssertionError(f"{len(plan['tasks'])} models would be measured again")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"factor_sets": {"batch": 2}},
        {"factor_sets": {"weights_as": "variable"}},
        {"device_name": "another board"},
    ],
)
def test_another_target_or_factor_is_another_measurement(campaign, exported, change):
    campaign = on_null(campaign)
    factors = campaign.target.factors | change.get("factor_sets", {})
    other = replace(campaign, target=replace(campaign.target, **change | {"factor_sets": (factors,)}))
    assert not {t.key for t in tasks_of(campaign, exported[1])} & {t.key for t in tasks_of(other, exported[1])}


def test_model_that_takes_too_long_is_stopped_and_recorded(campaign, exported):
    campaign = on_null(campaign, time_limit_s=1.0, protocol=Protocol("published", 10**7, 0))
    (key,) = campaign.measure(exported[1][:1], quiet, "measuring")
    record = campaign.measurements.measurement(key)
    assert (record["status"], record["samples"]) == ("timed_out", None)
    assert "1 s" in record["reason"]


def test_only_transient_failures_are_retried(campaign, exported):
    campaign = on_null(campaign)
    (key,) = campaign.measure(exported[1][:1], quiet, "measuring")
    store, record = campaign.measurements, campaign.measurements.measurement(key)
    for status in ("measured", "failed", "rejected", "out_of_memory", "crashed"):
        store.put(record | {"status": status})
        assert store.is_settled(key, 60.0) is (status != "crashed")
    store.put(record | {"status": "timed_out", "time_limit_s": 60.0})
    assert store.is_settled(key, 60.0)
    assert not store.is_settled(key, 61.0)


def test_runner_ends_with_its_parent(campaign, exported, tmp_path):
    """A stage that is killed must not leave a measurement running that the next one overlaps with."""
    plan = plan_of(on_null(campaign, protocol=Protocol("published", 10**8, 0)), exported[1][:1])
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    command = [sys.executable, RUNNER, "--die-with-parent", tmp_path / "plan.json"]
    starter = f"import subprocess; subprocess.run({[str(word) for word in command]!r})"
    stage = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.DEVNULL)

    def measuring():
        family = psutil.Process(stage.pid).children(recursive=True)
        return family if len(family) == 2 and family[1].cpu_times().user > 0.1 else None

    family = eventually(measuring)
    stage.kill()
    stage.wait()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_a_graph_that_cannot_be_loaded_fails_alone(campaign, exported):
    """A graph damaged after the plan was made: the other model is measured all the same."""
    plan = plan_of(campaign, exported[1])
    damaged = campaign.measurements.root / "damaged.pb"
    damaged.write_bytes(b"\x00\x01 no graph")
    graphs = {task["program"]: Path(task["program"]) for task in plan["tasks"]}
    graphs[plan["tasks"][0]["program"]] = damaged
    answers = {a["key"]: a for a in campaign.transport.run(plan, graphs) if a["event"] == "measurement"}
    first, second = (answers[task["key"]] for task in plan["tasks"])
    assert (first["status"], second["status"]) == ("failed", "measured")
    assert "DecodeError" in first["reason"]


def test_killed_child_affects_no_other(campaign, exported, tmp_path):
    plan = plan_of(on_null(campaign, protocol=Protocol("published", 10**8, 0)), exported[1])
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    runner = subprocess.Popen(
        [sys.executable, RUNNER, tmp_path / "plan.json"], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert [json.loads(runner.stdout.readline())["event"] for _ in range(2)] == ["environment", "peaks"]
        crashed = []
        for _ in range(2):
            assert json.loads(runner.stdout.readline())["event"] == "visiting"
            os.kill(_child_of(runner.pid), signal.SIGKILL)
            answer = json.loads(runner.stdout.readline())
            assert answer["status"] == "crashed"
            assert "signal 9" in answer["reason"]
            crashed.append(answer["key"])
        assert sorted(crashed) == sorted(task["key"] for task in plan["tasks"])
        assert json.loads(runner.stdout.readline()) == {"event": "done"}
        assert runner.wait() == 0
    finally:
        runner.kill()
        runner.wait()
        runner.stdout.close()


def _child_of(pid):
    """Return the process that measures a model."""
    children = psutil.Process(pid).children
    return eventually(lambda: [each.pid for each in children() if each.status() != psutil.STATUS_ZOMBIE])[0]


def test_last_line_of_a_dead_runner_is_shown(campaign, exported, tmp_path, monkeypatch):
    fake = tmp_path / "runner.py"
    fake.write_text("import sys\nsys.exit('no numpy on this board')\n")
    monkeypatch.setattr("perfcast.bench.transport.RUNNER", fake)
    with pytest.raises(BenchmarkError, match="status 1: no numpy on this board"):
        on_null(campaign).measure(exported[1], quiet, "measuring")


def test_shards_keep_their_members_and_are_even():
    names = [f"model_{i}" for i in range(4000)]
    sizes = np.bincount([shard_of(name, 4) for name in names])
    assert len(sizes) == 4
    assert sizes.min() > 900
    repeated = sum(is_repeated(name, Replicates(0.2, 1)) for name in names)
    assert 700 < repeated < 900
    assert 0 <= fraction_of("") < 1


def test_the_runner_is_old_python():
    """Python 3.6 is what the oldest boards have: no newer syntax, no import that it lacks."""
    import ast

    files = sorted(RUNNER.rglob("*.py"))
    assert len(files) > 5
    for file in files:
        tree = ast.parse(file.read_text(), feature_version=(3, 6))
        imported = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        imported |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert imported <= set(sys.stdlib_module_names) | {"numpy", "tensorflow", "perfcast"}, file
