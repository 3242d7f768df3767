"""`perfcast sweep`, as a user meets it: trained and measured for real, on one or two combinations."""

import contextlib
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from perfcast.bench.record import MeasurementStore
from perfcast.cli import main
from perfcast.errors import SourceError
from perfcast.models.scaling import build_to_train
from perfcast.sweeps import training, weights
from perfcast.sweeps.combinations import combinations_of
from perfcast.sweeps.config import parse_ini
from perfcast.sweeps.data.choice import corpus_of
from perfcast.sweeps.data.corpus import Wanted
from perfcast.sweeps.training import Recipe, train_once, training_store
from perfcast.sweeps.weights import weights_file

pytestmark = pytest.mark.heavy

ONE = """[CONFIGURATION]
Training_Iterations = 1
Batch_Size = 16
Tot_Layers = 4
Filter_Size = 3
Evaluation_Iterations = 10
Evaluation_Inputs = 64
Training_Inputs = 64
"""


def run(*arguments):
    answer = CliRunner().invoke(main, ["sweep", "--data", "builtin", *map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


@pytest.fixture(scope="module")
def swept(tmp_path_factory, root):
    """A working directory in which one combination of each family was swept, and what was printed."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "config/targets").mkdir(parents=True)
    target = yaml.safe_load((root / "config/targets/local.yaml").read_text())
    target["protocol"]["repeats"] = 0
    (folder / "config/targets/here.yaml").write_text(yaml.safe_dump(target))
    (folder / "one.ini").write_text(ONE)
    with contextlib.chdir(folder):
        return folder, run("one.ini", "--target", "here")


def test_each_family_is_trained_measured_printed_and_written(swept):
    folder, answer = swept
    out = folder / "results/sweeps/one"
    assert sorted(path.name for path in out.iterdir()) == [
        *("dataset.parquet", "fashion_mnist.csv", "fashion_mnist.json", "fashion_mnist.txt"),
        *("text.csv", "text.json", "text.txt"),
    ]
    dataset = pd.read_parquet(out / "dataset.parquet")
    assert dataset["family"].tolist() == ["fashion_mnist", "text"]
    # Whether others are on this machine now is theirs to say.
    assert set(dataset["status"]) <= {"trusted", "noisy", "rejected"}
    assert answer.exit_code == (1 if "rejected" in set(dataset["status"]) else 0)
    for row in dataset.to_dict("records"):
        assert len(row["samples_s"]) == 10
        assert row["total_s"] == pytest.approx(sum(row["samples_s"]))
        assert row["mean_s"] == pytest.approx(row["total_s"] / 10)
        assert 0 < row["mean_s_low"] <= row["typical_s"] <= row["mean_s_high"]
        assert (row["batch"], row["training_batch"], row["evaluation_inputs"]) == (16, 16, 64)
        table = pd.read_csv(out / f"{row['family']}.csv")
        assert table.to_dict("records") == [
            {"Layers": 4, "BatchSize": 16, "ConvSize": 3, "TotalTime": row["total_s"], "MeanTime": row["mean_s"]}
        ]
        assert json.loads((out / f"{row['family']}.json").read_text())["is_default_data"]


def test_what_the_document_prints_is_printed(swept):
    _, answer = swept
    for title in ("Mnist", "Text"):
        assert f"{title} model with 4 layers, batch_size = 16 and convolution size = 3" in answer.output
    assert "Inputs to predict for each iteration: 64" in answer.output
    assert len(re.findall(r"^Total elapsed time: [0-9.e-]+s$", answer.output, re.MULTILINE)) == 2
    assert len(re.findall(r"^(CORRECT|WRONG)$", answer.output, re.MULTILINE)) == 20
    assert len(re.findall(r"^Review: \w+", answer.output, re.MULTILINE)) == 10
    assert answer.output.count("BUILT-IN DEFAULT") >= 4
    assert "… and 54 more in" in answer.output


def test_nothing_is_done_twice(swept, monkeypatch):
    folder, first = swept
    before = {path: path.stat().st_mtime_ns for path in (folder / "results/store").rglob("*.json")}
    monkeypatch.chdir(folder)
    monkeypatch.setattr(training, "_train", None)
    again = run("one.ini", "--target", "here", "--out", "again")
    assert again.exit_code == first.exit_code
    assert {path: path.stat().st_mtime_ns for path in (folder / "results/store").rglob("*.json")} == before
    before, after = (
        pd.read_parquet(path / "dataset.parquet") for path in (folder / "results/sweeps/one", folder / "again")
    )
    pd.testing.assert_frame_equal(before, after)


def test_another_inference_batch_measures_again_and_trains_nothing(swept, monkeypatch):
    folder, _ = swept
    monkeypatch.chdir(folder)
    monkeypatch.setattr(training, "_train", None)
    known = len(MeasurementStore(folder / "results/store").records.all_keys())
    arguments = ("--family", "fashion_mnist", "--inference-batch", "5", "--out", "apart")
    answer = run("one.ini", "--target", "here", *arguments)
    assert answer.exit_code in (0, 1)
    (row,) = pd.read_parquet(folder / "apart/dataset.parquet").to_dict("records")
    assert (row["training_batch"], row["batch"]) == (16, 5)
    assert (folder / "apart/fashion_mnist_inference_batch5.csv").exists()
    assert len(MeasurementStore(folder / "results/store").records.all_keys()) == known + 1


def corpus(family, training_inputs=None):
    return corpus_of(family, ["builtin"], Wanted(500, training_inputs, 0), print)


def first_of(family):
    return combinations_of(parse_ini("[CONFIGURATION]\nVocabulary = 500\n", "small"), family)[0].spec


@pytest.mark.parametrize(
    ("family", "at_least"), [("fashion_mnist", 0.4), pytest.param("text", 0.8, marks=pytest.mark.slow)]
)
def test_training_learns(tmp_path, family, at_least):
    recipe = Recipe(batch=16, epochs=2, learning_rate=0.005, dropout=0.2, seed=0)
    epochs = []
    trained = train_once(
        first_of(family), recipe, corpus(family, 600), training_store(tmp_path), lambda n=1: epochs.append(n)
    )
    assert trained.accuracy > at_least
    assert trained.losses[-1] < trained.losses[0]
    assert epochs == [1, 1]
    labels = corpus(family).evaluation.labels
    assert trained.accuracy == pytest.approx(np.mean(np.array(trained.predicted) == labels))


def weights_of(store):
    return sorted(path.name.removesuffix(".weights.h5") for path in store.folder.glob("*.weights.h5"))


def test_predictions_follow_from_the_weights_that_are_kept(tmp_path):
    spec, recipe, data = first_of("text"), Recipe(16, 1, 0.005, 0.2, 0), corpus("text", 64)
    store = training_store(tmp_path)
    trained = train_once(spec, recipe, data, store, lambda _=1: None)
    (key,) = store.all_keys()
    assert weights_of(store) == [key]
    model = build_to_train(spec, recipe.dropout)
    model.load_weights(weights_file(store, key))
    found = training.classes_of(model, training.encoder_of(spec, data)(data.evaluation.items))
    assert tuple(found) == trained.predicted
    assert weights_file(store, key).stat().st_size < 1.1 * 4 * model.count_params() + 50_000


def test_of_too_many_weights_the_newest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "MAX_WEIGHTS_BYTES", 1)
    data, store = corpus("fashion_mnist", 32), training_store(tmp_path)
    for seed in (0, 1):
        recipe = Recipe(16, 1, 0.001, 0.75, seed)
        train_once(first_of("fashion_mnist"), recipe, data, store, lambda _=1: None)
    assert weights_of(store) == [training.training_key(first_of("fashion_mnist"), recipe, data)]
    assert len(store.all_keys()) == 2


@pytest.mark.slow
def test_many_networks_are_trained_without_a_warning(tmp_path, capfd):
    """TensorFlow warns of functions that are traced again and again."""
    recipe, data, store = Recipe(8, 1, 0.001, 0.75, 0), corpus("fashion_mnist", 32), training_store(tmp_path)
    config = parse_ini("[CONFIGURATION]\nFilters = 1 2 3 4 5 6\nTot_Layers = 4\nFilter_Size = 3\n", "small")
    for one in combinations_of(config, "fashion_mnist"):
        train_once(one.spec, recipe, data, store, lambda _=1: None)
    assert "retracing" not in capfd.readouterr().err


def test_a_training_is_kept_and_known_again(tmp_path, monkeypatch):
    recipe = Recipe(16, 1, 0.001, 0.75, 0)
    data, store = corpus("fashion_mnist", 32), training_store(tmp_path)
    trained = train_once(first_of("fashion_mnist"), recipe, data, store, lambda _=1: None)
    epochs = []
    monkeypatch.setattr(training, "_train", None)
    assert train_once(first_of("fashion_mnist"), recipe, data, store, epochs.append) == trained
    assert epochs == [1]
    (key,) = store.all_keys()
    store.path(key).write_text(store.path(key).read_text().replace("accuracy", "accurate"))
    with pytest.raises(SourceError, match="fashion_mnist_4_3_28: training with batch 16 failed"):
        train_once(first_of("fashion_mnist"), recipe, data, store, epochs.append)


@pytest.mark.parametrize("changes", [{"dropout": 0.5}, {"batch": 8}, {"seed": 1}, {"learning_rate": 0.01}])
def test_each_setting_is_another_training(changes):
    data, plain = (
        corpus("fashion_mnist", 32),
        {"batch": 16, "epochs": 1, "learning_rate": 0.001, "dropout": 0.75, "seed": 0},
    )
    keys = [
        training.training_key(first_of("fashion_mnist"), Recipe(**values), data) for values in (plain, plain | changes)
    ]
    assert keys[0] != keys[1]
    assert keys[0] != training.training_key(first_of("fashion_mnist"), Recipe(**plain), corpus("fashion_mnist", 33))


def test_a_loss_that_grows_without_end_is_kept_as_missing(tmp_path):
    recipe = Recipe(1, 2, 10.0, 0.0, 0)
    trained = train_once(
        first_of("fashion_mnist"), recipe, corpus("fashion_mnist", 40), training_store(tmp_path), lambda _=1: None
    )
    assert 0 <= trained.accuracy <= 1
    assert all(loss is None or np.isfinite(loss) for loss in trained.losses)
    (key,) = training_store(tmp_path).all_keys()
    assert training_store(tmp_path).read(key)["accuracy"] == trained.accuracy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.ini"], "does not exist"),
        (["wrong.ini"], "wrong.ini: tot_layers.0: 3 is less than the minimum"),
        (["one.ini", "--inference-batch", "65"], "one.ini: inference_batch: must be at most evaluation_inputs, 64"),
        (["one.ini", "--data", "nowhere"], "nowhere: is not a folder"),
        (["one.ini", "--target", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.ini").write_text(ONE)
    (tmp_path / "wrong.ini").write_text("[CONFIGURATION]\nTot_Layers = 3\n")
    answer = CliRunner().invoke(main, ["sweep", *arguments])
    assert answer.exit_code == 2
    assert message in answer.output
    assert len(answer.output.strip().splitlines()) <= 4, "click adds its usage"
