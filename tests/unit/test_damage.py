"""Files that were damaged, lost or come from elsewhere: only what they hold is measured again, and reported."""

import json
import os
import re
import time

import pytest

from perfcast.checksummed import ChecksummedStore
from perfcast.errors import BenchmarkError, NewerRecordError, StoreError
from perfcast.progress import quiet
from perfcast.storage import ABANDONED_AFTER_S, write_json
from tests.unit.campaigns import measure


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def file_of(campaign, export, name):
    if name == "graph.pb":
        return campaign.artifacts.program_path(export.artifact, export.programs[0])
    return campaign.artifacts.location(export.artifact) / name


@pytest.mark.parametrize("damage", [flip, truncate])
@pytest.mark.parametrize("what", ["measurements", "environments", "fingerprints"])
def test_only_damaged_measurements_are_repeated(campaign, exports, runner, capsys, damage, what):
    before = measure(campaign, exports)
    folder = campaign.measurements.root / what
    damaged = sorted(folder.iterdir())[0]
    stored = {path.name: path.stat().st_mtime_ns for path in (campaign.measurements.root / "measurements").iterdir()}
    damage(damaged)
    assert [record["key"] for record in measure(campaign, exports)] == [record["key"] for record in before]
    asked = [task["key"] for plan in runner.plans[1:] for task in plan["tasks"]]
    said = capsys.readouterr().err.splitlines()
    expected = {"measurements": [damaged.stem], "environments": [r["key"] for r in before], "fingerprints": []}[what]
    assert asked == expected
    assert len(said) == len(expected)
    assert all(re.search(rf"{damaged.name}: .* is measured again", line) for line in said)
    untouched = [name for name in stored if name.removesuffix(".json") not in expected]
    assert all((campaign.measurements.root / "measurements" / name).stat().st_mtime_ns == stored[name]
               for name in untouched)  # fmt: skip


@pytest.mark.parametrize("damage", [flip, truncate])
def test_only_models_with_damaged_visits_are_measured_again(campaign, exports, runner, capsys, damage):
    runner.wish(killed_after=2 + 3)
    with pytest.raises(BenchmarkError):
        measure(campaign, exports)
    path = campaign.measurements.root / "visits" / f"{campaign.measurements.visits.all()[0]}.json"
    damage(path)
    runner.wish()
    assert all(len(record["visits"]) == 2 for record in measure(campaign, exports))
    resumed = {task["key"]: task["resume"] for task in runner.plans[-1]["tasks"]}
    assert [key for key, resume in resumed.items() if resume is None] == [path.stem]
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(rf"{path.name}: .*: mlp_\w+ starts over$", line)


@pytest.mark.parametrize("status", ["failed", "rejected"])
@pytest.mark.parametrize("file", ["graph.pb", "model.json"])
def test_graph_damaged_meanwhile_is_not_recorded(campaign, exports, runner, monkeypatch, status, file):
    """A board that could not run a damaged graph says nothing of the model."""
    runner.wish(status=status)
    run = type(campaign.transport).run

    def damaged_once_it_runs(self, plan, graphs):
        answers = run(self, plan, graphs)
        yield next(answers)
        flip(file_of(campaign, exports[1], file))
        yield from answers

    monkeypatch.setattr(type(campaign.transport), "run", damaged_once_it_runs)
    with pytest.raises(StoreError, match="does not match its digest; run the workflow's export again"):
        measure(campaign, exports)
    stored = [path.stem for path in (campaign.measurements.root / "measurements").iterdir()]
    assert len(stored) == 1
    assert campaign.measurements.measurement(stored[0])["artifact"] == exports[0].artifact


def test_a_clock_that_runs_backwards_changes_nothing(campaign, exports, runner, monkeypatch):
    runner.wish(first_hour=20)
    now = iter(range(10**9, 0, -3600))
    monkeypatch.setattr("time.time", lambda: float(next(now)))
    first = measure(campaign, exports)
    for record in first:
        times = [visit["started_at"] for visit in record["visits"]]
        assert times == sorted(times, reverse=True)
        assert record["started_at"] == times[0]
    assert measure(campaign, exports) == first
    assert len(runner.plans) == 1


@pytest.mark.parametrize(("kind", "status"), [("measurements", "measured"), ("visits", "crashed")])
def test_records_of_a_newer_version_are_kept(campaign, exports, runner, kind, status):
    runner.wish(status=status)
    measure(campaign, exports)
    path = sorted((campaign.measurements.root / kind).iterdir())[0]
    ChecksummedStore(path.parent, 99).put(path.stem, json.loads(path.read_text())["record"])
    before = path.read_bytes()
    runner.wish()
    with pytest.raises(NewerRecordError, match="update perfcast"):
        measure(campaign, exports)
    assert path.read_bytes() == before


def test_lost_environment_is_measured_again(campaign, exports):
    keys = [record["key"] for record in measure(campaign, exports)]
    for path in (campaign.measurements.root / "environments").iterdir():
        path.unlink()
    records = measure(campaign, exports)
    assert [record["key"] for record in records] == keys
    assert all(campaign.measurements.environment(record["environment"]) for record in records)


@pytest.mark.parametrize(
    "change",
    [
        {"record": {}, "checksum": "x"},
        {"record": {"key": float("nan")}, "checksum": "x"},
        {"record": "\ud800", "checksum": "x"},
        [],
        {"record": [1], "checksum": "x"},
    ],
)
def test_invalid_record_is_measured_again(campaign, exports, change, capsys):
    (key,) = campaign.measure(exports[:1], quiet, "measuring")
    path = campaign.measurements.root / f"measurements/{key}.json"
    path.write_text(json.dumps(change))
    campaign.measure(exports[:1], quiet, "measuring")
    assert campaign.measurements.measurement(key)["status"] == "measured"
    assert capsys.readouterr().err.count("is measured again\n") == 1


def test_a_record_under_another_key_is_measured_again(campaign, exports):
    first, second = campaign.measure(exports[:2], quiet, "measuring")
    folder = campaign.measurements.root / "measurements"
    (folder / f"{first}.json").write_bytes((folder / f"{second}.json").read_bytes())
    campaign.measure(exports[:2], quiet, "measuring")
    assert campaign.measurements.measurement(first)["key"] == first


def test_malformed_environment_is_damage(campaign, exports):
    (record,) = measure(campaign, exports[:1])
    path = campaign.measurements.root / f"environments/{record['environment']}.json"
    path.write_text('{"machine": NaN}')
    assert measure(campaign, exports[:1])[0]["key"] == record["key"]
    assert campaign.measurements.environment(path.stem)["machine"]["cpus"] >= 1


def test_clock_set_back_deletes_no_file_being_written(campaign, tmp_path):
    writing = tmp_path / "measurements/.abc.json.x1.json"
    write_json(writing, {})
    os.utime(writing, (time.time() + 10 * ABANDONED_AFTER_S,) * 2)
    campaign.measurements.sweep()
    assert writing.exists()


@pytest.mark.parametrize("damage", [flip, truncate])
@pytest.mark.parametrize("file", ["graph.pb", "model.json"])
def test_damaged_artifact_is_restored_from_its_bundle(campaign, exports, runner, tmp_path, damage, file):
    before = measure(campaign, exports[:2])
    artifacts = [(export.artifact, export.programs) for export in exports]
    campaign.artifacts.pack(artifacts, tmp_path / "bundle.zip")
    path = file_of(campaign, exports[2], file)
    sound = path.read_bytes()
    damage(path)
    with pytest.raises(StoreError, match=f"{exports[2].artifact}: the content does not match its digest"):
        measure(campaign, exports)
    assert len(runner.plans) == 1
    campaign.artifacts.unpack(artifacts, tmp_path / "bundle.zip")
    assert path.read_bytes() == sound
    assert measure(campaign, exports)[:2] == before
    assert [len(plan["tasks"]) for plan in runner.plans] == [2, 1]
