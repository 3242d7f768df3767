"""A campaign on an external drive: written here, run as its starter is run, brought back."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from perfcast.bench.drive.bundle import write_drive
from perfcast.bench.drive.ingest import ingest
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Target
from perfcast.config import read_yaml
from perfcast.errors import DataError, PerfcastError, StoreError, UsageError
from perfcast.export.artifacts import ArtifactStore
from perfcast.storage import canonical_json
from tests.unit.campaigns import HOSTILE_NAME, dummy_exports, hostile_export


@pytest.fixture
def description(root):
    description = read_yaml(root / "config/targets/raspberry_pi4.yaml")
    description["factors"] |= {"toolchain": "null", "threads": 1}
    description["protocol"] = {"name": "published", "iterations": 8, "discard": 2, "visits": 2}
    description["settings"] = {}
    description["replicates"] = {"share": 1.0, "count": 1}
    return description


@pytest.fixture
def here(tmp_path):
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def drive(here, description, tmp_path):
    """A folder that was written, for three models that are measured twice."""
    return written(here, description, tmp_path / "my drive; $(id)")


def written(here, description, folder):
    target = Target.from_dict("raspberry_pi4", description)
    write_drive(folder, target, description, dummy_exports(here), ArtifactStore(here))
    return folder


def start(drive):
    command = [sys.executable, str(drive / "run.py")]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", text=True)


def run(drive):
    with start(drive) as process:
        _, said = process.communicate(timeout=120)
    return process.returncode, said


def brought_back(here, drive):
    return ingest(drive, ArtifactStore(here), MeasurementStore(here))


def records(here):
    store = MeasurementStore(here)
    return [store.measurement(path.stem) for path in sorted((here / "measurements").glob("[!.]*.json"))]


def answers(drive):
    return [json.loads(json.loads(line)["answer"]) for line in (drive / "answers.jsonl").read_text().splitlines()]


def test_what_is_measured_from_a_drive_comes_back(drive, here):
    status, said = run(drive)
    assert status == 0, said
    assert said.splitlines()[-1] == ("all 6 models are done: take the folder back, and run `perfcast ingest`")
    found = brought_back(here, drive)
    assert (found.new, found.measured, found.missing) == (6, 6, 0)
    stored = records(here)
    assert sorted(record["replicate"] for record in stored) == [0, 0, 0, 1, 1, 1]
    assert {record["verdict"] for record in stored} == {"measured"}
    times = {tuple(record["samples"]["wall_ns"]) for record in stored}
    assert len(times) == 6
    said = {answer["key"] for answer in answers(drive) if answer["event"] == "measurement"}
    assert len(said) == 6


@pytest.mark.parametrize("letters", ["C", "C.UTF-8"])
def test_a_models_name_is_only_a_name(here, description, tmp_path, letters, monkeypatch):
    monkeypatch.setenv("LC_ALL", letters)
    folder = tmp_path / "drive"
    write_drive(
        folder, Target.from_dict("raspberry_pi4", description), description, [hostile_export(here)], ArtifactStore(here)
    )
    status, said = run(folder)
    assert status == 0, said
    assert said.splitlines()[0].startswith("1 of 2 models done; my \"net\"; $(touch spoiled) 'it' `touch spoiled` ")
    assert len(said.splitlines()) == 3
    brought_back(here, folder)
    assert {record["model"] for record in records(here)} == {f"{HOSTILE_NAME}_8"}
    assert not list(tmp_path.rglob("spoiled*"))


def test_bringing_back_again_changes_nothing(drive, here):
    run(drive)
    brought_back(here, drive)
    before = records(here)
    found = brought_back(here, drive)
    assert (found.new, found.measured, found.missing) == (0, 6, 0)
    assert records(here) == before


def test_running_again_when_all_is_done_measures_nothing(drive):
    run(drive)
    before = (drive / "answers.jsonl").read_bytes()
    assert run(drive)[0] == 0
    assert (drive / "answers.jsonl").read_bytes() == before


def test_a_kill_loses_at_most_the_visit_in_flight(here, description, tmp_path):
    description["protocol"] = {"name": "published", "iterations": 200, "discard": 0, "visits": 40}
    drive = written(here, description, tmp_path / "drive")
    for count in (20, 90):
        process = start(drive)
        wait_for(drive, "visit", count)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        found = brought_back(here, drive)
        assert found.missing > 0
    status, said = run(drive)
    assert status == 0, said
    assert brought_back(here, drive).missing == 0
    assert [len(record["visits"]) for record in records(here)] == [40] * 6
    visits = [(answer["key"], answer["visit"]) for answer in answers(drive) if answer["event"] == "visit"]
    assert len(visits) == len(set(visits)) == 240


def wait_for(drive, event, count):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        path = drive / "answers.jsonl"
        if path.exists() and path.read_text().count(f'\\"event\\": \\"{event}\\"') >= count:
            return
        time.sleep(0.02)
    raise AssertionError("nothing is measured")


def edited(lines, at):
    lines[at] = lines[at].replace('\\"disturbed\\": ', '\\"disturbed\\":  ', 1)


def left_out(lines, at):
    del lines[at]


def moved(lines, at):
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


def repeated(lines, at):
    lines.insert(at, lines[at])


def no_json(lines, at):
    lines[at] = "{\n"


@pytest.mark.parametrize("change", [edited, left_out, moved, repeated, no_json])
def test_an_answer_that_was_changed_is_refused_and_those_before_are_kept(drive, here, change):
    run(drive)
    log = drive / "answers.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    before = list(lines)
    change(lines, next(at for at, answer in enumerate(answers(drive)) if answer["event"] == "visit"))
    assert lines != before
    log.write_text("".join(lines))
    with pytest.raises(DataError, match=rf"^{re.escape(str(log))}, line \d+: was changed after it was measured"):
        brought_back(here, drive)
    log.write_text("".join(before))
    assert brought_back(here, drive).missing == 0


def test_a_last_line_that_was_cut_off_is_measured_again(drive, here):
    run(drive)
    log = drive / "answers.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:10]) + lines[10][:50])
    assert brought_back(here, drive).missing > 0
    status, said = run(drive)
    assert status == 0, said
    assert "the last 50 bytes are damaged and left out" in said
    assert brought_back(here, drive).missing == 0


def test_another_bundles_answers_are_refused(drive, here, description, tmp_path):
    run(drive)
    other = written(here, description, tmp_path / "other")
    (other / "answers.jsonl").write_bytes((drive / "answers.jsonl").read_bytes())
    with pytest.raises(DataError, match="line 1: was changed after it was measured"):
        brought_back(here, other)


def test_a_drive_of_another_store_is_refused(drive, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UsageError, match="was not written from the store"):
        brought_back(tmp_path / "elsewhere", drive)


def test_a_changed_bundle_is_refused(drive, here):
    run(drive)
    bundle = json.loads((drive / "bundle.json").read_text())
    bundle["plan"]["time_limit_s"] = 1
    (drive / "bundle.json").write_bytes(canonical_json(bundle))
    with pytest.raises(UsageError, match=r"bundle\.json was changed"):
        brought_back(here, drive)


def test_answers_that_no_runner_gives_are_refused_although_their_seal_fits(drive, here):
    """Who has the folder can seal what he likes: a seal tells damage, and what is said is checked all the same."""
    seal = hashlib.sha256((drive / "bundle.json").read_bytes()).hexdigest()
    text = json.dumps({"event": "measurement", "key": "../../etc/passwd"})
    sealed = {"answer": text, "seal": hashlib.sha256((seal + text).encode()).hexdigest()}
    (drive / "answers.jsonl").write_text(json.dumps(sealed) + "\n")
    with pytest.raises(PerfcastError, match="the runner answered what it should not"):
        brought_back(here, drive)


def test_a_graph_that_was_changed_on_the_drive_fails_alone(here, description, tmp_path):
    drive = written(here, description, tmp_path / "drive")
    (graph,) = (drive / "graphs").iterdir()
    graph.write_bytes(graph.read_bytes()[:-3])
    assert run(drive)[0] == 0
    assert brought_back(here, drive).missing == 0
    assert {record["verdict"] for record in records(here)} == {"failed"}


def test_a_model_that_freezes_the_device_twice_is_on_record(drive, here):
    """The system's start has another name after the model in flight, twice: as after a freeze and the power button."""
    run(drive)
    said = answers(drive)
    context = next(answer for answer in said if answer["event"] == "context")
    key = next(answer["key"] for answer in said if answer["event"] == "visiting")
    visiting = {"event": "visiting", "key": key}
    seal_anew(drive, [*(a for boot in "ab" for a in (context | {"boot": boot}, visiting)), context | {"boot": "c"}])
    status, terminal = run(drive)
    assert status == 0, terminal
    assert not [a for a in answers(drive)[5:] if a.get("key") == key]
    assert brought_back(here, drive).missing == 0
    frozen = [record for record in records(here) if record["verdict"] == "froze"]
    assert [record["reason"] for record in frozen] == ["the device went down twice while it was measured"]
    assert brought_back(here, drive).new == 0


def seal_anew(drive, said):
    seal, lines = hashlib.sha256((drive / "bundle.json").read_bytes()).hexdigest(), []
    for answer in said:
        text = json.dumps(answer)
        seal = hashlib.sha256((seal + text).encode()).hexdigest()
        lines.append(json.dumps({"answer": text, "seal": seal}) + "\n")
    (drive / "answers.jsonl").write_text("".join(lines))


def test_a_folder_with_something_in_it_is_not_written_to(here, description, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").write_text("all of it")
    with pytest.raises(UsageError, match=r"full: is not empty; name a new folder"):
        written(here, description, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_this_machine_needs_no_drive(here, root, tmp_path):
    description = read_yaml(root / "config/targets/local.yaml")
    with pytest.raises(UsageError, match="is this machine: measure it here"):
        written(here, description, tmp_path / "drive")


def test_what_the_store_keeps_of_a_bundle_is_checked(drive, here):
    run(drive)
    (kept,) = (here / "bundles").iterdir()
    kept.write_text("{}")
    with pytest.raises(StoreError, match="does not match its digest"):
        brought_back(here, drive)


def test_a_drive_that_was_never_run_says_so(drive, here):
    with pytest.raises(UsageError, match=r"was `python3 run\.py` run\?"):
        brought_back(here, drive)


def test_one_campaign_a_folder_at_a_time(here, description, tmp_path):
    description["protocol"] = {"name": "published", "iterations": 4000, "discard": 0, "visits": 40}
    drive = written(here, description, tmp_path / "drive")
    first = start(drive)
    try:
        wait_for(drive, "visit", 1)
        assert run(drive) == (1, "this folder's campaign runs already\n")
    finally:
        os.kill(first.pid, signal.SIGTERM)
        first.communicate(timeout=30)
