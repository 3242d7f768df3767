"""How often `perfcast study scaling` is right, on data whose law, thresholds and noise are known.

    PYTHONPATH=. python benchmarks/scaling.py [--sets N] [--only PART]

Printed, each with the 95% interval of Clopper and Pearson:

- coverage: how often the 95% interval of an exponent holds the true one, by kind of noise; beside it that of plain
  least squares over single measurements, which takes repetitions for independent;
- thresholds: how often a planted change of an exponent is found within one level of where it is, and how often one is
  found where there is none;
- limits: the first for a search that is told the scatter at each level instead of estimating it, at the nominal rate of
  false alarms;
- claims: how often a claim that is false by a wide margin is confirmed, or one that is true is contradicted.
"""

import argparse

import numpy as np
from scipy import stats

from perfcast.studies.scaling.thresholds import thresholds_of
from tests.unit import simulated_scaling as simulations

LEVELS = {
    "layers 4 to 10, four levels": (4, 6, 8, 10),
    "layers 2 to 128, seven levels": (2, 4, 8, 16, 32, 64, 128),
    "layers 2 to 24, twelve levels": tuple(range(2, 26, 2)),
}
CHANGES = (-1.0, 0.5, 1.0)
ALPHA = 0.05


def share_of(count, total):
    """Return a share and its 95% interval in words."""
    low, high = stats.binomtest(int(count), total).proportion_ci(method="exact")
    return f"{100 * count / total:5.1f}% ({100 * low:.1f} to {100 * high:.1f}%)"


def covered(noise, random):
    """Return, by factor, whether the interval of the study and that of plain least squares hold the exponent."""
    table = simulations.combinations(simulations.DOCUMENT)
    rows = simulations.noisy(table, simulations.power_law(table), noise, random)
    true = simulations.EXPONENTS.values()
    plainly = [low <= exponent <= high for (low, high), exponent in zip(plain(rows), true, strict=True)]
    return simulations.covered(rows), plainly


def plain(rows):
    """Return the intervals of ordinary least squares over single rows."""
    design = np.column_stack([np.ones(len(rows)), np.log(rows[list(simulations.EXPONENTS)])])
    logs = np.log(rows["time"].to_numpy())
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ logs
    freedom = len(rows) - design.shape[1]
    variance = ((logs - design @ fitted) ** 2).sum() / freedom
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(variance * np.diag(inverse))
    return list(zip((fitted - reach)[1:], (fitted + reach)[1:], strict=True))


def print_coverage(sets):
    print(f"coverage of 95% intervals of exponents, {sets} data sets each")
    for name, noise in simulations.NOISES.items():
        random = np.random.default_rng(1)
        found = np.array([covered(noise, random) for _ in range(sets)])
        for place, factor in enumerate(simulations.EXPONENTS):
            own, plainly = (share_of(found[:, which, place].sum(), sets) for which in (0, 1))
            print(f"  {name:40} {factor:10} {own}; plain least squares {plainly}")


def print_thresholds(sets):
    print(f"thresholds, {sets} data sets each: found within one level; interval of those found holds it")
    for name, levels in LEVELS.items():
        for kind, noise in simulations.THRESHOLD_NOISES.items():
            for change in CHANGES:
                random = np.random.default_rng(2)
                planted = [simulations.bent(levels, change, noise, random) for _ in range(sets)]
                found = [simulations.near(observations, level, levels) for observations, level in planted]
                near_it = share_of(sum(within for within, _ in found), sets)
                known = [held for _, held in found if held is not None]
                holds = share_of(sum(known), len(known)) if known else "none found"
                print(f"  {name:30} {kind:33} exponent {change:+.1f}: {near_it}; {holds}")
            alarms = sum(any(each.breaks for each in false_alarms(levels, noise, seed)) for seed in range(sets))
            print(f"  {name:30} {kind:33} no threshold:  {share_of(alarms, sets)}")


def false_alarms(levels, noise, seed):
    observations = simulations.simulated(noise=noise, levels={**simulations.DOCUMENT, "Layers": levels}, random=seed)
    return thresholds_of(observations, ALPHA)


def print_limits(sets):
    """Print what a search finds that does not have to estimate the scatter."""
    print(f"limits of thresholds, {sets} data sets each: found within one level, the scatter being known")
    for name, levels in LEVELS.items():
        for kind, noise in simulations.THRESHOLD_NOISES.items():
            for change in CHANGES:
                found = within_one_level(np.array(levels, float), change, noise, sets)
                print(f"  {name:30} {kind:33} exponent {change:+.1f}: {share_of(found, sets)}")


def within_one_level(levels, change, noise, sets):
    """Return in how many data sets the likelihood ratio test finds a planted change within one level.

    Errors are normal, of the true variance; the critical value is that of the largest of all places, simulated.
    """
    random, x = np.random.default_rng(3), np.log(levels)
    factors = [len(values) for name, values in simulations.DOCUMENT.items() if name != "Layers"]
    error = noise.deviation(levels) * np.sqrt((noise.run**2 + 1 / noise.repetitions) / np.prod(factors))
    places = np.linspace(x[1], x[-2], 10 * (len(x) - 3) + 1)
    line = np.column_stack([np.ones_like(x), x]) / error[:, None]
    rest = np.linalg.svd(line, full_matrices=True)[0][:, line.shape[1] :].T
    directions = rest @ (np.maximum(x[:, None] - places, 0) / error[:, None])
    directions /= np.linalg.norm(directions, axis=0)
    null = np.abs(random.standard_normal((100_000, len(rest))) @ directions).max(axis=1)
    critical = np.quantile(null, 1 - ALPHA / len(simulations.DOCUMENT))
    planted = random.integers(1, len(x) - 1, sets)
    values = change * np.maximum(x - x[planted][:, None], 0) / error + random.standard_normal((sets, len(x)))
    gains = np.abs(values @ rest.T @ directions)
    best = places[gains.argmax(axis=1)]
    is_near = simulations.is_within_one_level(np.exp(best), planted, levels)
    return int((is_near & (gains.max(axis=1) > critical)).sum())


def print_claims(sets):
    """Print wrong verdicts where layers alone matter, logarithmically, and where all factors do."""
    print(f"claims, {sets} data sets each: verdicts")
    worlds = {
        "layers alone, logarithmically": lambda table: np.log(1 + np.log(table["Layers"])),
        "all factors, by powers": simulations.power_law,
    }
    for world, logs in worlds.items():
        verdicts = {}
        for seed in range(sets):
            observations = simulations.simulated(logs, simulations.Noise(run=1, repetitions=3), random=seed)
            for claim in simulations.claims_of(observations):
                verdicts.setdefault(claim.statement, []).append(claim.verdict)
        for statement, found in verdicts.items():
            told = ", ".join(f"{verdict} {share_of(found.count(verdict), sets)}" for verdict in sorted(set(found)))
            print(f"  {world:30} {statement[:60]:60} {told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000, help="simulated data sets of each kind")
    parser.add_argument("--only", default="", choices=["coverage", "thresholds", "limits", "claims"])
    chosen = parser.parse_args()
    sets, only = chosen.sets, chosen.only
    parts = (
        (print_coverage, sets),
        (print_thresholds, sets // 5),
        (print_limits, 10 * sets),
        (print_claims, sets // 5),
    )
    for tell, count in parts:
        if only in tell.__name__:
            tell(count)


if __name__ == "__main__":
    main()
