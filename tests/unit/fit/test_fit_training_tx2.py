"""Training on a Jetson TX2: errors on networks that were not trained on, and the known flaws of the tables."""

import numpy as np
import pandas as pd
import pytest

from perfcast.fit.fitting import train
from perfcast.fit.measures import mape
from perfcast.fit.options import LINEAR, FitOptions, Metric
from perfcast.fit.training_data import training_data
from perfcast.tables.dataset import import_table
from perfcast.tables.mapping import load_mapping
from perfcast.tables.reading import read_tables
from tests.conftest import ROOT
from tests.measured import FOLDER, needs
from tests.unit.test_cli import run

DATA = FOLDER / "training_tx2"
IMPOSSIBLE_ROW = 443


def read(kind, table, metric):
    mapping = load_mapping(ROOT / f"config/tables/training_tx2_{kind}.yaml").chosen([metric])
    imported = import_table(read_tables([DATA / table], mapping), mapping)
    options = FitOptions(imported.features, {metric: Metric(metric, mapping.metrics[metric].unit)}, held=mapping.held)
    return imported, training_data(imported.dataset, options.metrics[metric], options)


@needs(DATA)
@pytest.mark.heavy
@pytest.mark.parametrize(
    ("kind", "table", "metric", "highest"),
    [
        ("memory", "memory_mb.csv", "mem_alloc_mb", 5.4),
        ("memory", "memory_mb.csv", "mem_used_mb", 7.8),
        ("latency", "latency_ms.csv", "latency_ms", 9.0),
    ],
)
def test_each_network_is_predicted_by_the_others(kind, table, metric, highest):
    imported, data = read(kind, table, metric)
    assert len(data.censored) == (347 if kind == "memory" else 0)
    far = imported.problems[imported.problems["problem"] == "is far from similar rows"]
    assert list(far["row"]) == ([] if kind == "memory" else [IMPOSSIBLE_ROW])
    predicted = np.empty(len(data))
    for network in set(data.families):
        own = data.families == network
        rows = data.take(np.flatnonzero(~own))
        predicted[own] = train(LINEAR, rows, rows.families, seed=0).predict(data.take(np.flatnonzero(own))).values
    assert mape(data.target, predicted) < highest


@needs(DATA)
@pytest.mark.heavy
def test_a_model_is_predicted_like_its_row(tmp_path):
    mapping = ROOT / "config/tables/training_tx2_memory.yaml"
    table, folder = DATA / "memory_mb.csv", tmp_path / "memory"
    only = ("--metric", "mem_alloc_mb", "--algorithm", "linear", "--jobs", 1)
    answer = run("fit", table, "--mapping", mapping, "--out", folder, *only)
    assert answer.exit_code == 0, answer.output
    answer = run("predict", "resnet18_224", "--predictor", folder, "--batch", 32, "--out", tmp_path / "predictions.csv")
    assert answer.exit_code == 0, answer.output
    of_model = pd.read_csv(tmp_path / "predictions.csv").iloc[0]
    rows = pd.read_csv(table).query("model == 'resnet18_0' and batch == 32")
    rows.to_csv(tmp_path / "row.csv", index=False)
    row = ("predict", tmp_path / "row.csv", "--mapping", mapping, "--predictor", folder)
    answer = run(*row, "--out", tmp_path / "row_predicted.csv")
    assert answer.exit_code == 0, answer.output
    of_row = pd.read_csv(tmp_path / "row_predicted.csv").iloc[0]
    assert of_model["prediction"] == pytest.approx(of_row["prediction"], rel=0.01)
    assert of_model["in_domain"]
    assert of_row["lower"] < of_row["mem_alloc_mb"] < of_row["upper"]
