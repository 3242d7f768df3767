"""Predictor folders whose digests were computed again after someone changed what they hold."""

import json
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from perfcast.errors import PredictorError
from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.options import MIXTURE
from perfcast.fit.persistence.folder import load_predictor, save_predictor
from perfcast.storage import digest_of_json

from .conftest import make_dataset, make_options, metric_of, rewrite, rewrite_arrays
from .test_fit_predictor import with_algorithm

pytestmark = pytest.mark.heavy

METRIC = ("parts", 0, "metrics", "latency_ms")


@pytest.fixture(scope="module")
def boosted(dataset, evaluation, options):
    return fit_predictor(dataset, with_algorithm(evaluation, "xgboost"), options)


def put(container, keys, value):
    for key in keys[:-1]:
        container = container[key]
    container[keys[-1]] = value


def refused(folder, *names):
    with pytest.raises(PredictorError) as caught:
        load_predictor(folder)
    message = str(caught.value)
    assert all(name in message for name in names), message
    assert "\n" not in message
    assert len(message) < 500 + len(str(folder))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        *(
            ((*METRIC, "interval", "width_factor"), value)
            for value in (0, -3, 0.99, "nan", "2", None, True, [], 10**400)
        ),
        *(((*METRIC, "interval", "share"), value) for value in (0, 1, -1, "0.9", True, 10**400)),
        *(((*METRIC, "interval", "coverage"), value) for value in (2, "all")),
        ((*METRIC, "interval", "guaranteed"), 1),
        ((*METRIC, "interval"), {}),
        (("parts", 0, "metrics"), {}),
        (("parts", 0, "metrics"), []),
        *(((*METRIC, "unit"), value) for value in ({}, "", 5)),
        *(((*METRIC, "features"), value) for value in ([[1]], [], ["flops", "flops"], "flops", {"flops": 1})),
        *(((*METRIC, "algorithm"), value) for value in ("pickle", [], None)),
        *(((*METRIC, "files"), value) for value in ({}, [], {"../manifest.json": "0" * 64}, {"latency_ms.npz": 1})),
        *(((*METRIC, "domain", "reach"), value) for value in (-1, "far", 10**400)),
        ((*METRIC, "domain", "lowest", "flops"), "low"),
        ((*METRIC, "members", 0, "hyperparameters"), {"alpha": [1]}),
        *(((*METRIC, "members", 0, "algorithm"), value) for value in ("pickle", "ensemble", None)),
        *(((*METRIC, "members"), value) for value in ([], {}, 1)),
        ((*METRIC, "errors", "mape"), -1),
        ((*METRIC, "errors", "models"), 10**400),
        ((*METRIC, "errors", "repeatability_percent"), 1),
        *((("schema_version",), value) for value in (True, 0, -1, 1.5, "1", None, [])),
        (("target",), 5),
        (("environment",), []),
        (("environment",), {"device": "cpu"}),
        (("training_digest",), "none"),
    ],
)
def test_hostile_manifest_value_is_refused_by_its_key(folder, keys, value):
    rewrite(folder, lambda manifest: put(manifest, keys, value))
    refused(folder, "manifest.json", *(() if value is None and len(keys) == 1 else (keys[-1],)))


EXPERTS_ARRAYS = (
    ("experts.terms", lambda terms: terms + 99),
    ("experts.ratios", lambda ratios: np.full((1, 6), 99.0)),
    ("experts.overall", lambda overall: 0 * overall),
    ("experts.overall", lambda overall: overall[:-1]),
    ("experts.costs", lambda costs: -costs - 1),
    ("experts.costs", lambda costs: costs[:0]),
    ("experts.gate", lambda value: 0 * value),
    ("experts.gate", lambda value: value[:, :0]),
    ("experts.offsets", lambda offsets: offsets + 1e6),
    ("experts.centres", lambda centres: centres[:, :1]),
    ("experts.scales", lambda scales: 0 * scales),
    ("experts.points", lambda points: points[:1]),
    ("experts.weights", lambda weights: weights[:1]),
    ("experts.owners", lambda owners: owners + 99),
)


@pytest.fixture(scope="module")
def experts():
    dataset = make_dataset(families=3, networks=20, sizes=(64,))
    options = make_options(splits=0, algorithms=[MIXTURE])
    return fit_predictor(dataset, evaluate(dataset, options), options)


def test_experts_survive_the_folder(experts, tmp_path):
    save_predictor(experts, tmp_path / "p")
    table = make_dataset(families=3, networks=20, sizes=(64,))
    pd.testing.assert_frame_equal(load_predictor(tmp_path / "p").predict(table), experts.predict(table))


@pytest.mark.parametrize(("key", "change"), EXPERTS_ARRAYS)
def test_malformed_experts_are_refused(experts, tmp_path, key, change):
    save_predictor(experts, tmp_path / "p")
    array = "experts.gate.value" if key == "experts.gate" else key
    rewrite_arrays(tmp_path / "p", lambda arrays: arrays.update({array: change(arrays[array])}))
    refused(tmp_path / "p", "latency_ms.npz", key)


LEAVES = {
    "feature": [
        lambda feature: np.where(feature == -1, 10**9, feature),
        lambda feature: np.where(feature == -1, 0, feature),
        lambda feature: feature[:-1],
        lambda feature: feature[:, None],
    ],
    "roots": [lambda roots: roots[:0]],
}


@pytest.mark.parametrize(("array", "change"), [(array, change) for array in LEAVES for change in LEAVES[array]])
def test_malformed_forests_are_refused(experts, tmp_path, array, change):
    save_predictor(experts, tmp_path / "p")
    key = f"experts.gate.{array}"
    rewrite_arrays(tmp_path / "p", lambda arrays: arrays.update({key: change(arrays[key])}))
    refused(tmp_path / "p", "latency_ms.npz", "trees are damaged")


def test_metrics_with_different_interval_levels_are_refused(folder):
    def change(manifest):
        second = deepcopy(metric_of(manifest))
        second["interval"]["share"] = 0.5
        manifest["parts"][0]["metrics"]["second"] = second

    rewrite(folder, change)
    refused(folder, "manifest.json", "interval.share")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a\x1b[2Jb", "a\nb"])
def test_metric_names_unfit_for_files_are_refused(folder, name):
    rewrite(folder, lambda manifest: manifest["parts"][0]["metrics"].update({name: metric_of(manifest)}))
    refused(folder, "manifest.json", "metrics")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_nan_values_need_a_digest_too(folder, number):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["manifest_digest"]
    metric_of(manifest)["interval"]["width_factor"] = "here"
    path.write_text(json.dumps(manifest).replace('"here"', number))
    refused(folder, "manifest.json", "digest")


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("0.encoding.physics.costs", lambda costs: -costs - 1),
        ("0.encoding.physics.costs", lambda costs: np.ones(3)),
        ("0.encoding.physics.costs", lambda costs: np.full(7, 1e308)),
        ("0.encoding.output", lambda output: np.full(4, 1e308)),
        ("0.encoding.output", lambda output: output * [1, 0, 1, 1]),
        ("0.encoding.output", lambda output: output[[0, 1, 3, 2]]),
        ("0.encoding.output", lambda output: output + np.array([1e6, 0, 0, 0])),
        ("0.encoding.output", lambda output: output[:3]),
        ("0.encoding.varying", lambda varying: np.where(varying == 0, -1, varying)),
        ("0.encoding.varying", lambda varying: varying + 10**9),
        ("0.encoding.varying", lambda varying: varying.astype(float)),
        ("0.encoding.varying", lambda varying: varying[:0]),
        ("0.encoding.scale", lambda scale: 0 * scale),
        ("0.encoding.scale", lambda scale: -scale),
        ("0.encoding.low", lambda low: low + 1e6),
        ("0.encoding.mean", lambda mean: mean[0]),
        ("domain.scale", lambda scale: -scale - 1),
        ("domain.low", lambda low: low + 1e6),
        ("domain.high", lambda high: high[:-1]),
        ("domain.rows", lambda rows: rows[:0]),
        ("domain.reach", lambda reach: -reach),
        ("domain.reach", lambda reach: 0 * reach),
        ("domain.reach", lambda reach: reach[:0]),
        ("intervals.coefficients", lambda coefficients: coefficients[:2]),
        ("intervals.coefficients", lambda coefficients: coefficients - [0, 1e3, 1e3]),
        ("0.encoding.physics.roots", lambda roots: -roots - 1),
        ("0.encoding.physics.pairs", lambda pairs: np.full((1, 2), 99)),
        ("0.encoding.physics.caps", lambda caps: np.ones(3)),
        ("0.encoding.physics.capped", lambda capped: np.ones(3)),
        ("0.encoding.ratios", lambda ratios: np.full((1, 6), 99.0)),
        ("0.encoding.anchored", lambda anchored: np.ones(2)),
        ("outlier_bounds.features", lambda features: np.array([99])),
        ("outlier_bounds.others", lambda others: np.zeros((3, 1), dtype=int)),
        ("intervals.low", lambda low: low + 1e6),
        ("intervals.high", lambda high: high[:1]),
        ("intervals.quantile", lambda quantile: -quantile - 1),
        ("intervals.quantile", lambda quantile: np.full(1, 1e308)),
    ],
)
def test_malformed_arrays_are_refused(folder, key, change):
    rewrite_arrays(folder, lambda arrays: arrays.update({key: change(arrays[key])}))
    refused(folder, "latency_ms.npz")


def test_infinite_domains_are_refused(folder):
    rewrite_arrays(folder, lambda arrays: arrays.update({"domain.high": np.full(6, 1e300)}))
    refused(folder, "latency_ms.npz")


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("left", lambda left: np.where(left < 0, left, 0)),
        ("right", lambda right: np.where(right < 0, right, 2 * 10**9)),
        ("feature", lambda feature: np.where(feature < 0, feature, 99)),
        ("feature", lambda feature: feature[:-1]),
        ("roots", lambda roots: roots - 1),
        ("value", lambda value: value[:-1]),
        ("value", lambda value: value[:, None]),
        ("base", lambda base: np.array([np.nan])),
        ("base", lambda base: base[:0]),
    ],
)
def test_damaged_boosted_trees_are_refused(boosted, tmp_path, key, change):
    save_predictor(boosted, tmp_path / "p")
    name = f"0.learner.{key}"
    rewrite_arrays(tmp_path / "p", lambda arrays: arrays.update({name: change(arrays[name])}))
    refused(tmp_path / "p", "latency_ms.npz")


def test_importing_the_predictor_does_not_import_schemas():
    code = "import sys, perfcast.fit.predictor; assert 'jsonschema' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_folder_with_recomputed_digests_loads(boosted, folder, tmp_path):
    rewrite(folder, lambda manifest: None)
    load_predictor(folder)
    save_predictor(boosted, tmp_path / "p")
    assert json.loads((tmp_path / "p/manifest.json").read_text())["manifest_digest"] != digest_of_json({})
    load_predictor(tmp_path / "p")
