"""A folder of results as the workflow writes it, with some combinations of factors missing."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd

MODELS = ("mlp_2_64_32", "mlp_4_64_32", "mlp_2_128_32")


def write_results(folder: Path, version: str = "2.21.0", factor: float = 1.0) -> Path:
    """Write a model database and the dataset of the target `local`, and return the folder."""
    (folder / "local").mkdir(parents=True)
    _database().to_csv(folder / "models.csv", index=False)
    _dataset(version, factor).to_parquet(folder / "local/dataset.parquet")
    return folder


def _database() -> pd.DataFrame:
    rows = []
    for model in MODELS:
        _, layers, units, size = model.split("_")
        parameters = {"builder": "mlp", "input_shape": [int(size)] * 2 + [3], "seed": 0}
        parameters |= {"layers": int(layers), "units": int(units)}
        name = model.removesuffix(f"_{size}")
        rows.append((model, name, "mlp", size, "dense", json.dumps(parameters)))
    for layers in (1, 2, 3):
        parameters = {"builder": "basic_model", "input_shape": [32, 32, 3], "seed": 0}
        parameters |= {"conv_layers": layers, "filter_size": 3, "filters": 8, "strides": 1}
        name = f"basic_model_{layers}_3_8_1"
        rows.append((f"{name}_32", name, "basic_model", "32", "synthetic", json.dumps(parameters)))
    return pd.DataFrame(rows, columns=["model", "name", "family", "input_size", "source", "parameters"])


def _dataset(version: str, factor: float) -> pd.DataFrame:
    chance = np.random.default_rng(0)
    rows = []
    for (place, model), threads, optimised in itertools.product(enumerate(MODELS), (1, 2, 4), (True, False)):
        if place == 2 and (threads != 1 or not optimised):
            continue
        for replicate in range(2 if place == 0 and threads < 4 and optimised else 1):
            time = factor * (place + 1) * threads**-0.7 * (1.0 if optimised else 1.4)
            rows.append(
                (model, threads, optimised, replicate, time * np.exp(0.02 * chance.standard_normal()), "measured")
            )
    rows.append((MODELS[0], 8, True, 0, np.nan, "crashed"))
    names = ["model", "threads", "graph_optimizations", "replicate", "latency_ms", "status"]
    return pd.DataFrame(rows, columns=names).assign(
        ram_run_peak_mb=lambda table: 50.0 + 10 * table["threads"],
        trust="trusted",
        family="mlp",
        target="local",
        device="a processor",
        toolchain="tensorflow",
        toolchain_version=version,
        workload="inference",
        precision="float32",
        weights_as="constant",
        batch=1,
        clock_mhz=np.nan,
        protocol="adaptive",
        fingerprint=f"fingerprint of {version}",
        environment=f"environment of {version}",
    )
