"""The real Snakefile and runtime on real networks, some of them files of a user's: from a sheet to the prediction."""

import gzip
import json
import shutil
import subprocess
import sys

import keras
import pandas as pd
import pytest
import yaml

from perfcast.config import read_yaml
from perfcast.formats.hub import resolve
from tests.system.report.browser import check_page
from tests.system.runs import snakemake
from tests.system.small_campaign import DATASET
from tests.unit.formats import tensorflow_files as files
from tests.unit.formats.hub_server import packed, served
from tests.unit.test_cli import NO_TENSORFLOW

ADDRESS = "/google/imagenet/mobilenet_v2_035_32/classification/5"
SHEET = """source,builder,input_size,parameters
keras_applications,MobileNet,32,alpha=0.25
keras_applications,MobileNet,64,alpha=0.25
keras_applications,MobileNetV2,64,alpha=0.5
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=32;strides=2
dense,mlp,32,layers=2;units=64
file,nets/mobile.keras,32,family=kerasfile
file,nets/text.json.gz,32,family=text
file,nets/saved,32,family=saved;weights=values
file,nets/frozen.pb,"1,32,32,3",family=frozen
tensorflow_hub,nets/packed.tar.gz,32,family=archive
tensorflow_hub,{address},32,family=hub;name=hub
"""
EXTERNAL = ("mobile_32", "text_32", "saved_32", "frozen_32", "packed_32", "hub_32")
"""One network in six kinds of files."""
MODELS = SHEET.count("\n") - 1

CONFIG = """
target: quick
shards: 1
models:
  sheets: [sheet.csv]
fit:
  splits: 2
  algorithms: [poly, xgboost]
"""


def run(folder, root, *arguments):
    return snakemake(folder, *arguments, tree=root, TFHUB_CACHE_DIR=str(folder / "hub"))


def save_all(model, folder):
    folder.mkdir()
    model.save(folder / "mobile.keras")
    with gzip.open(folder / "text.json.gz", "wt") as file:
        file.write(model.to_json())
    model.export(str(folder / "saved"), verbose=False)
    files.freeze(model, folder / "frozen.pb")
    (folder / "packed.tar.gz").write_bytes(packed(folder / "saved"))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=10)
    files.train(model, steps=2)
    return model


@pytest.fixture(scope="module")
def done(tmp_path_factory, root, model):
    """A folder in which the workflow ran once."""
    folder = tmp_path_factory.mktemp("campaign with a space")
    save_all(model, folder / "nets")
    (folder / "config/targets").mkdir(parents=True)
    quick = read_yaml(root / "config/targets/local.yaml")
    quick["protocol"] |= {"iterations": 12, "discard": 4, "visits": 2, "min_visits": 2, "repeats": 0}
    quick["replicates"]["share"] = 0.3
    (folder / "config/targets/quick.yaml").write_text(yaml.safe_dump(quick))
    (folder / "config.yaml").write_text(CONFIG)
    with served() as hub:
        hub.archives[ADDRESS] = (folder / "nets/packed.tar.gz").read_bytes()
        (folder / "sheet.csv").write_text(SHEET.format(address=hub.address + ADDRESS))
        answer = run(folder, root)
    assert answer.code == 0, answer.said
    return folder


def test_every_model_is_in_store_and_dataset(done):
    models = pd.read_csv(done / "results/models.csv")
    assert list(models.columns) == [
        "model", "name", "family", "input_size", "source", "location", "digest", "parameters",
    ]  # fmt: skip
    assert len(models) == MODELS
    for location in models["location"]:
        assert json.loads((done / location / "model.json").read_text())["schema_version"] == 1
    dataset = pd.read_parquet(done / DATASET)
    assert set(dataset["model"]) == set(models["model"])
    assert set(dataset["status"]) == {"measured"}
    assert set(dataset["replicate"]) == {0, 1}
    assert (dataset["wall_samples_ms"].map(len) == 4 * dataset["visits"]).all()


def test_the_evaluation_holds_each_algorithm_and_scheme(done):
    folder = done / "results/quick/evaluation"
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert set(predictions["metric"]) == {"latency_ms", "ram_mb"}
    assert set(predictions["algorithm"]) == {"poly", "xgboost", "flops_only", "nearest_neighbour"}
    assert set(predictions["scheme"]) == {"random_folds", "leave_one_family_out", "unseen_network", "unseen_input_size"}
    splits = pd.read_parquet(folder / "splits.parquet")
    assert (splits.groupby(["metric", "algorithm"])["split"].nunique() == 2).all()


def test_the_report_opens_offline_and_draws_everything(done):
    assert check_page(done / "results/quick/report.html").faults() == []


def test_the_summary_says_what_was_measured_and_how_long_it_took(done):
    lines = (done / "results/quick/summary.txt").read_text().splitlines()
    assert any(line.startswith(f"{MODELS} models measured") for line in lines)
    assert sum("trusted" in line for line in lines) >= 1
    assert sum(line.startswith("power: ") for line in lines) == 1
    assert 7 <= len(lines) <= 11


def test_predicting_from_a_descriptor_needs_no_tensorflow(done):
    location = pd.read_csv(done / "results/models.csv")["location"][0]
    arguments = ["predict", f"{location}/model.json", "--predictor", "results/quick/predictor", "--out", "x.csv"]
    answer = subprocess.run(
        [sys.executable, "-c", NO_TENSORFLOW, *arguments], cwd=done, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    table = pd.read_csv(done / "x.csv")
    assert list(table.columns) == ["model", "metric", "unit", "prediction", "lower", "upper", "in_domain"]
    assert set(table["metric"]) == {"latency_ms", "ram_mb"}
    assert ((table["lower"] < table["prediction"]) & (table["prediction"] < table["upper"])).all()


def test_the_python_api_loads_the_predictor(done):
    from perfcast import load_predictor

    predictor = load_predictor(done / "results/quick/predictor")
    features = pd.read_parquet(done / "results/features.parquet")
    predictions = predictor.predict(features)
    assert list(predictions["model"].unique()) == list(features["model"])


def test_features_are_equal_for_every_file_format(done):
    table = pd.read_parquet(done / DATASET).query("replicate == 0").set_index("model").loc[list(EXTERNAL)]
    numbers = table[["macs", "parameters", "conv_layers", "bn_layers", "flops", "sum_activations"]]
    assert (numbers.nunique() == 1).all(), numbers
    assert set(table["source"]) == {"file", "tensorflow_hub"}


def test_graphs_carry_no_weights_unless_asked_for(done, model):
    weights = 4 * model.count_params()
    locations = pd.read_csv(done / "results/models.csv").set_index("model")["location"]
    graphs = {name: next((done / locations[name]).glob("*.graph.pb")) for name in EXTERNAL}
    sizes = {name: graph.stat().st_size for name, graph in graphs.items()}
    assert sizes.pop("saved_32") > 0.9 * weights
    assert max(sizes.values()) < 0.3 * weights


def test_hub_is_asked_once(done, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(done / "hub"))
    (row,) = [line for line in (done / "sheet.csv").read_text().splitlines() if "://" in line]
    # The server is gone by now: only the cache can answer.
    assert (resolve(row.split(",")[1]) / "saved_model.pb").is_file()


def test_only_edited_or_damaged_models_are_exported_again(done, root):
    """What the store lost, and the one network whose file was edited; nothing else is measured."""
    store = done / "results/store"
    records = {path: json.loads(path.read_text())["record"] for path in (store / "measurements").iterdir()}
    lost = next(path for path, record in records.items() if record["model"] == "mlp_2_64_32")
    kept = {path: path.stat().st_mtime_ns for path in records if path != lost}
    (damaged,) = (store / "artifacts" / records[lost]["artifact"]).glob("*.graph.pb")
    sound = damaged.read_bytes()
    lost.write_bytes(lost.read_bytes()[:-20])
    damaged.write_bytes(b"damaged")
    shutil.rmtree(done / "results/quick")
    wider = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.5, classes=10)
    wider.save(done / "nets/mobile.keras")
    answer = run(done, root, "--", DATASET)
    assert answer.code == 0, answer.said
    assert damaged.read_bytes() == sound
    assert json.loads(lost.read_text())["record"]["status"] == "measured"
    new = set((store / "measurements").iterdir()) - records.keys()
    assert {json.loads(path.read_text())["record"]["model"] for path in new} == {"mobile_32"}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_hostile_file_is_one_line(done, root):
    (done / "nets/broken.pb").write_bytes(b"\xff" * 100)
    sheet = (done / "sheet.csv").read_text()
    (done / "sheet.csv").write_text(sheet + "file,nets/broken.pb,32,\n")
    answer = run(done, root, "--", "results/models.csv")
    (done / "sheet.csv").write_text(sheet)
    assert answer.refused("nets/broken.pb: ", code=1), answer.said
    assert not list((done / "results/store/artifacts").glob(".new-*"))
