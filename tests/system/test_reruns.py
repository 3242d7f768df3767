"""What a change makes again: exactly the jobs that depend on it, and exactly the models that must be measured."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from perfcast.bench.tasks import shard_of
from tests.system.small_campaign import SmallCampaign

SHARDS = ("0", "1", "2")
DATASET = "results/quick/dataset.parquet"
NEW = "mlp_4_16_32"
REMOVED = "mlp_1_64_64"


@dataclass(frozen=True)
class Change:
    """An edit, the jobs that it asks for, and the models that it has measured.

    Attributes:
        edits: file, old text, new text; files are of the folder, or of the tree where that has them.
        jobs: as in `Answer.jobs`, without `all`.
        measured: `none`, `all`, or the one model.
    """

    name: str
    edits: tuple[tuple[str, str, str], ...]
    jobs: tuple[str, ...]
    measured: str = "none"


def of_shards(rule: str, *shards: str) -> tuple[str, ...]:
    return tuple(f"{rule} {shard}" for shard in shards or SHARDS)


def of_models(*models: str) -> tuple[str, ...]:
    """Return the jobs of these models' shards, and of all that joins shards."""
    shards = {str(shard_of(model, len(SHARDS))) for model in models}
    jobs = [job for rule in ("collect_models", "export_shard", "benchmark_shard") for job in of_shards(rule, *shards)]
    return (*jobs, *TABLES, *LEARNING)


TABLES = ("list_models", "extract_features")
FIT = ("fit_predictor", "render_report")
LEARNING = ("build_dataset", *FIT)
MEASURING = (*of_shards("benchmark_shard"), *LEARNING)
REPORT = "perfcast/studies/prediction"
TARGET = "config/targets/quick.yaml"

CHANGES = [
    Change("nothing", (), ()),
    Change("a model added", (("sheet.csv", "dense,mlp,32,layers=3;units=16\n",
                              "dense,mlp,32,layers=3;units=16\ndense,mlp,32,layers=4;units=16\n"),),
           of_models(NEW), NEW),
    Change("a model removed", (("sheet.csv", "dense,mlp,64,layers=1;units=64\n", ""),), of_models(REMOVED)),
    Change("a model changed", (("sheet.csv", "dense,mlp,64,layers=1;units=64", "dense,mlp,32,layers=4;units=16"),),
           of_models(REMOVED, NEW), NEW),
    Change("models in another order", (("sheet.csv", "dense,mlp,32,layers=1;units=64\ndense,mlp,64,layers=1;units=64\n",
                                        "dense,mlp,64,layers=1;units=64\ndense,mlp,32,layers=1;units=64\n"),),
           ()),
    Change("more iterations", ((TARGET, "iterations: 12", "iterations: 14"),), MEASURING, "all"),
    Change("fewer visits", ((TARGET, "visits: 2", "visits: 1"),), MEASURING, "all"),
    Change("a default written out", ((TARGET, "visits: 2", "visits: 2\n  repeats: 0"),), ()),
    Change("a time under load", ((TARGET, "soak_s: null", "soak_s: 0.1"),), MEASURING, "all"),
    Change("another number of threads", ((TARGET, "threads: null", "threads: 1"),), MEASURING, "all"),
    Change("a longer time limit", ((TARGET, "time_limit_s: 600", "time_limit_s: 601"),), MEASURING),
    Change("a target's description", ((TARGET, "description: this", "description: another"),), ()),
    Change("a target's metrics", ((TARGET, "column: ram_run_peak_mb", "column: ram_load_peak_mb"),), FIT),
    Change("a fit option", (("config.yaml", "splits: 1", "splits: 2"),), FIT),
    Change("the report's code", ((f"{REPORT}/facts.py", "_DIGEST = 12", "_DIGEST = 11"),), ("render_report",)),
    Change("the fit's code", (("perfcast/fit/tasks.py", "limits=1", "limits=2"),), FIT),
    Change("the dataset's code", (("perfcast/dataset/rows.py", "import annotations\n",
                                   "import annotations\n\nX = 1\n"),),
           LEARNING),
    Change("the features' code", (("perfcast/features/table.py", "import annotations\n",
                                   "import annotations\n\nX = 1\n"),), ("extract_features", *LEARNING)),
    Change("the measuring's code", (("perfcast/bench/campaign.py", "import annotations\n",
                                     "import annotations\n\nX = 1\n"),), MEASURING),
    Change("the export's code", (("perfcast/export/graph.py", "import annotations\n",
                                  "import annotations\n\nX = 1\n"),),
           (*of_shards("export_shard"), *TABLES, *MEASURING)),
    Change("a comment in the runner", (("perfcast/runner/command.py", "\nimport argparse",
                                        "\n# All.\nimport argparse"),), ()),
    Change("the runner's code", (("perfcast/runner/rounds.py", "MOST_OPEN = 16",
                                  "MOST_OPEN = 15"),), MEASURING),
    Change("the protocol's version", (("perfcast/bench/target.py", "    VERSION = 3", "    VERSION = 4"),),
           MEASURING, "all"),
]  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory, root):
    """A copy of the project to edit."""
    copy = tmp_path_factory.mktemp("tree") / "perfcast"
    ignored = shutil.ignore_patterns(".*", "results", "tests", "docs", "__pycache__")
    return Path(shutil.copytree(root, copy, ignore=ignored))


@pytest.fixture(scope="module")
def done(tmp_path_factory, tree):
    """A campaign that ran to its end."""
    campaign = SmallCampaign(tmp_path_factory.mktemp("done"), tree)
    campaign.prepare()
    answer = campaign.run()
    assert answer.code == 0, answer.said
    return campaign


@pytest.fixture
def campaign(done, tmp_path):
    """That campaign once more, to go on with."""
    return replace(done, folder=Path(shutil.copytree(done.folder, tmp_path / "campaign")))


@pytest.fixture
def edit(campaign):
    """Return what edits a file of the folder or the tree; the tree is as it was afterwards."""
    kept = []

    def change(name, old, new):
        path = campaign.tree / name
        if (campaign.folder / name).exists():
            campaign.edit(name, old, new)
            return
        kept.append((path, path.read_bytes(), path.stat()))
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))

    yield change
    for path, content, status in kept:
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_reruns_what_depends_on_it(campaign, edit, change):
    before = campaign.records()
    for arguments in change.edits:
        edit(*arguments)
    planned = campaign.run("--dry-run")
    assert planned.code == 0, planned.said
    assert planned.jobs == sorted((*change.jobs, "all") if change.jobs else ())
    to_run = sorted(set(change.jobs) - set(FIT))
    if to_run:
        ran = campaign.run(DATASET)
        assert ran.code == 0, ran.said
        assert ran.jobs == to_run
    after = campaign.records()
    assert {key: after.get(key) for key in before} == before
    measured = {campaign.model_of(key) for key in after.keys() - before.keys()}
    listed = set(pd.read_csv(campaign.folder / "results/models.csv")["model"])
    assert measured == {"none": set(), "all": listed}.get(change.measured, {change.measured})
    if to_run:
        assert set(pd.read_parquet(campaign.folder / DATASET)["model"]) == listed


def test_what_was_changed_is_done_once(campaign):
    campaign.edit("config.yaml", "splits: 1", "splits: 2")
    assert campaign.run().jobs == sorted((*FIT, "all"))
    summary = (campaign.folder / "results/quick/evaluation/summary.json").read_text()
    assert '"splits": 2' in summary
    assert campaign.run("--dry-run").jobs == []


def test_a_fit_that_fails_leaves_the_predictor_of_before_and_is_made_again(campaign):
    folder = campaign.folder / "results/quick"
    before = {path: path.read_bytes() for name in ("predictor", "evaluation") for path in (folder / name).iterdir()}
    sound = (folder / "dataset.parquet").read_bytes()
    campaign.edit("config.yaml", "splits: 1", "splits: 3")
    (folder / "dataset.parquet").write_bytes(b"no table")
    assert campaign.run("results/quick/manifests/fit.json").code == 1
    assert {path: path.read_bytes() for path in before} == before
    (folder / "dataset.parquet").write_bytes(sound)
    assert "fit_predictor" in campaign.run().jobs
    assert '"splits": 3' in (folder / "evaluation/summary.json").read_text()
    assert campaign.run("--dry-run").jobs == []
