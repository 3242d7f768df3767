"""A small dataset with known physics, and what is trained on it once for all tests."""

import json

import numpy as np
import pandas as pd
import pytest

from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.options import FitOptions, Metric
from perfcast.fit.persistence.folder import save_predictor
from perfcast.storage import digest_of_file, digest_of_json

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
    return make_dataset(families=3, sizes=(64, 128, 224))


@pytest.fixture(scope="session")
def options():
    return make_options()


@pytest.fixture(scope="session")
def evaluation(dataset, options):
    """An evaluation of all algorithms; with small forests, as most of the time of an evaluation goes into theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("perfcast.fit.regressors.FOREST_TREES", 10)
        patch.setattr("perfcast.fit.regressors.EXTRA_TREES", 15)
        return evaluate(dataset, options)


@pytest.fixture(scope="session")
def predictor(dataset, evaluation, options):
    return fit_predictor(dataset, evaluation, options)


@pytest.fixture
def folder(predictor, tmp_path):
    save_predictor(predictor, tmp_path / "predictor")
    return tmp_path / "predictor"


def rewrite(folder, change):
    """Change the manifest as someone would who also repairs its digest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["manifest_digest"]
    change(manifest)
    path.write_text(json.dumps(manifest | {"manifest_digest": digest_of_json(manifest)}))


def metric_of(manifest):
    return manifest["parts"][0]["metrics"]["latency_ms"]


def rewrite_arrays(folder, change):
    """Change the arrays as someone would who also repairs all digests."""
    path = folder / "latency_ms.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)
    rewrite(folder, lambda manifest: metric_of(manifest)["files"].update({path.name: digest_of_file(path)}))
