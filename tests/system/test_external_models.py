"""External models, from a sheet to the dataset: the real Snakefile, the real runner."""

import gzip
import json
import os
import shutil
import subprocess
import sys

import keras
import pandas as pd
import pytest

from perfcast.config import read_yaml
from perfcast.formats.hub import resolve
from tests.unit.formats import tensorflow_files as files
from tests.unit.formats.hub_server import packed, served

ADDRESS = "/google/imagenet/mobilenet_v2_035_32/classification/5"
SHEET = """source,builder,input_size,parameters
file,nets/mobile.keras,32,family=kerasfile
file,nets/text.json.gz,32,family=text
file,nets/saved,32,family=saved;weights=values
file,nets/frozen.pb,"1,32,32,3",family=frozen
tensorflow_hub,nets/packed.tar.gz,32,family=archive
tensorflow_hub,{address},32,family=hub;name=hub
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=32;strides=2
"""
EXTERNAL = ("mobile_32", "text_32", "saved_32", "frozen_32", "packed_32", "hub_32")


def snakemake(folder, root, *outputs):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "config.yaml"), "--cores", "2", "--resources", "device=1", "--", *outputs]
    environment = {**os.environ, "TFHUB_CACHE_DIR": str(folder / "hub")}
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    return answer.returncode, answer.stdout + answer.stderr


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
    """A folder in which a campaign of one network in six guises was measured."""
    folder = tmp_path_factory.mktemp("external")
    save_all(model, folder / "nets")
    (folder / "config/targets").mkdir(parents=True)
    quick = read_yaml(root / "config/targets/local.yaml")
    quick["protocol"] |= {"iterations": 12, "discard": 4, "visits": 2, "min_visits": 2}
    (folder / "config/targets/quick.yaml").write_text(json.dumps(quick))
    (folder / "config.yaml").write_text("target: quick\nshards: 1\nmodels: {sheets: [sheet.csv]}\n")
    with served() as hub:
        hub.archives[ADDRESS] = (folder / "nets/packed.tar.gz").read_bytes()
        (folder / "sheet.csv").write_text(SHEET.format(address=hub.address + ADDRESS))
        code, said = snakemake(folder, root, "results/quick/dataset.parquet")
    assert code == 0, said
    return folder


def graph_of(folder, name):
    models = pd.read_csv(folder / "results/models.csv").set_index("model")
    (graph,) = (folder / models.loc[name, "location"]).glob("*.graph.pb")
    return graph


def test_each_guise_is_measured_and_has_the_same_features(done):
    table = pd.read_parquet(done / "results/quick/dataset.parquet")
    table = table[table["replicate"] == 0].set_index("model")
    assert set(table.index) == {*EXTERNAL, "basic_model_2_3_32_2_64"}
    assert set(table["status"]) == {"measured"}
    numbers = table.loc[list(EXTERNAL), ["macs", "parameters", "conv_layers", "bn_layers", "flops", "sum_activations"]]
    assert (numbers.nunique() == 1).all(), numbers
    assert set(table.loc[list(EXTERNAL), "source"]) == {"file", "tensorflow_hub"}


def test_graphs_carry_no_weights_unless_asked_for(done, model):
    weights = 4 * model.count_params()
    sizes = {name: graph_of(done, name).stat().st_size for name in EXTERNAL}
    assert sizes.pop("saved_32") > 0.9 * weights
    assert max(sizes.values()) < 0.3 * weights


def test_the_hub_is_asked_once(done, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(done / "hub"))
    (row,) = [line for line in (done / "sheet.csv").read_text().splitlines() if "://" in line]
    # The server is gone by now: only the cache can answer.
    assert (resolve(row.split(",")[1]) / "saved_model.pb").is_file()


def test_an_edited_file_alone_is_measured_again(done, root, model):
    store = done / "results/store/measurements"
    before = {path.name: path.stat().st_mtime_ns for path in store.glob("*.json")}
    shutil.copy(done / "nets/mobile.keras", done / "kept.keras")
    files.train(model, steps=1)
    wider = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.5, classes=10)
    wider.save(done / "nets/mobile.keras")
    code, said = snakemake(done, root, "results/quick/dataset.parquet")
    shutil.move(done / "kept.keras", done / "nets/mobile.keras")
    assert code == 0, said
    new = [path for path in store.glob("*.json") if path.name not in before]
    assert {json.loads(path.read_text())["record"]["model"] for path in new} == {"mobile_32"}
    assert {name: (store / name).stat().st_mtime_ns for name in before} == before


@pytest.mark.parametrize(
    ("row", "words", "expected"),
    [
        ("file,nets/absent.keras,32,", "sheet.csv: nets/absent.keras: there is no such file", 2),
        ("file,nets/net.onnx,32,", "sheet.csv, row 9: nets/net.onnx: no toolchain here runs ONNX files", 2),
        ("tensorflow_hub,http://127.0.0.1:9/a/b/1,32,", "http://127.0.0.1:9/a/b/1", 1),
        ("file,nets/broken.pb,32,", "nets/broken.pb: ", 1),
        ("file,nets/mobile.keras,64,name=wide", "nets/mobile.keras: ", 1),
    ],
)
def test_a_model_that_cannot_be_had_is_one_line(done, root, row, words, expected):
    (done / "nets/broken.pb").write_bytes(b"\xff" * 100)
    sheet = (done / "sheet.csv").read_text()
    (done / "sheet.csv").write_text(sheet + row + "\n")
    code, said = snakemake(done, root, "results/models.csv")
    (done / "sheet.csv").write_text(sheet)
    assert code == expected or (expected == 1 and code != 0)
    assert words in said
    assert "Traceback" not in said
    assert not list((done / "results/store/artifacts").glob(".new-*"))
