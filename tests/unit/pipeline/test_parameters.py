"""Which jobs' parameters an edit changes: exactly those of the jobs that depend on it."""

import os
import shutil
from pathlib import Path

import pytest

from perfcast.bench.tasks import shard_of
from perfcast.pipeline.shards import per_shard
from tests.changed_jobs import changed, jobs_of
from tests.system.small_campaign import SHARDS, SmallCampaign

TARGET = "config/targets/quick.yaml"
CODE, COMMENT = "\nSOMETHING_NEW = 1\n", "\n# Something new.\n"

# The shards of the small campaign's random CNNs.
SYNTHETIC = {
    shard_of(f"basic_model_{name}", len(SHARDS))
    for name in ("1_3_8_2_32", "1_3_16_2_64", "2_3_8_1_32", "2_3_4_1_64", "3_1_8_1_32")
}


def shards(rule, numbers=SHARDS):
    return {f"{rule} {number}" for number in numbers}


def of_model(*models):
    numbers = {shard_of(model, len(SHARDS)) for model in models}
    return set().union(*(shards(rule, numbers) for rule in ("collect_models", "export_shard", "benchmark_shard")))


EXPORT, BENCHMARK = shards("export_shard"), shards("benchmark_shard")
MEASURING = {*BENCHMARK, "check_target"}
FIT, REPORT, DATASET = {"fit_predictor"}, {"render_report"}, {"build_dataset"}
FEATURES, TABLES = {"extract_features"}, {"list_models"}
STORE = BENCHMARK | TABLES | DATASET | REPORT
MLPS = "dense,mlp,32,layers=1;units=64\n", "dense,mlp,64,layers=1;units=64\n"
LAST = "dense,mlp,32,layers=3;units=16\n"
ADDED = "dense,mlp,32,layers=4;units=16\n"

OPTIONS = {
    "nothing": (TARGET, "visits: 2", "visits: 2", set()),
    "a factor": (TARGET, "threads: null", "threads: 1", MEASURING),
    "a workload with its own program": (TARGET, "workload: inference", "workload: training_step", EXPORT | MEASURING),
    "more iterations": (TARGET, "iterations: 12", "iterations: 14", MEASURING),
    "a time under load": (TARGET, "soak_s: null", "soak_s: 0.1", MEASURING),
    "a longer time limit": (TARGET, "time_limit_s: 600", "time_limit_s: 601", MEASURING),
    "a setting of the device": (TARGET, "settings: {}", "settings: {governor: performance}", MEASURING),
    "models measured again": (TARGET, "share: 0.5", "share: 0.6", MEASURING),
    "a default written out": (TARGET, "visits: 2", "visits: 2\n  repeats: 0", set()),
    "a description": (TARGET, "description: this", "description: another", set()),
    "the device's memory": (TARGET, "kind: cpu", "kind: cpu\n  memory_mb: 4000", set()),
    "a metric": (TARGET, "column: ram_run_peak_mb", "column: ram_load_peak_mb", FIT),
    "a fit option": ("config.yaml", "splits: 1", "splits: 2", FIT),
    "a fit option's default": ("config.yaml", "splits: 1", "splits: 1\n  seed: 0", set()),
    "the store": ("config.yaml", "target: quick", "target: quick\nstore: elsewhere", STORE),
    "the store's default": ("config.yaml", "target: quick", "target: quick\nstore: results/store", set()),
    "a model added": ("sheet.csv", LAST, LAST + ADDED, of_model("mlp_4_16_32")),
    "a model removed": ("sheet.csv", MLPS[1], "", of_model("mlp_1_64_64")),
    "models in another order": ("sheet.csv", MLPS[0] + MLPS[1], MLPS[1] + MLPS[0], set()),
}  # fmt: skip

MODULES = {
    "perfcast/models/synthetic.py": shards("export_shard", SYNTHETIC),
    "perfcast/models/keras_applications.py": set(),
    "perfcast/models/external/reading.py": set(),
    "perfcast/formats/tflite_graph/reader.py": set(),
    "perfcast/export/graph.py": EXPORT,
    "perfcast/network/macs.py": EXPORT | FEATURES | DATASET | FIT | REPORT,
    "perfcast/features/table.py": FEATURES,
    "perfcast/bench/campaign.py": BENCHMARK,
    "perfcast/runner/rounds.py": BENCHMARK,
    "perfcast/runner/toolchains/tensorflow.py": BENCHMARK | DATASET | FIT | REPORT,
    "perfcast/checksummed.py": {"list_models"} | EXPORT | BENCHMARK | DATASET | REPORT,
    "perfcast/dataset/rows.py": DATASET,
    "perfcast/stability/warmup.py": DATASET | FIT | REPORT,
    "perfcast/fit/tasks.py": FIT,
    "perfcast/studies/prediction/facts.py": REPORT,
    "perfcast/pages/tables.py": REPORT,
    "perfcast/studies/comparison/changes.py": set(),
    "perfcast/studies/registry.py": set(),
    "perfcast/storage.py": EXPORT | BENCHMARK | FEATURES | TABLES | DATASET | FIT | REPORT,
    "perfcast/progress.py": set(),
    "perfcast/pipeline/stage.py": set(),
    "perfcast/pipeline/parameters.py": set(),
    "perfcast/cli/predict.py": set(),
    "perfcast/tables/mapping.py": set(),
    "workflow/scripts/build_dataset.py": DATASET,
}

DATA = {
    "perfcast/studies/prediction/templates/prediction.js": REPORT,
    "perfcast/pages/templates/page.css": REPORT,
    "perfcast/schemas/model.schema.json": EXPORT,
    "perfcast/schemas/predictor.schema.json": FIT,
    "perfcast/schemas/target.schema.yaml": set(),
    "perfcast/fit/.rows.py.swp": set(),
    "perfcast/fit/notes.txt": FIT | REPORT,
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory, root):
    """A copy of the project to edit."""
    copy = tmp_path_factory.mktemp("tree")
    for part in ("config", "envs", "perfcast", "workflow"):
        shutil.copytree(root / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "*.npz", "*.parquet"))
    return copy


@pytest.fixture
def campaign(tmp_path, tree, monkeypatch):
    monkeypatch.chdir(tmp_path)
    campaign = SmallCampaign(tmp_path, tree)
    campaign.prepare()
    return campaign


@pytest.fixture
def append(tree):
    """Return what appends to a file of the tree, which is as it was afterwards."""
    kept = []

    def append(name, text):
        path = tree / name
        kept.append((path, path.read_bytes() if path.exists() else None))
        with path.open("a") as file:
            file.write(text)

    yield append
    for path, content in kept:
        path.unlink() if content is None else path.write_bytes(content)


def jobs(campaign):
    return jobs_of(Path("config.yaml"), campaign.tree)


@pytest.mark.parametrize("edit", OPTIONS)
def test_option_changes_parameters_of_dependent_rules(campaign, edit):
    file, old, new, expected = OPTIONS[edit]
    before = jobs(campaign)
    campaign.edit(file, old, new)
    assert changed(before, jobs(campaign)) == expected


@pytest.mark.parametrize("module", MODULES)
def test_only_code_changes_parameters_of_rules_that_run_it(campaign, append, module):
    before = jobs(campaign)
    append(module, COMMENT)
    assert changed(before, jobs(campaign)) == set()
    append(module, CODE)
    assert changed(before, jobs(campaign)) == MODULES[module]


@pytest.mark.parametrize("file", DATA)
def test_data_changes_parameters_of_rules_that_read_it(campaign, append, file):
    before = jobs(campaign)
    append(file, "\n")
    assert changed(before, jobs(campaign)) == DATA[file]


def test_table_rules_depend_on_mapping_and_import_options(tmp_path, tree, append, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/targets").mkdir(parents=True)
    (tmp_path / "table.csv").write_text("a\n")
    target = tmp_path / "config/targets/elsewhere.yaml"
    target.write_text("description: measured elsewhere\ntables: [table.csv]\nmapping: config/tables/perfcast.yaml\n")
    (tmp_path / "config.yaml").write_text("target: elsewhere\n")
    before = jobs_of(tmp_path / "config.yaml", tree)
    assert before.keys() == {"import_tables", "fit_predictor", "render_report"}
    target.write_text(target.read_text() + "keep_outliers: true\n")
    options = jobs_of(tmp_path / "config.yaml", tree)
    assert changed(before, options) == {"import_tables"}
    append("perfcast/tables/outliers.py", CODE)
    code = jobs_of(tmp_path / "config.yaml", tree)
    assert changed(options, code) == {"import_tables"}
    append("perfcast/schemas/mapping.schema.yaml", COMMENT)
    assert changed(code, jobs_of(tmp_path / "config.yaml", tree)) == {"import_tables"}


def test_each_shard_has_a_value_of_its_own():
    class Wildcards:
        shard = "1"

    assert per_shard(["first", "second"])(Wildcards()) == "second"


def test_cpu_count_is_a_parameter_where_it_sets_the_threads(campaign, monkeypatch):
    before = jobs(campaign)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert changed(before, jobs(campaign)) == MEASURING


def test_a_study_depends_on_its_own_modules_and_options(campaign, append):
    study = "studies:\n  comparison: {targets: [quick, other]}\n"
    campaign.edit("config.yaml", "target: quick", f"target: quick\n{study}")
    before = jobs(campaign)
    assert "run_study comparison" in before
    append("perfcast/studies/prediction/facts.py", CODE)
    assert changed(before, jobs(campaign)) == REPORT
    append("perfcast/studies/comparison/changes.py", CODE)
    assert changed(before, jobs(campaign)) == {*REPORT, "run_study comparison"}
    before = jobs(campaign)
    campaign.edit("config.yaml", "other]", "other], alpha: 0.1")
    assert changed(before, jobs(campaign)) == {"run_study comparison"}
    before = jobs(campaign)
    campaign.edit("config.yaml", "targets: [quick, other]", "files: [one.parquet, other.parquet]")
    assert changed(before, jobs(campaign)) == {"run_study comparison"}
