"""How often `perfcast study training` is right, on convolutions whose law and noise are known.

    PYTHONPATH=. python benchmarks/training.py [--sets N]

Printed, each with the 95% interval of Clopper and Pearson:

- changes: how often the interval of a planted change of the exponent holds its place, and how often a change is found
  where there is none;
- ratios: how often the interval of 5×5 followed by 3×3 relative to 7×7 holds the true ratio;
- claims: how often all three are confirmed where they are true, and contradicted where they are false, by wide margins.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from perfcast.studies.training.answers import Rules, answers_of
from perfcast.studies.training.cells import read_cells
from tests.unit.simulated_convolutions import Law, dataset, holds

NOISES = (0.005, 0.02, 0.05)
TURNS = (3.0, 5.0, 6.5)
TRUE = {"stacked": 0.7, "beyond": 3.2}
FALSE = {"stacked": 1.3, "before": 2.0, "beyond": 2.0, "batch": 0.7}


def share_of(count, total):
    """Return a share and its 95% interval in words."""
    low, high = stats.binomtest(int(count), total).proportion_ci(method="exact")
    return f"{100 * count / total:5.1f}% ({100 * low:.1f} to {100 * high:.1f}%)"


def answered(law, seed, folder):
    """Return what the study finds in one simulated dataset."""
    path = folder / "dataset.parquet"
    dataset(law, np.random.default_rng(seed)).to_parquet(path)
    (found,) = answers_of(read_cells([path])[0], Rules())
    return found


def print_changes(sets, folder):
    for noise in NOISES:
        for turn in TURNS:
            found = [answered(Law(turn=turn, noise=noise), seed, folder) for seed in range(sets)]
            growths = [growth for each in found for growth in each.growths]
            held = sum(any(holds(each, turn) for each in growth.breaks) for growth in growths)
            print(f"  noise {noise:5.1%}, change at {turn}: held {share_of(held, len(growths))}", flush=True)
        none = [answered(Law(before=2, beyond=2, noise=noise), seed, folder) for seed in range(sets)]
        alarms = sum(any(growth.breaks for growth in each.growths) for each in none)
        print(f"  noise {noise:5.1%}, no change: found in any curve {share_of(alarms, sets)}", flush=True)


def print_ratios(sets, folder):
    for noise in NOISES:
        ratios = [each.ratio for seed in range(sets) for each in answered(Law(noise=noise), seed, folder).stacked]
        held = sum(each.low <= Law().stacked <= each.high for each in ratios)
        print(f"  noise {noise:5.1%}: {share_of(held, len(ratios))}; all hold at once with 95%", flush=True)


def print_claims(sets, folder):
    for noise in NOISES:
        for values, verdict in ((TRUE, "confirmed"), (FALSE, "contradicted")):
            found = [answered(Law(noise=noise, **values), seed, folder) for seed in range(sets)]
            right = sum(all(claim.verdict == verdict for claim in each.claims) for each in found)
            print(f"  noise {noise:5.1%}: all {verdict} {share_of(right, sets)}", flush=True)


def main():
    """Print all parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=50, help="simulated datasets of each kind")
    sets = parser.parse_args().sets
    parts = {"changes": print_changes, "ratios": print_ratios, "claims": print_claims}
    with tempfile.TemporaryDirectory() as folder:
        for name, show in parts.items():
            print(f"{name}, {sets} datasets each")
            show(sets, Path(folder))


if __name__ == "__main__":
    main()
