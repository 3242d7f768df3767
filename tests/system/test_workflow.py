"""The real Snakefile on real networks: a small sheet, from collect to the forecast."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from perfcast.config import read_yaml
from tests.system.report.browser import check_page
from tests.unit.test_cli import NO_TENSORFLOW

SHEET = """source,builder,input_size,parameters
keras_applications,MobileNet,32,alpha=0.25
keras_applications,MobileNet,64,alpha=0.25
keras_applications,MobileNetV2,32,alpha=0.35
keras_applications,MobileNetV2,64,alpha=0.35
keras_applications,EfficientNetB0,32,
keras_applications,DenseNet121,32,
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=64;strides=2
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=32;strides=2
synthetic,basic_model,96,conv_layers=3;filter_size=3;filters=16;strides=1
synthetic,basic_model,64,conv_layers=5;filter_size=3;filters=32;strides=1
dense,mlp,32,layers=2;units=64
dense,mlp,64,layers=3;units=128
"""

CONFIG = """
target: quick
shards: 2
models:
  sheets: [sheet.csv]
fit:
  splits: 5
"""


def snakemake(folder, root, *outputs):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    command += ["--cores", "2", "--resources", "device=1", "--", *outputs]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def prepare(folder, root):
    (folder / "config/targets").mkdir(parents=True)
    quick = read_yaml(root / "config/targets/local.yaml")
    quick["protocol"] |= {"iterations": 15, "discard": 5, "visits": 5}
    quick["replicates"]["share"] = 0.5
    (folder / "config/targets/quick.yaml").write_text(yaml.safe_dump(quick))
    (folder / "sheet.csv").write_text(SHEET)
    (folder / "config.yaml").write_text(CONFIG)


@pytest.fixture(scope="module")
def done(tmp_path_factory, root):
    """A folder in which the workflow ran once."""
    folder = tmp_path_factory.mktemp("campaign with a space")
    prepare(folder, root)
    answer = snakemake(folder, root)
    assert answer.returncode == 0, answer.stderr
    return folder


def test_every_model_is_in_the_database_and_the_dataset(done):
    models = pd.read_csv(done / "results/models.csv")
    assert list(models.columns) == [
        "model", "name", "family", "input_size", "source", "location", "digest", "parameters",
    ]  # fmt: skip
    assert len(models) == 12
    for location in models["location"]:
        assert json.loads((done / location / "model.json").read_text())["schema_version"] == 1
    dataset = pd.read_parquet(done / "results/quick/dataset.parquet")
    assert set(dataset["model"]) == set(models["model"])
    assert set(dataset["status"]) == {"measured"}
    assert set(dataset["replicate"]) == {0, 1}
    assert (dataset["wall_samples_ms"].map(len) == 2 * dataset["visits"]).all()


def test_the_evaluation_holds_every_algorithm_and_scheme(done):
    folder = done / "results/quick/evaluation"
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert set(predictions["metric"]) == {"latency_ms", "ram_mb"}
    assert set(predictions["algorithm"]) == {
        "poly", "svr", "mlp", "forest", "xgboost", "extra_trees", "gaussian_process", "ensemble",
        "flops_only", "nearest_neighbour",
    }  # fmt: skip
    assert set(predictions["scheme"]) == {"random_folds", "leave_one_family_out", "unseen_network", "unseen_input_size"}
    splits = pd.read_parquet(folder / "splits.parquet")
    assert (splits.groupby(["metric", "algorithm"])["split"].nunique() == 5).all()


def test_the_report_opens_offline_and_draws_everything(done):
    assert check_page(done / "results/quick/report.html").faults() == []


def test_the_summary_has_six_lines(done):
    lines = (done / "results/quick/summary.txt").read_text().splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("12 models measured")


def test_forecasts_from_a_descriptor_are_quick_and_need_no_tensorflow(done):
    location = pd.read_csv(done / "results/models.csv")["location"][0]
    arguments = [
        "predict",
        f"{location}/model.json",
        "--predictor",
        "results/quick/predictor",
        "--out",
        "x.csv",
    ]
    start = time.monotonic()
    answer = subprocess.run(
        [sys.executable, "-c", NO_TENSORFLOW, *arguments],
        cwd=done,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert time.monotonic() - start < 30  # benchmarks/ has the time; here only what an import would cost
    table = pd.read_csv(done / "x.csv")
    assert list(table.columns) == ["model", "metric", "unit", "prediction", "lower", "upper", "in_domain"]
    assert set(table["metric"]) == {"latency_ms", "ram_mb"}
    assert ((table["lower"] < table["prediction"]) & (table["prediction"] < table["upper"])).all()


def test_the_python_api_loads_the_predictor(done):
    from perfcast import load_predictor

    predictor = load_predictor(done / "results/quick/predictor")
    features = pd.read_parquet(done / "results/features.parquet")
    forecasts = predictor.predict(features)
    assert list(forecasts["model"].unique()) == list(features["model"])


def test_a_second_run_has_nothing_to_do(done, root):
    answer = snakemake(done, root)
    assert answer.returncode == 0
    assert "Nothing to be done" in answer.stderr


def test_a_dry_run_does_not_import_tensorflow(done, root):
    forbid = NO_TENSORFLOW.split("sys.argv =")[0] + "from snakemake.cli import main\nmain()\n"
    command = [sys.executable, "-c", forbid, "-n", "--forceall", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(done), "--configfile", str(done / "config.yaml"), "--cores", "1"]
    answer = subprocess.run(command, cwd=done, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    assert "benchmark_shard" in answer.stdout


def test_a_new_model_is_the_only_one_measured(done, root):
    store = done / "results/store/measurements"
    before = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
    (done / "sheet.csv").write_text(SHEET + "dense,mlp,32,layers=1;units=32\n")
    answer = snakemake(done, root)
    assert answer.returncode == 0, answer.stderr
    after = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
    new = {json.loads((store / name).read_text())["record"]["model"] for name in after.keys() - before.keys()}
    assert new == {"mlp_1_32_32"}
    assert {name: after[name] for name in before} == before
    assert len(pd.read_csv(done / "results/models.csv")) == 13


def test_what_the_store_lost_is_made_again_and_nothing_else(done, root):
    store = done / "results/store"
    measured = sorted((store / "measurements").iterdir())
    kept = {path.name: path.stat().st_mtime_ns for path in measured[1:]}
    measured[0].write_bytes(measured[0].read_bytes()[:-20])
    digest = json.loads(measured[1].read_text())["record"]["artifact"]
    (graph,) = (store / "artifacts" / digest).glob("*.graph.pb")
    sound = graph.read_bytes()
    graph.write_bytes(b"damaged")
    shutil.rmtree(done / "results/quick")
    answer = snakemake(done, root)
    assert answer.returncode == 0, answer.stderr
    assert graph.read_bytes() == sound
    assert json.loads(measured[0].read_text())["record"]["status"] == "measured"
    assert {path.name: path.stat().st_mtime_ns for path in measured[1:]} == kept


def test_a_bug_is_one_line_on_the_terminal_and_whole_in_the_log(done, root):
    dataset = done / "results/quick/dataset.parquet"
    sound = dataset.read_bytes()
    dataset.write_bytes(b"no parquet")
    answer = snakemake(done, root, "results/quick/report.html")
    dataset.write_bytes(sound)
    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr
    assert "all of it is in results/quick/logs/" in answer.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("config.yaml", "shards: 2", "shard: 2", "unknown key shard"),
        ("config.yaml", "target: quick", "target: slow", "config/targets/slow.yaml: there is no such file"),
        ("config.yaml", "target: quick", "", "no target is chosen"),
        ("config.yaml", "sheet.csv", "sheets.csv", "sheets.csv: there is no such file"),
        ("config/targets/quick.yaml", "discard: 5", "discard: -5", "protocol.discard"),
        ("config/targets/quick.yaml", "discard: 5", "discard: 15", "discard 15 must be less than iterations 15"),
        ("config.yaml", "target: quick", "target: store", "target: 'store' should not be valid"),
        (
            "sheet.csv",
            "EfficientNetB0",
            "EfficientNetB9",
            "efficientnetb9_32: the installed Keras Applications have no",
        ),
        ("sheet.csv", "EfficientNetB0,32", "EfficientNetB0,3", "sheet.csv, row 6: EfficientNetB0 takes inputs of"),
    ],
)
def test_a_mistake_is_named_and_shows_no_traceback(tmp_path, root, file, old, new, words):
    prepare(tmp_path, root)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    answer = snakemake(tmp_path, root, "results/models.csv")
    assert answer.returncode != 0
    said = answer.stdout + answer.stderr
    assert words in said
    assert "Traceback" not in said
    assert not (tmp_path / "results/models.csv").exists()


def test_the_profile_measures_this_machine(root):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", "-n", "--quiet", "all"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment, check=False)
    assert answer.returncode == 0, answer.stderr
