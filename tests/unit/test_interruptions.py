"""What is left when processes are killed, through the doors that the next ones come in by; with the real runner."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import pytest

from perfcast.bench.target import Protocol, Replicates
from perfcast.bench.transport import RUNNER, LocalTransport
from perfcast.bench.visits import VisitStore
from perfcast.errors import BenchmarkError
from perfcast.progress import quiet
from perfcast.storage import ABANDONED_AFTER_S
from tests.unit.campaigns import dummy_exports, idle_campaign, measure, plan_of
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

VISITS = 3


@pytest.fixture
def exports(tmp_path):
    return dummy_exports(tmp_path)


@pytest.fixture
def campaign(tmp_path, root):
    return idle_campaign(tmp_path, root, Protocol("published", 600, 60, visits=VISITS))


def lasting(campaign, iterations):
    target = replace(campaign.target, protocol=Protocol("published", iterations, 0))
    return replace(campaign, target=target)


def visits_started(*logs):
    """Return how often each visit of each model was started, as runners say in their logs."""
    return Counter(line for log in logs for line in re.findall(r"^measuring (\w+, visit \d+)$", log, re.MULTILINE))


def test_two_campaigns_at_once_measure_each_model_once(campaign, exports, tmp_path, capsys):
    other = replace(campaign, transport=LocalTransport(tmp_path / "other log"))
    with ThreadPoolExecutor() as pool:
        keys = list(pool.map(lambda each: each.measure(exports, quiet, "measuring"), (campaign, other)))
    assert keys[0] == keys[1]
    started = visits_started((tmp_path / "log").read_text(), (tmp_path / "other log").read_text())
    assert started == Counter({f"{key}, visit {n}": 1 for key in keys[0] for n in range(VISITS)})
    assert "one process at a time may be measuring on " in capsys.readouterr().err


def test_killed_runner_is_one_line_and_loses_no_finished_visit(campaign, exports, tmp_path, monkeypatch):
    put, stored = VisitStore.put, []

    def put_and_kill(self, key, visits):
        put(self, key, visits)
        stored.append((key, visits))
        if len(stored) == 4:
            runner = next(p for p in psutil.Process().children() if "--wait" in p.cmdline())
            runner.send_signal(signal.SIGKILL)

    monkeypatch.setattr(VisitStore, "put", put_and_kill)
    with pytest.raises(BenchmarkError, match=r"^the runner was killed by signal 9; run again to go on$"):
        measure(campaign, exports)
    kept = dict(stored)
    records = {record["key"]: record for record in measure(campaign, exports)}
    for key, visits in kept.items():
        assert records[key]["visits"][: len(visits.made)] == visits.about()
        assert records[key]["samples"]["wall_ns"][: 200 * len(visits.made)] == visits.samples()["wall_ns"]
    started = visits_started((tmp_path / "log").read_text())
    assert started.keys() == {f"{key}, visit {n}" for key in records for n in range(VISITS)}
    assert started.total() <= 3 * VISITS + 1  # The one in flight.


def test_failing_campaign_lets_its_runner_restore_settings(campaign, exports, tmp_path, monkeypatch):
    def fail(self, key, visits):
        raise OSError("no space left")

    monkeypatch.setattr(VisitStore, "put", fail)
    with pytest.raises(OSError, match="no space left"):
        measure(campaign, exports)
    assert (tmp_path / "log").read_text().splitlines()[-1] == "ended by signal 15"


def test_files_of_killed_writers_are_ignored_and_expire(campaign, exports, tmp_path):
    left = []
    for name in ("measurements/.abc.json.x1.json", "visits/.abc.json.x4.json", "exports/.abc.json.x2.json",
                 "artifacts/abc/.model.json.x3.json"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'{"half')
        left.append(path)
    records = measure(campaign, exports)
    assert len(records) == 3
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (time.time() - ABANDONED_AFTER_S - 60,) * 2)
    campaign.measurements.sweep()
    campaign.artifacts.sweep()
    assert not any(path.exists() for path in left)
    assert measure(campaign, exports) == records
    assert all(campaign.artifacts.descriptor(export.artifact) for export in exports)


WITHOUT_THE_KERNELS_HELP = """
import ctypes, runpy, sys
del ctypes.CDLL
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def test_runner_ends_with_its_parent_without_prctl(campaign, exports, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan_of(lasting(campaign, 10**8), exports[:1])))
    command = [sys.executable, "-c", WITHOUT_THE_KERNELS_HELP, str(RUNNER), "--die-with-parent", str(path)]
    starter = f"import subprocess; subprocess.run({command!r})"
    stage = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.DEVNULL)

    def working():
        family = psutil.Process(stage.pid).children(recursive=True)
        return family if len(family) == 2 and family[1].cpu_times().user > 0.3 else None

    family = eventually(working)
    stage.kill()
    stage.wait()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert alive == []


def test_worker_started_after_its_stage_was_killed_ends():
    code = "import os, time; from perfcast.workers import end_with; end_with(os.getpid() + 1); time.sleep(60)"
    worker = subprocess.run([sys.executable, "-c", code], timeout=20, check=False)
    assert worker.returncode == 1


def budgeted(campaign, seconds, visits=6):
    target = replace(campaign.target, protocol=Protocol("published", 60 * visits, 6 * visits, visits=visits))
    return replace(campaign, target=target, budget_s=seconds)


def test_budget_gives_a_number_per_model_and_can_continue(campaign, exports, tmp_path, capsys):
    first = measure(budgeted(campaign, 0), exports)
    assert [(record["stopped_by"], len(record["visits"])) for record in first] == [("budget", 1)] * len(exports)
    assert (
        f"{len(exports)} of {len(exports)} measurements are complete; run again to continue" in capsys.readouterr().err
    )
    again = measure(budgeted(campaign, 0), exports)
    assert again == first
    whole = measure(budgeted(campaign, None), exports)
    for before, after in zip(first, whole, strict=True):
        assert (after["key"], after["stopped_by"], len(after["visits"])) == (before["key"], None, 6)
        assert after["visits"][:1] == before["visits"]
        assert after["samples"]["wall_ns"][:60] == before["samples"]["wall_ns"]
    started = visits_started((tmp_path / "log").read_text())
    assert started == Counter({f"{record['key']}, visit {n}": 1 for record in first for n in range(6)})


def test_repetitions_wait_under_a_budget(campaign, exports):
    repeated = replace(campaign, target=replace(campaign.target, replicates=Replicates(1.0, 1)))
    keys = budgeted(repeated, 0).measure(exports, quiet, "")
    manifest = campaign.measurements.manifest(keys)
    assert (manifest["measurements"], manifest["complete"]) == (keys[: len(exports)], False)
    promised = replace(budgeted(repeated, 0), urgent_replicate=1).measure(exports, quiet, "")
    assert campaign.measurements.manifest(promised)["measurements"] == promised == keys
    assert not campaign.measurements.manifest(keys)["complete"]
    whole = budgeted(repeated, None).measure(exports, quiet, "")
    assert campaign.measurements.manifest(whole)["complete"]


def test_sufficient_budget_completes_the_protocol(campaign, exports):
    records = measure(budgeted(campaign, 600), exports)
    assert [(record["stopped_by"], len(record["visits"])) for record in records] == [(None, 6)] * len(exports)
    assert not campaign.measurements.visits.all()


def test_a_kill_within_a_budget_loses_no_visit(campaign, exports, tmp_path, monkeypatch):
    put, stored = VisitStore.put, []

    def put_and_kill(self, key, visits):
        put(self, key, visits)
        stored.append((key, visits))
        if len(stored) == len(exports) + 2:
            runner = next(p for p in psutil.Process().children() if "--wait" in p.cmdline())
            runner.send_signal(signal.SIGKILL)

    monkeypatch.setattr(VisitStore, "put", put_and_kill)
    with pytest.raises(BenchmarkError, match="killed by signal 9"):
        measure(budgeted(campaign, 600), exports)
    answered = [campaign.measurements.measurement(key) for key in dict(stored)]
    assert [record["stopped_by"] for record in answered] == ["budget"] * len(exports)
    kept = {key: visits.made for key, visits in stored}
    for record in measure(budgeted(campaign, None), exports):
        made = kept[record["key"]]
        assert record["samples"]["wall_ns"][: 60 * len(made)] == [
            wall for visit in made for wall in visit["samples"]["wall_ns"]
        ]
        assert len(record["visits"]) == 6
