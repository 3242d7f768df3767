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

from tests.system.small_campaign import SmallCampaign

SEED = 20
VISITS = 3
ITERATIONS = VISITS * 700
ATTEMPTS = 5
SCRIPTS = {"stage": ".snakemake/scripts/", "runner": "/board"}

# A worker of joblib's that was just starting as its stage was killed says so itself.
TRACEBACK = re.compile(r"^Traceback .*\n(?!.*/joblib/)", re.MULTILINE)

KILLS = [
    # Who is killed one after the other, in which stage, and how many seconds into it, or after the last one, at most.
    # A child's death does not end the run: another follows.
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
                eventually(lambda: self.is_at(main, stage), said=(self.campaign.folder / "said").read_text)
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
        assert not TRACEBACK.search((self.campaign.folder / "said").read_text())
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


def eventually(find, within_s=180.0, said=None):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            if found := find():
                return found
        time.sleep(0.02)
    raise AssertionError("it never came to that; " + (said() if said else ""))


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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, root):
    campaign = SmallCampaign(tmp_path_factory.mktemp("undisturbed"), root)
    campaign.prepare(ITERATIONS, VISITS, share=1.0, replicates=2)
    answer = campaign.run("results/quick/dataset.parquet")
    assert answer.code == 0, answer.said
    return campaign


@pytest.fixture(scope="module")
def killed(tmp_path_factory, root):
    """A campaign after all the kills and a last run, which was left in peace, and went on after crashed children."""
    campaign = SmallCampaign(tmp_path_factory.mktemp("killed"), root)
    campaign.prepare(ITERATIONS, VISITS, share=1.0, replicates=2)
    kills = Kills(campaign, random.Random(SEED))
    for who, stage, within_s in KILLS:
        kills.kill(who, stage, within_s)
    answer = campaign.run("--forcerun", "benchmark_shard")
    assert answer.code == 0, answer.said
    started, stored = kills.look()
    kills.table.append(("nothing", "last run", 0.0, started, stored))
    return kills


def test_after_the_kills_everything_is_measured_and_nothing_twice(killed, undisturbed, capsys):
    lines = ["", f"{'killed':30} {'in stage':18} {'after':>7} {'visits started':>15} {'stored':>8}"]
    for victim, stage, delay, started, stored in killed.table:
        lines.append(f"{victim:30} {stage:18} {delay:5.2f} s {started:15} {stored:8}")
    lines.append(f"{'in all':58} {killed.starts.total():12} {count(killed.visits):8}\n")
    with capsys.disabled():
        sys.stdout.write("\n".join(lines))
    assert len(killed.table) > 20
    assert killed.measured.keys() == undisturbed.records().keys()
    assert {len(made) for made in killed.visits.values()} == {VISITS}
    assert killed.starts.keys() == {(key, visit) for key in killed.measured for visit in range(VISITS)}
    assert not list((killed.campaign.folder / "results/store/visits").glob("[!.]*"))
    statuses = Counter(pd.read_parquet(killed.campaign.folder / "results/quick/dataset.parquet")["status"])
    assert statuses == {"measured": len(killed.measured)}


def test_the_last_run_loses_nothing(killed):
    _, _, _, started, stored = killed.table[-1]
    assert started == stored


def test_the_outcome_is_that_of_an_undisturbed_run(killed, undisturbed):
    for name in ("results/models.csv", "results/features.parquet"):
        assert (killed.campaign.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    columns = ["model", "artifact", "measurement", "replicate", "status"]
    tables = [pd.read_parquet(each.folder / "results/quick/dataset.parquet") for each in (killed.campaign, undisturbed)]
    pd.testing.assert_frame_equal(tables[0][columns], tables[1][columns])
    folder = killed.campaign.folder / "results/quick"
    assert json.loads((folder / "predictor/manifest.json").read_text())["parts"][0]["metrics"].keys() == {
        "latency_ms",
        "ram_mb",
    }
    assert (folder / "report.html").stat().st_mtime >= (folder / "predictor/manifest.json").stat().st_mtime
    assert killed.campaign.run().said.count("Nothing to be done") == 1


FOREIGN = """
rule all:
    output:
        "foreign.txt",
    shell:
        "sleep 60; touch {output}"
"""


@pytest.fixture
def campaign(tmp_path, root):
    campaign = SmallCampaign(tmp_path, root)
    campaign.prepare()
    return campaign


@pytest.fixture
def foreign(campaign):
    """Another workflow at work in the same folder."""
    (campaign.folder / "Foreign").write_text(FOREIGN)
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Foreign", "--cores", "1"]
    process = psutil.Popen(command, cwd=campaign.folder, stderr=subprocess.DEVNULL)
    eventually((campaign.folder / ".snakemake/locks/0.output.lock").exists)
    yield process
    for each in (process, *process.children(recursive=True)):
        each.kill()
    process.wait()


def record(campaign):
    """Return what the guard wrote of the run that has the folder."""
    path = campaign.folder / ".snakemake/perfcast.json"
    return json.loads(path.read_text()) if path.exists() else {}


def locks(campaign):
    return {path: path.stat().st_ino for path in (campaign.folder / ".snakemake/locks").iterdir()}


def killed_run(campaign):
    """Kill a run once it has Snakemake's locks."""
    with campaign.start() as process:
        eventually(lambda: record(campaign).get("own"))
        process.kill()


def test_a_live_run_is_never_robbed(campaign):
    with campaign.start() as first:
        eventually(lambda: record(campaign).get("own"))
        held = locks(campaign)
        second = campaign.run()
        assert second.code == 2
        line = f"error: another perfcast run (pid {first.pid} on {record(campaign)['host']}, since "
        assert line in second.said
        assert "Traceback" not in second.said
        assert campaign.run("--dry-run").code == 0
        assert locks(campaign) == held
        assert first.poll() is None
        first.kill()


def test_another_workflows_live_lock_stays_when_a_killed_runs_lock_goes(campaign, foreign):
    theirs = locks(campaign)
    assert theirs
    killed_run(campaign)
    dead = locks(campaign).keys() - theirs.keys()
    assert dead
    with campaign.start() as process:
        mine = eventually(lambda: record(campaign).get("pid") == process.pid and record(campaign)["own"])
        now = locks(campaign)
        assert {path: now.get(path) for path in theirs} == theirs
        assert {path.name for path in now.keys() - theirs.keys()} == mine.keys()
        assert foreign.is_running()
        process.kill()


def test_a_lock_that_may_be_another_workflows_stays(campaign, foreign):
    """A run that was killed before it could say which locks were its own, while another workflow is at work."""
    killed_run(campaign)
    path = campaign.folder / ".snakemake/perfcast.json"
    path.write_text(json.dumps(record(campaign) | {"before": {}, "own": None}))
    held = locks(campaign)
    answer = campaign.run()
    assert answer.code == 1
    assert "Directory cannot be locked" in answer.said
    assert held.items() <= locks(campaign).items()
    assert foreign.is_running()


def test_a_run_goes_on_where_one_was_killed_before_it_could_say_what_was_its_own(campaign):
    killed_run(campaign)
    path = campaign.folder / ".snakemake/perfcast.json"
    path.write_text(json.dumps(record(campaign) | {"own": None}))
    assert campaign.run("results/manifests/collect/0.json").code == 0
