"""One run a folder: what the guard lets in, and which of Snakemake's locks it takes away."""

import json
import os
import platform
import subprocess
import sys

import pytest

from perfcast.pipeline import guard

KEEP = """
import sys
from pathlib import Path
from perfcast.pipeline import guard
guard.keep(Path(sys.argv[1]), "results/quick")
print("in", flush=True)
sys.stdin.read()
"""

STAGE = """
import sys, time
from perfcast.pipeline.stage import stage
with stage(sys.argv[1]) as log:
    time.sleep(1)
    log("ended by itself")
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of Snakemake's with a lock."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/0.output.lock").write_text("results/models.csv\n")
    return tmp_path


@pytest.fixture
def enter(folder, root):
    """Return what starts a process that keeps the folder until its input ends, and says whether it may."""
    started = []

    def start():
        command = [sys.executable, "-c", KEEP, str(folder)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return started[-1], started[-1].stdout.readline() == "in\n"

    yield start
    for process in started:
        process.kill()
        process.communicate()


def leave_record(folder, **changes):
    """Write what a killed run left of itself, by default one whose lock is that of the folder."""
    status = (folder / "locks/0.output.lock").stat()
    own = {"0.output.lock": [status.st_ino, status.st_mtime_ns]}
    values = {"pid": 1, "host": platform.node(), "since": "2026-01-01 00:00:00", "before": {}, "own": own}
    (folder / "perfcast.json").write_text(json.dumps(values | changes))
    return own


def test_lock_of_a_killed_run_is_removed(folder, enter):
    leave_record(folder)
    assert enter()[1]
    assert list((folder / "locks").iterdir()) == []


@pytest.mark.parametrize("host", ["elsewhere"])
def test_the_lock_of_a_run_on_another_host_stays(folder, enter, host):
    leave_record(folder, host=host)
    assert enter()[1]
    assert (folder / "locks/0.output.lock").exists()


def test_a_later_lock_of_the_same_name_stays(folder, enter):
    leave_record(folder)
    (folder / "locks/0.output.lock").unlink()
    (folder / "locks/0.output.lock").write_text("others.txt\n")
    os.utime(folder / "locks/0.output.lock", ns=(1, 1))
    assert enter()[1]
    assert (folder / "locks/0.output.lock").exists()


def test_a_lock_from_before_the_killed_run_stays(folder, enter):
    own = leave_record(folder)
    leave_record(folder, own=None, before=own)
    assert enter()[1]
    assert (folder / "locks/0.output.lock").exists()


def test_unrecorded_lock_stays(folder, enter):
    assert enter()[1]
    assert (folder / "locks/0.output.lock").exists()


THIS_HOST = json.dumps({"host": platform.node()})


@pytest.mark.parametrize("text", ['{"pid": 1, "ho', "[]", "{}", THIS_HOST])
def test_damaged_record_removes_nothing(folder, enter, text):
    (folder / "perfcast.json").write_text(text)
    assert enter()[1]
    assert (folder / "locks/0.output.lock").exists()


OWN, MIXED = "results/quick/a\nresults/quick/b/c\n", "results/quick/a\nother\n"


@pytest.mark.parametrize(("names", "stays"), [(OWN, False), (MIXED, True)])
def test_only_unrecorded_locks_of_the_results_are_removed(folder, enter, names, stays):
    (folder / "locks/0.output.lock").write_text(names)
    leave_record(folder, own=None)
    assert enter()[1]
    assert (folder / "locks/0.output.lock").exists() is stays


def test_dangling_cache_links_are_removed(tmp_path):
    results = tmp_path / "results"
    (results / "manifests/export").mkdir(parents=True)
    (tmp_path / "cached").write_text("there")
    (results / "features.parquet").symlink_to(tmp_path / "gone")
    (results / "manifests/export/0.json").symlink_to(tmp_path / "gone")
    (results / "manifests/export/1.json").symlink_to(tmp_path / "cached")
    (tmp_path / ".snakemake").mkdir()
    guard.keep(tmp_path / ".snakemake", str(results))
    assert [path.name for path in results.rglob("*") if path.is_symlink()] == ["1.json"]


def test_folder_is_free_after_its_run_ends_or_is_killed(folder, enter):
    first, entered = enter()
    assert entered
    second, entered = enter()
    assert not entered
    assert f"another perfcast run (pid {first.pid} on {platform.node()}, since " in second.stderr.read()
    first.kill()
    first.wait()
    third, entered = enter()
    assert entered
    third.stdin.close()
    assert third.wait() == 0
    assert not (folder / "perfcast.json").exists()
    third.stdin = None
    assert enter()[1]


@pytest.mark.parametrize(("held", "code"), [(None, 0), (False, 1)])
def test_stage_ends_if_its_lifeline_is_released(tmp_path, root, held, code):
    """A lifeline that is absent, as in a container, tells nothing; one that nobody holds tells that all is over."""
    lifeline = tmp_path / "lifeline"
    if held is not None:
        lifeline.write_text("")
    command = [sys.executable, "-c", STAGE, str(tmp_path / "log")]
    environment = {**os.environ, "PERFCAST_LIFELINE": str(lifeline)}
    answer = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == code, answer.stderr
    log = tmp_path / "log"
    assert (log.exists() and "ended by itself" in log.read_text()) is (code == 0)
