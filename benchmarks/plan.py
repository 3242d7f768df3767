"""How far `perfcast plan` is from a campaign that was run, and the constants that would fit it best.

Run it after `make run`: `.venv/bin/python benchmarks/plan.py results/local/dataset.parquet`.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from perfcast.planning import costs


def main(path: str) -> None:
    """Print planned against measured sums, and the best constants, of the dataset at ``path``."""
    table = pd.read_parquet(path)
    table = table[(table["status"] == "measured") & (table["replicate"] == 0)]
    threads, batch = int(table["threads"].iloc[0]), int(table["batch"].iloc[0])
    visits = table["visits"]
    print(f"visits a model: {visits.mean():.2f}, {table['disturbed_visits'].mean():.2f} of them disturbed")
    compare("overhead_s", table["overhead_s"], costs.overhead_s(table, visits))
    compare("latency_ms", table["latency_ms"], batch * costs.latency_ms(table, threads))
    loading, running = costs.peaks_mb(table, table.iloc[0])
    compare("load_peak_mb", table["ram_load_peak_mb"], loading)
    compare("run_peak_mb", table["ram_run_peak_mb"], running)
    layers, weights, activations = (
        table["fused_layers"],
        table["weight_bytes"] / 1e6,
        table["peak_activation_bytes"] / 1e6,
    )
    fit(
        "overhead_s",
        table["overhead_s"],
        constant=layers * 0 + 1,
        visits=visits,
        fused_layers=layers,
        weight_gb=weights / 1e3,
    )
    operations, moved = table["flops"] / 1e9 * 2 / threads, table["fused_moved_bytes"] / 1e9
    depthwise = table["depthwise_macs"] / 1e9
    fit(
        "latency_ms",
        table["latency_ms"],
        fused_layers=layers,
        gflops=operations,
        moved_gb=moved,
        depthwise=depthwise,
    )
    fit("latency_ms", table["latency_ms"], fused_layers=layers, gflops=operations, moved_gb=moved)
    for name in ("ram_load_peak_mb", "ram_run_peak_mb"):
        fit(name, table[name].clip(lower=1), weights_mb=weights, activations_mb=activations, fused_layers=layers)


def compare(name: str, measured: pd.Series, planned: pd.Series) -> None:
    """Print the sums of both, and the median relative difference."""
    known = measured.notna() & (measured > 0)
    error = (planned / measured - 1)[known].abs().median()
    sums = f"measured {measured[known].sum():.4g}, planned {planned[known].sum():.4g} in all"
    print(f"{name}: {sums}, median error {error:.0%}")


def fit(name: str, measured: pd.Series, **terms: pd.Series) -> None:
    """Print the non-negative factors of ``terms`` with the least relative error."""
    matrix = np.column_stack([term / measured for term in terms.values()])
    factors, _ = nnls(matrix, np.ones(len(measured)))
    print(f"{name} fits best:", ", ".join(f"{f:.4g} {n}" for f, n in zip(factors, terms, strict=True)))
    print(f"  sum {sum(f * t.sum() for f, t in zip(factors, terms.values(), strict=True)):.4g} of {measured.sum():.4g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
