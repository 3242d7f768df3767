"""A small dataset with known physics, and what is trained on it once for all tests."""

import numpy as np
import pandas as pd
import pytest

from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.options import FitOptions, Metric

FEATURES = ("flops", "sum_activations", "conv_parameters", "nb_layers", "depthwise_share", "channels")


def make_dataset(families=4, networks=2, sizes=(64, 96, 128, 224), seed=0):
    random = np.random.default_rng(seed)
    rows = []
    for family in range(families):
        for network in range(networks):
            width, layers = random.uniform(0.3, 3), int(random.integers(10, 100))
            for size in sizes:
                rows.append(
                    {
                        "model": f"family{family}_net{network}_{size}",
                        "family": f"family{family}",
                        "input_size": size,
                        "replicate": 0,
                        "status": "measured",
                        "target": "bench",
                        "threads": 1,
                        "batch": 1,
                        "flops": 4e4 * width**2 * size**2 * layers,
                        "sum_activations": 60 * width * size**2 * layers,
                        "conv_parameters": 5e4 * width**2 * layers,
                        "nb_layers": layers,
                        "depthwise_share": random.uniform(0, 1),
                        "channels": 3,
                    }
                )
    table = pd.DataFrame(rows)
    noise = random.lognormal(0, 0.03, (2, len(table)))
    latency = 0.5 + 2e-9 * table["flops"] + 4e-8 * table["sum_activations"] + 0.02 * table["nb_layers"]
    memory = 30 + 4e-6 * table["conv_parameters"] + 1e-7 * table["sum_activations"]
    return table.assign(latency_mean_ms=latency * noise[0], ram_run_peak_mb=memory * noise[1])


def make_options(**changes):
    values = {"metrics": {"latency_ms": Metric("latency_mean_ms", "ms")}, "splits": 3}
    return FitOptions(**{"features": FEATURES} | values | changes)


@pytest.fixture(scope="session")
def dataset():
    return make_dataset()


@pytest.fixture(scope="session")
def options():
    return make_options()


@pytest.fixture(scope="session")
def evaluation(dataset, options):
    return evaluate(dataset, options)


@pytest.fixture(scope="session")
def predictor(dataset, evaluation, options):
    return fit_predictor(dataset, evaluation, options)
