"""An offline campaign: a bundle is written here, run as its `run.py` is, and ingested."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from perfcast.bench.offline.bundle import kept_bundles, write_bundle
from perfcast.bench.offline.ingest import ingest
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Target, read_description
from perfcast.errors import BenchmarkError, DataError, PerfcastError, StoreError, UsageError
from perfcast.export.artifacts import ArtifactStore
from perfcast.storage import canonical_json, digest_of
from tests.unit.campaigns import HOSTILE_NAME, dummy_exports, hostile_export
from tests.waiting import eventually

pytestmark = pytest.mark.heavy


def described(root):
    description = read_description(root / "config/targets/raspberry_pi4.yaml")
    description["factors"]["fixed"] |= {"toolchain": "noop", "threads": 1}
    description["protocol"] = {"name": "published", "iterations": 8, "discard": 2, "visits": 2}
    description["settings"] = {}
    description["replicates"] = {"share": 1.0, "count": 1}
    return description


@pytest.fixture
def description(root):
    return described(root)


@pytest.fixture
def here(tmp_path):
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def bundle_dir(here, description, tmp_path):
    """A folder that was written, for three models that are measured twice."""
    return written(here, description, tmp_path / "my bundle; $(id)")


@pytest.fixture(scope="module")
def first_run(tmp_path_factory, root):
    """A store and its bundle, run to the end; each test gets a copy of both."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "here").mkdir()
    assert run(written(folder / "here", described(root), folder / "bundle"))[0] == 0
    return folder


@pytest.fixture
def ran(first_run, here, tmp_path):
    """The bundle that was run."""
    shutil.copytree(first_run / "here", here, dirs_exist_ok=True)
    return shutil.copytree(first_run / "bundle", tmp_path / "my bundle; $(id)")


def written(here, description, folder):
    target = Target.from_dict("raspberry_pi4", description)
    write_bundle(folder, target, description, dummy_exports(here), ArtifactStore(here))
    return folder


def start(bundle_dir, cpus=None):
    command = [sys.executable, str(bundle_dir / "run.py")]
    if cpus:
        command = ["taskset", "--cpu-list", ",".join(map(str, cpus)), *command]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", text=True)


def run(bundle_dir):
    with start(bundle_dir) as process:
        _, said = process.communicate(timeout=120)
    return process.returncode, said


def ingested(here, bundle_dir):
    return ingest(bundle_dir, ArtifactStore(here), MeasurementStore(here))


def records(here):
    store = MeasurementStore(here)
    return [store.measurement(path.stem) for path in sorted((here / "measurements").glob("[!.]*.json"))]


def answers(bundle_dir):
    return [json.loads(json.loads(line)["answer"]) for line in (bundle_dir / "answers.jsonl").read_text().splitlines()]


def test_measurements_of_a_bundle_are_ingested(bundle_dir, here):
    status, said = run(bundle_dir)
    assert status == 0, said
    assert said.splitlines()[-1] == ("all 6 models are done; bring the folder back and run `perfcast ingest`")
    found = ingested(here, bundle_dir)
    assert (found.new, found.measured, found.missing) == (6, 6, 0)
    stored = records(here)
    assert sorted(record["replicate"] for record in stored) == [0, 0, 0, 1, 1, 1]
    assert {record["status"] for record in stored} == {"measured"}
    times = {tuple(record["samples"]["wall_ns"]) for record in stored}
    assert len(times) == 6
    said = {answer["key"] for answer in answers(bundle_dir) if answer["event"] == "measurement"}
    assert len(said) == 6


@pytest.mark.parametrize("letters", ["C", "C.UTF-8"])
def test_hostile_model_name_runs_nothing(here, description, tmp_path, letters, monkeypatch):
    monkeypatch.setenv("LC_ALL", letters)
    folder = tmp_path / "bundle"
    write_bundle(
        folder, Target.from_dict("raspberry_pi4", description), description, [hostile_export(here)], ArtifactStore(here)
    )
    status, said = run(folder)
    assert status == 0, said
    assert said.splitlines()[0].startswith("1 of 2 models done; my \"net\"; $(touch spoiled) 'it' `touch spoiled` ")
    assert len(said.splitlines()) == 3
    ingested(here, folder)
    assert {record["model"] for record in records(here)} == {f"{HOSTILE_NAME}_8"}
    assert not list(tmp_path.rglob("spoiled*"))


def test_device_needs_only_the_standard_library(bundle_dir):
    """Where models run in a container, the runtime and NumPy with it are only in there."""
    code = "import sys; sys.modules['numpy'] = None; import perfcast.runner.{0} as tried; print(tried.__name__)"
    for part in ("offline", "supervisor", "receiving"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(part)], env=os.environ | {"PYTHONPATH": str(bundle_dir / "runner.pyz")},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout == f"perfcast.runner.{part}\n", done.stderr


def test_second_ingest_changes_nothing(ran, here):
    ingested(here, ran)
    before = records(here)
    found = ingested(here, ran)
    assert (found.new, found.measured, found.missing) == (0, 6, 0)
    assert records(here) == before


def test_second_run_measures_nothing(ran):
    before = (ran / "answers.jsonl").read_bytes()
    assert run(ran)[0] == 0
    assert (ran / "answers.jsonl").read_bytes() == before


def test_kill_loses_at_most_the_visit_in_flight(here, description, tmp_path):
    description["protocol"] = {"name": "published", "iterations": 60, "discard": 0, "visits": 12}
    bundle_dir = written(here, description, tmp_path / "bundle")
    for count in (6, 30):
        process = start(bundle_dir)
        wait_for(bundle_dir, "visit", count)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        found = ingested(here, bundle_dir)
        assert found.missing > 0
    status, said = run(bundle_dir)
    assert status == 0, said
    assert ingested(here, bundle_dir).missing == 0
    assert [len(record["visits"]) for record in records(here)] == [12] * 6
    visits = [(answer["key"], answer["visit"]) for answer in answers(bundle_dir) if answer["event"] == "visit"]
    assert len(visits) == len(set(visits)) == 72


def wait_for(bundle_dir, event, count):
    path, words = bundle_dir / "answers.jsonl", f'\\"event\\": \\"{event}\\"'
    eventually(lambda: path.exists() and path.read_text().count(words) >= count)


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
def test_changed_answer_is_refused_and_earlier_ones_kept(ran, here, change):
    log = ran / "answers.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    before = list(lines)
    change(lines, next(at for at, answer in enumerate(answers(ran)) if answer["event"] == "visit"))
    assert lines != before
    log.write_text("".join(lines))
    with pytest.raises(DataError, match=rf"^{re.escape(str(log))}, line \d+: was changed after it was measured"):
        ingested(here, ran)
    log.write_text("".join(before))
    assert ingested(here, ran).missing == 0


def test_truncated_last_answer_is_measured_again(ran, here):
    log = ran / "answers.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:10]) + lines[10][:50])
    assert ingested(here, ran).missing > 0
    status, said = run(ran)
    assert status == 0, said
    assert "the last 50 bytes are damaged and ignored" in said
    assert ingested(here, ran).missing == 0


def test_answers_of_another_bundle_are_refused(ran, here, description, tmp_path):
    other = written(here, description, tmp_path / "other")
    (other / "answers.jsonl").write_bytes((ran / "answers.jsonl").read_bytes())
    with pytest.raises(DataError, match="line 1: was changed after it was measured"):
        ingested(here, other)


def test_bundle_of_another_store_is_refused(bundle_dir, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UsageError, match="is not a bundle of the store"):
        ingested(tmp_path / "elsewhere", bundle_dir)


def test_a_changed_bundle_is_refused(ran, here):
    bundle = json.loads((ran / "bundle.json").read_text())
    bundle["plan"]["time_limit_s"] = 1
    (ran / "bundle.json").write_bytes(canonical_json(bundle))
    with pytest.raises(UsageError, match=r"bundle\.json was changed"):
        ingested(here, ran)


def test_foreign_answers_with_valid_checksums_are_refused(bundle_dir, here):
    """Who has the folder can compute checksums: they show damage, and the content is checked all the same."""
    checksum = hashlib.sha256((bundle_dir / "bundle.json").read_bytes()).hexdigest()
    text = json.dumps({"event": "measurement", "key": "../../etc/passwd"})
    sealed = {"answer": text, "checksum": hashlib.sha256((checksum + text).encode()).hexdigest()}
    (bundle_dir / "answers.jsonl").write_text(json.dumps(sealed) + "\n")
    with pytest.raises(PerfcastError, match="malformed answer of the runner"):
        ingested(here, bundle_dir)


def test_damaged_graph_fails_alone(here, description, tmp_path):
    bundle_dir = written(here, description, tmp_path / "bundle")
    (graph,) = (bundle_dir / "graphs").iterdir()
    graph.write_bytes(graph.read_bytes()[:-3])
    assert run(bundle_dir)[0] == 0
    assert ingested(here, bundle_dir).missing == 0
    assert {record["status"] for record in records(here)} == {"failed"}


def started(boot):
    return {"event": "started", "boot": boot}


def begun(bundle_dir):
    """Return the environment of a bundle that was run, and the model that it began with."""
    environment = next(answer for answer in answers(bundle_dir) if answer["event"] == "environment")
    return environment, next(answer for answer in answers(bundle_dir) if answer["event"] == "visiting")


def test_model_that_freezes_the_device_twice_is_recorded(ran, here):
    """The system's start has another name after the model in flight, twice: as after a freeze and the power button."""
    environment, visiting = begun(ran)
    frozen_twice = [answer for boot in "ab" for answer in (started(boot), environment | {"boot": boot}, visiting)]
    with_new_checksums(ran, frozen_twice)
    for _ in range(2):
        assert ingested(here, ran).measured == 0
    status, terminal = run(ran)
    assert status == 0, terminal
    assert not [answer for answer in answers(ran)[6:] if answer.get("key") == visiting["key"]]
    assert ingested(here, ran).missing == 0
    frozen = [record for record in records(here) if record["status"] == "froze"]
    assert [record["reason"] for record in frozen] == ["the device went down twice while it was measured"]
    assert ingested(here, ran).new == 0


@pytest.mark.parametrize("between", [[{"event": "ended"}], []])
def test_orderly_interruption_is_not_recorded_as_a_freeze(ran, here, between):
    environment, visiting = begun(ran)
    visit = next(answer for answer in answers(ran) if answer["event"] == "visit")
    said = []
    for boot in "abc":
        said += [started(boot), environment | {"boot": boot}]
        said += [visiting, *between] if between else []
    if not between:
        said = [*said[:2], visiting, visit, *said[2:]]
    with_new_checksums(ran, said)
    assert run(ran)[0] == 0
    assert ingested(here, ran).missing == 0
    assert {record["status"] for record in records(here)} == {"measured"}


def test_keyboard_interrupt_is_recorded(here, description, tmp_path):
    description["protocol"] = {"name": "published", "iterations": 4000, "discard": 0, "visits": 40}
    bundle_dir = written(here, description, tmp_path / "bundle")
    process = start(bundle_dir)
    wait_for(bundle_dir, "visit", 1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert answers(bundle_dir)[-1] == {"event": "ended"}


def test_other_environments_are_kept_separate(here, description, tmp_path):
    """Under A, then B, then A again."""
    description["protocol"] = {"name": "published", "iterations": 60, "discard": 0, "visits": 12}
    bundle_dir = written(here, description, tmp_path / "bundle")
    cpus = sorted(os.sched_getaffinity(0))
    for allowed, count in ((cpus, 20), (cpus[:1], 40)):
        process = start(bundle_dir, allowed)
        wait_for(bundle_dir, "visit", count)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        ingested(here, bundle_dir)
    status, said = run(bundle_dir)
    assert status == 0, said
    assert "the device's environment has changed: all models are measured in the new one" in said
    found = ingested(here, bundle_dir)
    assert (found.measured, found.missing) == (6, 0)
    by_conditions = Counter(record["fingerprint"] for record in records(here))
    assert max(by_conditions.values()) == 6


def test_copied_folder_is_another_campaign(here, description, tmp_path):
    description["protocol"] = {"name": "published", "iterations": 4000, "discard": 0, "visits": 40}
    bundle_dir = written(here, description, tmp_path / "bundle")
    shutil.copytree(bundle_dir, tmp_path / "copy")
    first = start(bundle_dir)
    try:
        wait_for(bundle_dir, "visit", 1)
        status, said = run(tmp_path / "copy")
        assert status == 75
        assert "another campaign is measuring on this device" in said
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)


def with_new_checksums(bundle_dir, said):
    checksum, lines = hashlib.sha256((bundle_dir / "bundle.json").read_bytes()).hexdigest(), []
    for answer in said:
        text = json.dumps(answer)
        checksum = hashlib.sha256((checksum + text).encode()).hexdigest()
        lines.append(json.dumps({"answer": text, "checksum": checksum}) + "\n")
    (bundle_dir / "answers.jsonl").write_text("".join(lines))


def test_folder_that_is_not_empty_is_refused(here, description, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").write_text("all of it")
    with pytest.raises(UsageError, match=r"full: is not empty; name a new folder"):
        written(here, description, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_folder_that_cannot_be_made_is_one_line(here, description, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file/below", Path("/proc/version/x")):
        with pytest.raises(UsageError, match=r"cannot be created \(.*\); name another folder"):
            written(here, description, folder)


def test_empty_folder_is_used(here, description, tmp_path, monkeypatch):
    (tmp_path / "stick").mkdir()
    number = (tmp_path / "stick").stat().st_ino
    monkeypatch.chdir(tmp_path / "stick")
    written(here, description, Path())
    assert (tmp_path / "stick").stat().st_ino == number
    assert sorted(path.name for path in (tmp_path / "stick").iterdir()) == [
        "README.txt", "bundle.json", "graphs", "run.py", "runner.pyz"
    ]  # fmt: skip


def test_answers_that_are_not_a_plain_file_are_refused(bundle_dir, here):
    os.mkfifo(bundle_dir / "answers.jsonl")
    with pytest.raises(UsageError, match=r"answers\.jsonl: is not a regular file"):
        ingested(here, bundle_dir)
    (bundle_dir / "answers.jsonl").unlink()
    (bundle_dir / "answers.jsonl").mkdir()
    with pytest.raises(UsageError, match=r"answers\.jsonl: is not a regular file"):
        ingested(here, bundle_dir)
    status, said = run(bundle_dir)
    assert (status, said) == (1, "answers.jsonl: Is a directory; what was measured before is kept\n")


def test_a_bundle_of_another_version_is_refused(bundle_dir, here):
    bundle = json.loads((bundle_dir / "bundle.json").read_text()) | {"schema_version": 99}
    content = canonical_json(bundle)
    (bundle_dir / "bundle.json").write_bytes(content)
    kept_bundles(here).put(digest_of(content), {"bundle": bundle})
    with pytest.raises(UsageError, match="was written by another version of perfcast"):
        ingested(here, bundle_dir)
    assert "is of another version than the runner next to it" in run(bundle_dir)[1]


IMPOSSIBLE = [
    ("visit", {"started_at": "9999-99-99T99:99:99Z"}),
    ("visit", {"started_at": "2026-01-01T00:00:00Z\n"}),
    ("visit", {"round": 10**400}),
    ("measurement", {"timing": {"load_s": 10**400, "first_call_s": 0, "fork_s": 0, "overhead_s": 0}}),
    ("measurement", {"sustained": {"wall_ns": [5], "seconds": 1}}),
]


def test_impossible_answers_with_valid_checksums_are_refused(ran, here):
    said = answers(ran)
    for event, change in IMPOSSIBLE:
        at = next(at for at, answer in enumerate(said) if answer["event"] == event)
        with_new_checksums(ran, [*said[:at], said[at] | change])
        with pytest.raises(BenchmarkError):
            ingested(here, ran)
    at = next(at for at, answer in enumerate(said) if answer["event"] == "visit")
    said[at]["samples"]["wall_ns"] = [-1] * 1_000_000
    with_new_checksums(ran, said[: at + 1])
    before = time.process_time()
    with pytest.raises(BenchmarkError, match="malformed answer of the runner"):
        ingested(here, ran)
    assert time.process_time() - before < 10  # It took 30 s, and 3.4 GB.


def test_local_target_needs_no_bundle(here, root, tmp_path):
    description = read_description(root / "config/targets/local.yaml")
    with pytest.raises(UsageError, match="is this machine; measure it directly"):
        written(here, description, tmp_path / "bundle")


def test_damaged_copy_of_a_bundle_in_the_store_is_refused(ran, here):
    (kept,) = (here / "bundles").iterdir()
    kept.write_text("{}")
    with pytest.raises(StoreError, match="not a record of perfcast"):
        ingested(here, ran)


def test_bundle_that_was_never_run_is_refused(bundle_dir, here):
    with pytest.raises(UsageError, match=r"run `python3 run\.py` on the device"):
        ingested(here, bundle_dir)


def test_one_campaign_per_folder_at_a_time(here, description, tmp_path):
    description["protocol"] = {"name": "published", "iterations": 4000, "discard": 0, "visits": 40}
    bundle_dir = written(here, description, tmp_path / "bundle")
    first = start(bundle_dir)
    try:
        wait_for(bundle_dir, "visit", 1)
        assert run(bundle_dir) == (1, "this folder's campaign is already running\n")
    finally:
        os.kill(first.pid, signal.SIGTERM)
        first.communicate(timeout=30)


def test_bundle_of_several_factor_sets_is_ingested(here, description, tmp_path):
    del description["factors"]["fixed"]["threads"]
    description["factors"]["vary"] = {"threads": [1, 2]}
    bundle_dir = written(here, description, tmp_path / "bundle")
    assert ingested_in_part(here, bundle_dir) == "part-0001"
    # What both run is there once.
    assert [path.parent.name for path in bundle_dir.rglob("*.gz")] == ["graphs"]
    assert [path.name for path in (bundle_dir / "part-0002").iterdir()] == ["bundle.json"]
    status, said = run(bundle_dir)
    assert status == 0, said
    assert "factors 2 of 2" in said
    found = ingested(here, bundle_dir)
    assert (found.measured, found.missing) == (12, 0)
    by_threads = Counter(record["factors"]["threads"] for record in records(here))
    assert by_threads == {1: 6, 2: 6}


def ingested_in_part(here, bundle_dir):
    """Return the part that says that it was not run yet."""
    with pytest.raises(UsageError, match=r"run `python3 run\.py` on the device") as caught:
        ingested(here, bundle_dir)
    return Path(str(caught.value).split(":")[0]).parent.name
