"""SIGKILL at any moment: the next run goes on by itself, loses at most the visit in flight, measures nothing twice."""

import contextlib
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd
import psutil
import pytest

from tests.system.small_campaign import DATASET, UNDISTURBED, VISITS, SmallCampaign
from tests.waiting import eventually

SEED = 20
ATTEMPTS = 5
SCRIPTS = {"stage": ".snakemake/scripts/", "runner": "/perfcast/runner"}

# A worker of joblib's that was just starting as its stage was killed says so itself.
TRACEBACK = re.compile(r"^Traceback .*\n(?!.*/joblib/)", re.MULTILINE)

# Who is killed one after the other, in which stage, and how many seconds into it, or after the last one, at most.
# A child's death does not end the run: another follows.
FEW_KILLS = [
    (("everything",), "export_shard", 5.0),
    (("child", "runner"), "measuring", 0.5),
    (("snakemake",), "measuring", 0.5),
]
ALL_KILLS = [
    (("snakemake",), None, 2.0),
    (("snakemake",), "collect_models", 0.5),
    (("everything",), "export_shard", 5.0),
    (("stage",), "export_shard", 3.0),
    (("runner",), "benchmark_shard", 2.0),
    (("child", "child", "runner"), "measuring", 0.5),
    (("child", "snakemake"), "measuring", 0.5),
    (("child", "stage"), "measuring", 0.5),
    (("snakemake and runner",), "measuring", 0.5),
    (("child", "child", "everything"), "measuring", 0.5),
    (("runner",), "measuring", 0.5),
    (("snakemake",), "extract_features", 1.5),
    (("snakemake",), "build_dataset", 1.0),
    (("stage",), "fit_predictor", 6.0),
    (("everything",), "render_report", 1.0),
]


@dataclass
class Kills:
    """A campaign under fire: which visits were started, and what is stored."""

    campaign: SmallCampaign
    moments: random.Random
    starts: Counter = field(default_factory=Counter)
    visits: dict = field(default_factory=dict)
    measured: dict = field(default_factory=dict)
    table: list = field(default_factory=list)

    def kill(self, who, stage, within_s):
        """Kill all of them at random moments of a stage; where one had ended by then, Snakemake, and try again."""
        for attempt in range(ATTEMPTS):
            if self.strike(who, stage, within_s / 2**attempt):
                return
        raise AssertionError(f"{stage} never lasted until its moment")

    def strike(self, who, stage, within_s):
        """Run until random moments of a stage, kill, see all processes end; say if all who were meant were killed."""
        # A quick machine may be done with a stage already; measuring is never forced.
        process = self.campaign.start(*(["--forcerun", stage] if stage not in (None, *MEASURING) else []))
        main, family, killed, moments = psutil.Process(process.pid), set(), [], []
        try:
            if stage:
                eventually(lambda: self.is_at(main, stage), said=self.campaign.said.read_text)
            for victim in who:
                moments.append(self.moments.uniform(0, within_s))
                time.sleep(moments[-1])
                found = victims(victim, main)
                family |= {main, *descendants(main)}
                for target in found or [main]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        target.kill()
                killed.append(victim if found else f"snakemake ({victim} had ended)")
                if not found:
                    break
            assert process.wait(timeout=180) == (-9 if main in (found or [main]) else 1)
        finally:
            process.kill()
            process.wait()
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []
        assert not TRACEBACK.search(self.campaign.said.read_text())
        started, stored = self.look()
        assert started - stored <= len(killed)
        rows = [(name, stage or "before the first", moment) for name, moment in zip(killed, moments, strict=True)]
        self.table += [(*row, started, stored) if row is rows[-1] else (*row, "", "") for row in rows]
        return bool(found)

    def is_at(self, main, stage):
        """Say whether a stage runs; of a benchmark, whether the runner does, or measures already."""
        if stage == "measuring":
            return any("\nmeasuring " in f"\n{log.read_text()}" for log in self.logs())
        sign = "--wait" if stage == "benchmark_shard" else f"{stage}.py"
        return any(sign in " ".join(words) for _, words in commands(main))

    def logs(self):
        return sorted((self.campaign.folder / "results/quick/logs/benchmark").glob("*.log"))

    def look(self):
        """Return how many visits were started, and are stored, since; see that what was stored before is as it was."""
        started = Counter()
        for log in self.logs():
            started.update(re.findall(r"^measuring (\w+), visit (\d+)$", log.read_text(), re.MULTILINE))
            log.write_text("")
        # Where a kill came after a model's last visit, its memory is found out by one more, which is not kept.
        started = Counter({(key, int(visit)): n for (key, visit), n in started.items() if int(visit) < VISITS})
        assert not started.keys() & {(key, visit) for key, made in self.visits.items() for visit in range(len(made))}
        visits, measured = self.campaign.visits(), self.campaign.records("measured")
        assert {key: visits[key][: len(made)] for key, made in self.visits.items()} == self.visits
        assert {key: measured.get(key) for key in self.measured} == self.measured
        stored = count(visits) - count(self.visits)
        self.starts, self.visits, self.measured = self.starts + started, visits, measured
        return started.total(), stored


MEASURING = ("benchmark_shard", "measuring")


def count(visits):
    return sum(map(len, visits.values()))


def descendants(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def commands(main):
    """Return the processes that a run started, each with its command line; those that have just ended left out."""
    found = []
    for process in descendants(main):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append((process, process.cmdline()))
    return found


def victims(victim, main):
    """Return the processes to kill, the eldest first; none while there is no such process."""
    if victim == "snakemake":
        return [main]
    if victim == "everything":
        return [main, *descendants(main)]
    kind = "runner" if victim == "child" else victim.removeprefix("snakemake and ")
    found = [process for process, words in commands(main) if SCRIPTS[kind] in " ".join(words[1:2])]
    if victim == "child":  # The forked ones bear their parent's command line.
        return found[-1:] if len(found) > 1 else []
    return [main, *found[:1]] if found and kind != victim else found[:1]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((FEW_KILLS, DATASET), id="a few kills"),
        pytest.param((ALL_KILLS, "all"), id="a kill in each stage", marks=pytest.mark.slow),
    ],
)
def killed(request, tmp_path_factory, root):
    """A campaign after all the kills and a last run, which was left in peace, and went on after crashed children."""
    plan, goal = request.param
    campaign = SmallCampaign(tmp_path_factory.mktemp("killed"), root)
    campaign.prepare(**UNDISTURBED)
    kills = Kills(campaign, random.Random(SEED))
    for who, stage, within_s in plan:
        kills.kill(who, stage, within_s)
    answer = campaign.run("--forcerun", "benchmark_shard", "--", goal)
    assert answer.code == 0, answer.said
    assert campaign.run("--", goal).said.count("Nothing to be done") == 1
    started, stored = kills.look()
    kills.table.append(("nothing", "last run", 0.0, started, stored))
    return kills


def test_after_kills_everything_is_measured_once(killed, finished, capsys):
    lines = ["", f"{'killed':30} {'in stage':18} {'after':>7} {'visits started':>15} {'stored':>8}"]
    for victim, stage, delay, started, stored in killed.table:
        lines.append(f"{victim:30} {stage:18} {delay:5.2f} s {started:15} {stored:8}")
    lines.append(f"{'in all':58} {killed.starts.total():12} {count(killed.visits):8}\n")
    with capsys.disabled():
        sys.stdout.write("\n".join(lines))
    assert killed.measured.keys() == finished.records().keys()
    assert {len(made) for made in killed.visits.values()} == {VISITS}
    assert killed.starts.keys() == {(key, visit) for key in killed.measured for visit in range(VISITS)}
    assert not list((killed.campaign.folder / "results/store/visits").glob("[!.]*"))
    statuses = Counter(pd.read_parquet(killed.campaign.folder / "results/quick/dataset.parquet")["status"])
    assert statuses == {"measured": len(killed.measured)}


def test_last_run_loses_nothing(killed):
    _, _, _, started, stored = killed.table[-1]
    assert started == stored


def test_outcome_after_kills_equals_undisturbed_run(killed, finished):
    for name in ("results/models.csv", "results/features.parquet"):
        assert (killed.campaign.folder / name).read_bytes() == (finished.folder / name).read_bytes()
    columns = ["model", "artifact", "measurement", "replicate", "status"]
    tables = [pd.read_parquet(each.folder / DATASET)[columns] for each in (killed.campaign, finished)]
    pd.testing.assert_frame_equal(*tables)
    assert not list((killed.campaign.folder / "results").rglob(".new-*"))


FOREIGN = """
rule all:
    output:
        "foreign.txt",
    shell:
        "sleep 60; touch {output}"
"""


@pytest.fixture
def begun(tmp_path, root):
    """A campaign in which nothing has been done yet."""
    campaign = SmallCampaign(tmp_path, root)
    campaign.prepare()
    return campaign


@pytest.fixture
def foreign(begun):
    """Another workflow at work in the same folder."""
    (begun.folder / "Foreign").write_text(FOREIGN)
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Foreign", "--cores", "1"]
    process = psutil.Popen(command, cwd=begun.folder, stderr=subprocess.DEVNULL)
    eventually((begun.folder / ".snakemake/locks/0.output.lock").exists)
    yield process
    for each in (process, *process.children(recursive=True)):
        each.kill()
    process.wait()


def record(begun):
    """Return what the guard wrote of the run that has the folder."""
    path = begun.folder / ".snakemake/perfcast.json"
    return json.loads(path.read_text()) if path.exists() else {}


def locks(begun):
    return {path: path.stat().st_ino for path in (begun.folder / ".snakemake/locks").iterdir()}


def killed_run(begun):
    """Kill a run once it has Snakemake's locks."""
    with begun.start() as process:
        eventually(lambda: record(begun).get("own"))
        process.kill()


def test_live_run_keeps_its_locks(begun):
    with begun.start() as first:
        eventually(lambda: record(begun).get("own"))
        held = locks(begun)
        second = begun.run()
        assert second.code == 2
        line = f"error: another perfcast run (pid {first.pid} on {record(begun)['host']}, since "
        assert line in second.said
        assert "Traceback" not in second.said
        assert begun.run("--dry-run").code == 0
        assert locks(begun) == held
        assert first.poll() is None
        first.kill()


def test_lock_of_another_live_workflow_is_kept(begun, foreign):
    theirs = locks(begun)
    assert theirs
    killed_run(begun)
    dead = locks(begun).keys() - theirs.keys()
    assert dead
    with begun.start() as process:
        mine = eventually(lambda: record(begun).get("pid") == process.pid and record(begun)["own"])
        now = locks(begun)
        assert {path: now.get(path) for path in theirs} == theirs
        assert {path.name for path in now.keys() - theirs.keys()} == mine.keys()
        assert foreign.is_running()
        process.kill()


@pytest.mark.slow
def test_lock_of_unknown_owner_stays_while_a_workflow_runs(begun, foreign):
    """A run that was killed before it could say which locks were its own, while another workflow is at work."""
    killed_run(begun)
    path = begun.folder / ".snakemake/perfcast.json"
    path.write_text(json.dumps(record(begun) | {"before": {}, "own": None}))
    held = locks(begun)
    answer = begun.run()
    assert answer.code == 1
    assert "Directory cannot be locked" in answer.said
    assert held.items() <= locks(begun).items()
    assert foreign.is_running()


def test_run_continues_if_killed_before_locks_were_recorded(begun):
    killed_run(begun)
    path = begun.folder / ".snakemake/perfcast.json"
    path.write_text(json.dumps(record(begun) | {"own": None}))
    assert begun.run("results/manifests/collect/0.json").code == 0
