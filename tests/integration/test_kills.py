"""SIGKILL at any moment: the next run goes on by itself, loses at most the model in flight, measures nothing twice."""

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

from tests.integration.small_campaign import SmallCampaign

SEED = 20
ITERATIONS = 10_000
ATTEMPTS = 5
SCRIPTS = {"stage": ".snakemake/scripts/", "runner": "/board"}

KILLS = [
    # Whose death, in which stage, and how many seconds into it at most.
    ("snakemake", None, 2.0),
    ("snakemake", "collect_models", 0.5),
    ("everything", "export_shard", 5.0),
    ("stage", "export_shard", 3.0),
    ("runner", "benchmark_shard", 0.6),
    ("snakemake", "benchmark_shard", 0.6),
    ("stage", "benchmark_shard", 0.6),
    ("snakemake and runner", "benchmark_shard", 0.6),
    ("everything", "benchmark_shard", 0.6),
    ("snakemake", "extract_features", 1.5),
    ("snakemake", "build_dataset", 1.0),
    ("stage", "fit_predictor", 6.0),
    ("snakemake", "fit_predictor", 6.0),
    ("everything", "render_report", 1.0),
]


@dataclass
class Kills:
    """A campaign under fire: which measurements were started, and which are stored."""

    campaign: SmallCampaign
    moments: random.Random
    starts: Counter = field(default_factory=Counter)
    stored: dict = field(default_factory=dict)
    table: list = field(default_factory=list)

    def kill(self, victim, stage, within_s):
        """Kill the victim at a random moment of a stage; where it had ended by then, Snakemake, and try again."""
        for attempt in range(ATTEMPTS):
            if self.strike(victim, stage, within_s / 2**attempt):
                return
        raise AssertionError(f"{stage} never lasted until its moment")

    def strike(self, victim, stage, within_s):
        """Run until a random moment of a stage, kill, see all processes end; say if the victim was among them."""
        # A quick machine may be done with a stage already; measuring is never forced.
        process = self.campaign.start(*(["--forcerun", stage] if stage not in (None, "benchmark_shard") else []))
        main = psutil.Process(process.pid)
        try:
            if stage:
                eventually(lambda: is_at(main, stage))
            delay = self.moments.uniform(0, within_s)
            time.sleep(delay)
            found = victims(victim, main)
            targets = found or [main]
            family = [main, *main.children(recursive=True)]
            for target in targets:
                with contextlib.suppress(psutil.NoSuchProcess):
                    target.kill()
            assert process.wait(timeout=60) == (-9 if main in targets else 1)
        finally:
            process.kill()
            process.wait()
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []
        assert "Traceback" not in (self.campaign.folder / "said").read_text()
        self.look()
        who = victim if found else f"snakemake ({victim} had ended)"
        self.table.append((who, stage or "before the first", delay, len(self.stored), self.starts.total()))
        return bool(found)

    def look(self):
        """Count what was started and is stored since; what was stored before is as it was."""
        for log in (self.campaign.folder / "results/quick/logs/benchmark").glob("*.log"):
            self.starts.update(re.findall(r"^measuring (\w+)$", log.read_text(), re.MULTILINE))
            log.write_text("")
        now = self.campaign.records()
        assert {key: now.get(key) for key in self.stored} == self.stored
        self.stored = now


def eventually(find, within_s=60.0):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            if found := find():
                return found
        time.sleep(0.02)
    raise AssertionError("it never came to that")


def is_at(main, stage):
    """Say whether a stage runs; of a benchmark, whether it measures."""
    sign = "plan.json" if stage == "benchmark_shard" else f"{stage}.py"
    return any(sign in " ".join(process.cmdline()) for process in main.children(recursive=True))


def victims(victim, main):
    """Return the processes to kill, the eldest first; none while there is no such process."""
    if victim == "snakemake":
        return [main]
    family = main.children(recursive=True)
    if victim == "everything":
        return [main, *family]
    kind = victim.removeprefix("snakemake and ")
    found = [process for process in family if SCRIPTS[kind] in " ".join(process.cmdline()[1:2])][:1]
    return [main, *found] if found and kind != victim else found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, root):
    campaign = SmallCampaign(tmp_path_factory.mktemp("undisturbed"), root)
    campaign.prepare(ITERATIONS, share=1.0)
    campaign.edit("config/targets/quick.yaml", "count: 1", "count: 2")
    answer = campaign.run("results/quick/dataset.parquet")
    assert answer.code == 0, answer.said
    return campaign


@pytest.fixture(scope="module")
def killed(tmp_path_factory, root):
    """A campaign after all the kills and a last run, which was left in peace."""
    campaign = SmallCampaign(tmp_path_factory.mktemp("killed"), root)
    campaign.prepare(ITERATIONS, share=1.0)
    campaign.edit("config/targets/quick.yaml", "count: 1", "count: 2")
    kills = Kills(campaign, random.Random(SEED))
    for victim, stage, within_s in KILLS:
        kills.kill(victim, stage, within_s)
    answer = campaign.run()
    assert answer.code == 0, answer.said
    kills.look()
    return kills


def test_after_the_kills_everything_is_measured_and_nothing_twice(killed, undisturbed, capsys):
    lines = ["", f"{'killed':22} {'in stage':18} {'after':>7} {'stored':>8} {'started':>8}"]
    for victim, stage, delay, stored, started in killed.table:
        lines.append(f"{victim:22} {stage:18} {delay:5.2f} s {stored:8} {started:8}")
    lines.append(f"{'nothing':22} {'last run':18} {'':7} {len(killed.stored):8} {killed.starts.total():8}\n")
    with capsys.disabled():
        sys.stdout.write("\n".join(lines))
    assert len(killed.table) >= 10
    assert killed.stored.keys() == undisturbed.records().keys() == killed.starts.keys()
    verdicts = Counter(pd.read_parquet(killed.campaign.folder / "results/quick/dataset.parquet")["verdict"])
    assert verdicts == {"measured": len(killed.stored)}


def test_a_kill_loses_at_most_the_model_in_flight(killed):
    started = stored = 0
    for _, _, _, stored_now, started_now in killed.table:
        assert started_now - started <= stored_now - stored + 1
        started, stored = started_now, stored_now
    assert killed.starts.total() - started == len(killed.stored) - stored


def test_the_outcome_is_that_of_an_undisturbed_run(killed, undisturbed):
    for name in ("results/models.csv", "results/features.parquet"):
        assert (killed.campaign.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    columns = ["model", "artifact", "measurement", "replicate", "verdict"]
    tables = [pd.read_parquet(each.folder / "results/quick/dataset.parquet") for each in (killed.campaign, undisturbed)]
    pd.testing.assert_frame_equal(tables[0][columns], tables[1][columns])
    folder = killed.campaign.folder / "results/quick"
    assert json.loads((folder / "predictor/manifest.json").read_text())["metrics"].keys() == {"latency_ms", "ram_mb"}
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
