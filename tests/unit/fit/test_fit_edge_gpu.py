"""Forecasts of published measurements at input sizes that were not learned from."""

import numpy as np
import pandas as pd
import pytest

from perfcast.fit.fitting import fit, tune
from perfcast.fit.regressors import CHEAP, GRIDS
from perfcast.fit.table import Rows
from tests.measured import FOLDER, needs

DATA = FOLDER / "edge_gpu_2022" / "execution_time" / "Nano"
COLUMNS = [
    "model", "input_shape", "latency_ms", "input_width", "input_size", "conv", "bn", "fc", "flops",
    "layers", "conv_layers", "bn_layers", "fc_layers", "sum_activations", "neurons",
]  # fmt: skip


def read(name):
    table = pd.read_csv(DATA / name, header=None, names=COLUMNS, na_values="?").dropna()
    features = table[COLUMNS[5:]].assign(pixels=table["input_width"] ** 2).to_numpy(float)
    return Rows(features, table["latency_ms"].to_numpy(float), np.ones(features.shape[1], bool))


@needs(DATA)
@pytest.mark.parametrize(("algorithm", "bound"), [("poly", 11), ("svr", 8), ("xgboost", 8)])
def test_unseen_sizes_are_forecast_better_than_published(algorithm, bound):
    train, test = read("training_dataset.csv"), read("test_dim1.csv")
    settings = GRIDS[algorithm][0]
    if algorithm in CHEAP:
        settings = tune(algorithm, train, np.arange(len(train.target)) // 20, seed=0)
    forecast = fit(algorithm, settings, train, seed=0).predict(test.inputs)
    assert 100 * np.abs(forecast / test.target - 1).mean() < bound
