"""The deployed predictor: its predictions, its folder, and what it refuses to load."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from perfcast.errors import DataError, PredictorError
from perfcast.fit.deploy import fit_predictor
from perfcast.fit.options import ALGORITHMS, MIXTURE
from perfcast.fit.persistence.folder import load_predictor, save_predictor
from perfcast.fit.persistence.manifest import SCHEMA_VERSION

from .conftest import FEATURES, make_dataset, rewrite, rewrite_arrays

pytestmark = pytest.mark.heavy


def with_algorithm(evaluation, algorithm):
    summary = json.loads(json.dumps(evaluation.summary))
    summary["metrics"]["latency_ms"]["deployed"] = algorithm
    return type(evaluation)(evaluation.splits, evaluation.predictions, evaluation.feature_importance, summary)


def test_predictions_have_one_row_per_model_in_order(predictor, dataset):
    shuffled = dataset.sample(frac=1, random_state=0)
    found = predictor.predict(shuffled)
    assert list(found) == ["model", "metric", "unit", "prediction", "lower", "upper", "in_domain"]
    assert list(found["model"]) == list(shuffled["model"])
    error = np.abs(found["prediction"].to_numpy() / shuffled["latency_mean_ms"].to_numpy() - 1)
    assert error.mean() < 0.1
    assert found["in_domain"].all()


def test_extrapolation_follows_physics_and_is_out_of_domain(predictor):
    table = make_dataset(sizes=(448,))
    found = predictor.predict(table)
    assert np.abs(found["prediction"] / table["latency_mean_ms"] - 1).mean() < 0.25
    assert not predictor.predict(table.assign(flops=1e15))["in_domain"].any()


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != MIXTURE])
def test_every_algorithm_survives_the_folder(algorithm, dataset, evaluation, options, tmp_path):
    made = fit_predictor(dataset, with_algorithm(evaluation, algorithm), options)
    save_predictor(made, tmp_path / "predictor")
    loaded = load_predictor(tmp_path / "predictor")
    assert loaded.metrics["latency_ms"].algorithm == algorithm
    assert loaded.target == "bench"
    assert loaded.interval == made.interval == options.interval
    pd.testing.assert_frame_equal(loaded.predict(dataset), made.predict(dataset))
    assert loaded.predict(dataset.head(0)).empty


def test_label_has_no_control_sequences(predictor):
    hostile = replace(predictor, target="a\x1b[31m\nb", environment={"device": ["c\x9bd"]})
    assert hostile.label == "a\ufffd[31m\ufffdb (c\ufffdd)"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (make_dataset().drop(columns="nb_layers"), "lacks the column 'nb_layers'"),
        (make_dataset().assign(nb_layers=np.nan), "'nb_layers', row 0 .*not finite"),
        (make_dataset().assign(flops=-np.inf), "'flops', row 0 .*not finite"),
        (make_dataset().assign(flops="lots"), "'flops', row 0 .*not 'lots'"),
        (pd.DataFrame(), "lacks the columns"),
    ],
)
def test_features_that_cannot_be_used_are_refused(predictor, table, message):
    with pytest.raises(DataError, match=message):
        predictor.predict(table)


def test_models_without_names_are_called_by_their_index(predictor, dataset):
    found = predictor.predict(dataset[list(FEATURES)].head(2))
    assert list(found["model"]) == ["0", "1"]


def test_another_dataset_than_the_evaluated_one_is_refused(evaluation, options):
    with pytest.raises(DataError, match="not the one that was evaluated"):
        fit_predictor(make_dataset(seed=1), evaluation, options)


def test_every_flipped_bit_is_detected(folder):
    random = np.random.default_rng(0)
    for path in folder.iterdir():
        data = path.read_bytes()
        for position in random.integers(len(data), size=20):
            flipped = bytearray(data)
            flipped[position] ^= 1 << int(random.integers(8))
            path.write_bytes(flipped)
            with pytest.raises(PredictorError, match=str(folder)):
                load_predictor(folder)
        path.write_bytes(data)
    load_predictor(folder)


@pytest.mark.parametrize("name", ["manifest.json", "latency_ms.npz"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty"])
def test_missing_and_truncated_files_are_named(folder, name, damage):
    path = folder / name
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"")
    with pytest.raises(PredictorError, match=name):
        load_predictor(folder)


def test_a_newer_schema_is_refused_as_such(folder):
    rewrite(folder, lambda manifest: manifest.update(schema_version=SCHEMA_VERSION + 1))
    with pytest.raises(PredictorError, match="written by a newer perfcast"):
        load_predictor(folder)


@pytest.mark.parametrize("key", ["parts", "numeric_factors", "target", "training_digest"])
def test_a_manifest_without_a_key_is_refused(folder, key):
    rewrite(folder, lambda manifest: manifest.pop(key))
    with pytest.raises(PredictorError, match="does not describe a predictor"):
        load_predictor(folder)


class Exploit:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize(
    ("array", "replacement"),
    [
        ("0.encoding.mean", np.array([Exploit()], dtype=object)),
        ("0.encoding.mean", np.array(["text"])),
        ("0.encoding.mean", np.array([np.nan])),
        ("0.encoding.varying", np.array([999])),
        ("0.encoding.scale", np.ones(77)),
        ("0.encoding.physics.costs", None),
        ("domain.rows", np.ones((2, 2))),
    ],
)
def test_hostile_arrays_are_refused(folder, capfd, array, replacement):
    def change(arrays):
        del arrays[array]
        arrays.update({} if replacement is None else {array: replacement})

    rewrite_arrays(folder, change)
    with pytest.raises(PredictorError, match=r"latency_ms\.npz"):
        load_predictor(folder)
    assert "code ran" not in capfd.readouterr().out


def test_cyclic_trees_are_refused(dataset, evaluation, options, tmp_path):
    save_predictor(fit_predictor(dataset, with_algorithm(evaluation, "forest"), options), tmp_path / "p")
    left = "0.learner.left"
    rewrite_arrays(tmp_path / "p", lambda arrays: arrays.update({left: np.where(arrays[left] > 0, 0, -1)}))
    with pytest.raises(PredictorError, match="trees are damaged"):
        load_predictor(tmp_path / "p")


def test_loading_and_predicting_needs_no_fitting_library(folder, dataset, tmp_path):
    dataset.to_parquet(tmp_path / "features.parquet")
    table = str(tmp_path / "features.parquet")
    code = (
        "import sys, pandas; from perfcast.fit.persistence.folder import load_predictor;"
        f"load_predictor({str(folder)!r}).predict(pandas.read_parquet({table!r}));"
        "assert not {'sklearn', 'scipy', 'tensorflow', 'joblib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
