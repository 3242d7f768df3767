"""Predictions of published measurements at input sizes that were not trained on."""

import numpy as np
import pytest

from perfcast.fit.fitting import train
from perfcast.fit.options import MIXTURE, FitOptions, Metric
from perfcast.fit.training_data import training_data
from perfcast.tables.dataset import import_table
from perfcast.tables.mapping import load_mapping
from perfcast.tables.reading import read_tables
from tests.conftest import ROOT
from tests.measured import FOLDER, needs

DATA = FOLDER / "edge_gpu_2022" / "execution_time" / "Nano"


def read(name):
    mapping = load_mapping(ROOT / "config/tables/edge_gpu_2022_time.yaml")
    imported = import_table(read_tables([DATA / name], mapping), mapping)
    options = FitOptions(imported.features, {"latency_ms": Metric("latency_ms", "ms")})
    return training_data(imported.dataset, options.metrics["latency_ms"], options)


# The published errors of these algorithms; the last is that of the best of them.
@needs(DATA)
@pytest.mark.parametrize(
    ("algorithm", "published"), [("poly", 10.16), ("svr", 11.83), ("xgboost", 9.12), (MIXTURE, 9.12)]
)
def test_error_at_unseen_sizes_is_below_published(algorithm, published):
    training, test = read("training_dataset.csv"), read("test_dim1.csv")
    prediction = train(algorithm, training, training.families, seed=0).predict(test).values
    assert 100 * np.abs(prediction / test.target - 1).mean() < published
