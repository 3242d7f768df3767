"""The fit stage: what a dataset is fitted with, and what its manifest records."""

import pandas as pd
import pytest

from perfcast.config import schema
from perfcast.errors import UsageError
from perfcast.features.definitions import FEATURES
from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.options import ALGORITHMS
from perfcast.fit.selection import TRAINING
from perfcast.fit.stage import FitFolders, options_of
from perfcast.storage import digest_of
from tests.unit.fit.conftest import FEATURES as TRAINED_ON

METRICS = {"latency_ms": {"column": "latency_ms", "unit": "ms"}}
CHOICES = {"splits": 1, "seed": 3, "test_share": 0.2, "interval": 0.8}


def test_measured_dataset_is_fitted_with_perfcast_features():
    options = options_of(pd.DataFrame(), METRICS, CHOICES, 2)
    assert set(options.features) <= {feature.name for feature in FEATURES}
    assert (options.jobs, options.seed, options.interval, options.implausible) == (2, 3, 0.8, {})
    assert options.metrics["latency_ms"].unit == "ms"


@pytest.mark.parametrize(("workload", "learned"), [("training_step", True), ("inference", False)])
def test_training_memory_is_learned_if_present(workload, learned):
    dataset = pd.DataFrame({"workload": ["inference", workload], **dict.fromkeys(TRAINING, 1.0)})
    assert (set(TRAINING) <= set(options_of(dataset, METRICS, CHOICES, 1).features)) is learned
    older = dataset.drop(columns=TRAINING[0])
    assert not set(TRAINING) & set(options_of(older, METRICS, CHOICES, 1).features)


def test_all_algorithms_can_be_chosen():
    named = schema("config")["properties"]["fit"]["properties"]["algorithms"]["items"]["enum"]
    assert tuple(named) == ALGORITHMS
    assert options_of(pd.DataFrame(), METRICS, CHOICES | {"algorithms": ["svr"]}, 1).algorithms == ["svr"]


def test_imported_dataset_names_its_own_features():
    dataset = pd.DataFrame()
    dataset.attrs.update(features=["cells", "width"], implausible={"cells": ["width"]})
    options = options_of(dataset, METRICS, CHOICES, 1)
    assert options.features == ("cells", "width")
    assert options.implausible == {"cells": ("width",)}


def test_energy_is_a_metric_with_a_predictor_of_its_own(dataset):
    powered = dataset.assign(latency_ms=dataset["latency_mean_ms"], energy_run_mj=12.0 * dataset["latency_mean_ms"])
    powered.attrs["features"] = list(TRAINED_ON)
    energy = {"energy_mj": {"column": "energy_run_mj", "unit": "mJ"}}
    options = options_of(powered, METRICS | energy, CHOICES | {"algorithms": ["poly"]}, 1)
    predictor = fit_predictor(powered, evaluate(powered, options), options)
    found = predictor.predict(powered).set_index("metric")
    assert set(found.loc["energy_mj", "unit"]) == {"mJ"}
    ratios = found.loc["energy_mj", "prediction"].to_numpy() / found.loc["latency_ms", "prediction"].to_numpy()
    assert ratios == pytest.approx(12.0, rel=1e-6)


def test_an_option_out_of_range_is_refused():
    with pytest.raises(UsageError, match="interval"):
        options_of(pd.DataFrame(), METRICS, CHOICES | {"interval": 2}, 1)


def test_the_manifest_names_each_file_with_its_digest(tmp_path):
    folders = FitFolders(tmp_path / "evaluation", tmp_path / "predictor")
    for folder in (folders.evaluation, folders.predictor):
        folder.mkdir()
        (folder / "summary.json").write_text(folder.name)
    assert folders.digests() == {
        "evaluation/summary.json": digest_of(b"evaluation"),
        "predictor/summary.json": digest_of(b"predictor"),
    }
