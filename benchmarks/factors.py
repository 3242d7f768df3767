"""How often the study of test results calls planted confounders and change points right, and how long tables take.

    PYTHONPATH=. python benchmarks/factors.py [--simulations N]
    PYTHONPATH=. python benchmarks/factors.py --rows 10000000

The first prints, over simulated test results (`tests/unit/factors/simulated.py`), the share in which the confounded
factor, the factor without an effect, and the two change points are called right, with the 95% interval of Clopper and
Pearson; and how often the interval of an effect holds the true one. The second times one table of so many rows.
"""

import argparse
import csv
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import stats

from perfcast.studies.factors.analysis import analyse
from perfcast.studies.factors.page import factors_page
from perfcast.studies.factors.roles import Asked
from perfcast.studies.factors.source import read_source
from tests.unit.factors.judged import judge
from tests.unit.factors.simulated import simulated

PARTS = ("confounder", "change_point", "confounded", "no_effect", "change", "switch", "covered")


def simulate(count):
    judged = [judge(seed) for seed in range(count)]
    for part in PARTS:
        right = sum(bool(getattr(each, part)) for each in judged)
        bounds = stats.binomtest(right, count).proportion_ci(0.95, "exact")
        print(f"{part.replace('_', ' ')}: {right} of {count} ({bounds.low:.1%} to {bounds.high:.1%})")


def write_table(path, count):
    table, _ = simulated(0)
    chance = np.random.default_rng(0)
    names = ["network", "threads", "device", "build", "optimised", "time_ms", "memory_mb"]
    rows = [tuple(row) for row in table[names].itertuples(index=False)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for start in range(0, count, 100_000):
            noise = np.exp(0.02 * chance.standard_normal(100_000))
            writer.writerows(
                (*rows[(start + place) % len(rows)][:5], f"{rows[(start + place) % len(rows)][5] * each:.6g}", 100)
                for place, each in enumerate(noise[: count - start])
            )


def time_table(count):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_table(path, count)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        begin = time.perf_counter()
        results = read_source([path], Asked()).results
        read = time.perf_counter() - begin
        factors_page(analyse(results, suggestions=12, keep_outliers=False), ()).html()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = path.stat().st_size / 2**20
    whole = time.perf_counter() - begin
    print(f"{results.total:,} rows, {size:.0f} MiB: read in {read:.0f} s, page after {whole:.0f} s")
    print(f"peak {peak:.0f} MiB, {before:.0f} MiB before")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--rows", type=int)
    given = parser.parse_args()
    if given.rows:
        time_table(given.rows)
    else:
        simulate(given.simulations)


if __name__ == "__main__":
    main()
