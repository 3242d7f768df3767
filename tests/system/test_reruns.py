"""An edit reruns exactly what depends on it; which parameters an edit changes, see `tests/unit/pipeline`."""

from dataclasses import replace

import pandas as pd

from perfcast.bench.tasks import shard_of
from tests.system.small_campaign import DATASET, SHARDS, copy_project

OLD, NEW = "mlp_1_64_64", "mlp_1_24_64"
FIT = ("fit_predictor", "render_report")


def each_shard(rule):
    return [f"{rule} {shard}" for shard in SHARDS]


def models_of(campaign, keys):
    return {campaign.model_of(key) for key in keys}


def test_changed_model_reruns_its_shard_and_measures_only_itself(campaign):
    (shard,) = {shard_of(model, len(SHARDS)) for model in (OLD, NEW)}
    before = campaign.records()
    campaign.edit("sheet.csv", "dense,mlp,64,layers=1;units=64", "dense,mlp,64,layers=1;units=24")
    ran = campaign.run("--", DATASET)
    of_shard = [f"{rule} {shard}" for rule in ("collect_models", "export_shard", "benchmark_shard")]
    assert ran.jobs == sorted([*of_shard, "list_models", "extract_features", "build_dataset"]), ran.said
    after = campaign.records()
    assert {key: after.get(key) for key in before} == before
    assert models_of(campaign, after.keys() - before.keys()) == {NEW}
    for listed in (pd.read_csv(campaign.folder / "results/models.csv"), pd.read_parquet(campaign.folder / DATASET)):
        assert NEW in set(listed["model"])
        assert OLD not in set(listed["model"])


def test_edited_runner_code_remeasures_nothing(campaign, root, tmp_path):
    campaign = replace(campaign, tree=copy_project(root, tmp_path / "tree"))
    before = campaign.records()
    campaign.edit("perfcast/runner/clocks.py", "\nimport ", "\n# Only a comment.\nimport ")
    assert campaign.run("--dry-run").jobs == []
    campaign.edit("perfcast/runner/rounds.py", "MAX_OPEN = 16", "MAX_OPEN = 15")
    ran = campaign.run("--", DATASET)
    assert ran.jobs == sorted([*each_shard("benchmark_shard"), "build_dataset"]), ran.said
    assert campaign.records() == before


def test_failed_fit_keeps_the_old_predictor_and_reruns(campaign):
    folder = campaign.folder / "results/quick"
    before = {path: path.read_bytes() for name in ("predictor", "evaluation") for path in (folder / name).iterdir()}
    sound = (folder / "dataset.parquet").read_bytes()
    campaign.edit("config.yaml", "splits: 1", "splits: 2")
    (folder / "dataset.parquet").write_bytes(b"no table")
    failed = campaign.run()
    assert failed.code == 1
    # The terminal has one line of it, the log has it whole.
    assert "the traceback is in results/quick/logs/fit.log" in failed.errors[0]
    assert "Traceback" not in failed.said
    assert "Traceback" in (folder / "logs/fit.log").read_text()
    assert {path: path.read_bytes() for path in before} == before
    (folder / "dataset.parquet").write_bytes(sound)
    assert campaign.run().jobs == sorted(["all", *FIT])
    assert '"splits": 2' in (folder / "evaluation/summary.json").read_text()
    assert campaign.run("--dry-run").jobs == []
