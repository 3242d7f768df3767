"""Training on a Jetson TX2: errors on networks that were not trained on, and the known flaws of the tables."""

import numpy as np
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

DATA = FOLDER / "training_tx2"
IMPOSSIBLE_ROW = 443


def read(kind, table, metric):
    mapping = load_mapping(ROOT / f"config/tables/training_tx2_{kind}.yaml").chosen([metric])
    imported = import_table(read_tables([DATA / table], mapping), mapping)
    options = FitOptions(imported.features, {metric: Metric(metric, mapping.metrics[metric].unit)})
    return imported, training_data(imported.dataset, options.metrics[metric], options)


@needs(DATA)
@pytest.mark.heavy
@pytest.mark.parametrize(
    ("kind", "table", "metric", "highest"),
    [("memory", "memory_mb.csv", "mem_alloc_mb", 6.0), ("latency", "latency_ms.csv", "latency_ms", 9.0)],
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
