"""How often `perfcast study scaling` is right, on data whose law, thresholds and noise are known.

    PYTHONPATH=. python benchmarks/scaling.py [--sets N] [--only PART]

Printed, each with the 95% interval of Clopper and Pearson:

- coverage: how often the 95% interval of an exponent holds the true one, by kind of noise; beside it that of plain
  least squares over single measurements, which takes repetitions for independent;
- thresholds: how often a planted change of an exponent is found within one level of where it is, and how often one is
  found where there is none;
- claims: how often a claim that is false by a wide margin is confirmed, or one that is true is contradicted.
"""

import argparse

import numpy as np
from scipy import stats

from perfcast.studies.scaling.claims import Rules, judged_claims
from perfcast.studies.scaling.laws import laws_of
from perfcast.studies.scaling.thresholds import thresholds_of
from tests.unit.simulated_scaling import (
    DOCUMENT,
    EXPONENTS,
    NOISES,
    Noise,
    combinations,
    noisy,
    observations_of,
    power_law,
    with_bend,
)

LEVELS = {
    "layers 4 to 10, four levels": (4, 6, 8, 10),
    "layers 2 to 128, seven levels": (2, 4, 8, 16, 32, 64, 128),
    "layers 2 to 24, twelve levels": tuple(range(2, 26, 2)),
}
CHANGES = (-1.0, 0.5, 1.0)
THRESHOLD_NOISES = {
    "equal scatter": Noise(run=1, repetitions=3),
    "scatter grows 4-fold with layers": Noise(0.02, 0.08, run=1, repetitions=3, tails=5),
}


def share_of(count, total):
    """Return a share and its 95% interval in words."""
    low, high = stats.binomtest(int(count), total).proportion_ci(method="exact")
    return f"{100 * count / total:5.1f}% ({100 * low:.1f} to {100 * high:.1f}%)"


def covered(noise, random):
    """Return, by factor, whether the interval of the study and that of plain least squares hold the exponent."""
    table = combinations(DOCUMENT)
    rows = noisy(table, power_law(table), noise, random)
    own = [each.low <= EXPONENTS[each.factor.column] <= each.high for each in laws_of(observations_of(rows)).exponents]
    return own, [low <= true <= high for (low, high), true in zip(plain(rows), EXPONENTS.values(), strict=True)]


def plain(rows):
    """Return the intervals of ordinary least squares over single rows."""
    design = np.column_stack([np.ones(len(rows)), np.log(rows[list(EXPONENTS)])])
    logs = np.log(rows["time"].to_numpy())
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ logs
    freedom = len(rows) - design.shape[1]
    variance = ((logs - design @ fitted) ** 2).sum() / freedom
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(variance * np.diag(inverse))
    return list(zip((fitted - reach)[1:], (fitted + reach)[1:], strict=True))


def print_coverage(sets):
    print(f"coverage of 95% intervals of exponents, {sets} data sets each")
    for name, noise in NOISES.items():
        random = np.random.default_rng(1)
        found = np.array([covered(noise, random) for _ in range(sets)])
        for place, factor in enumerate(EXPONENTS):
            own, plainly = (share_of(found[:, which, place].sum(), sets) for which in (0, 1))
            print(f"  {name:40} {factor:10} {own}; plain least squares {plainly}")


def bent(levels, change, noise, random):
    """Return data whose exponent over layers changes at a level drawn at random, and that level."""
    table = combinations({**DOCUMENT, "Layers": levels})
    inner = levels[1:-1]
    level = float(inner[random.integers(len(inner))])
    logs = with_bend(power_law(table), table["Layers"], level, change)
    return observations_of(noisy(table, logs, noise, random)), level


def near(observations, level, levels):
    """Return whether a threshold over layers is within one level of the planted one; whether its interval holds that.

    The second is None where none was found.
    """
    breaks = thresholds_of(observations, 0.05)[0].breaks
    if not breaks:
        return False, None
    best = min(breaks, key=lambda each: abs(np.log(each.level / level)))
    place = levels.index(int(level))
    low, high = levels[max(place - 1, 0)], levels[min(place + 1, len(levels) - 1)]
    return low <= best.level <= high, best.low <= level * (1 + 1e-9) and level <= best.high * (1 + 1e-9)


def print_thresholds(sets):
    print(f"thresholds, {sets} data sets each: found within one level; interval of those found holds it")
    for name, levels in LEVELS.items():
        for kind, noise in THRESHOLD_NOISES.items():
            for change in CHANGES:
                random = np.random.default_rng(2)
                planted = [bent(levels, change, noise, random) for _ in range(sets)]
                found = [near(observations, level, levels) for observations, level in planted]
                near_it = share_of(sum(within for within, _ in found), sets)
                known = [held for _, held in found if held is not None]
                holds = share_of(sum(known), len(known)) if known else "none found"
                print(f"  {name:30} {kind:33} exponent {change:+.1f}: {near_it}; {holds}")
            alarms = sum(any(each.breaks for each in false_alarms(levels, noise, seed)) for seed in range(sets))
            print(f"  {name:30} {kind:33} no threshold:  {share_of(alarms, sets)}")


def false_alarms(levels, noise, seed):
    table = combinations({**DOCUMENT, "Layers": levels})
    return thresholds_of(observations_of(noisy(table, power_law(table), noise, np.random.default_rng(seed))), 0.05)


def print_claims(sets):
    """Print wrong verdicts where layers alone matter, logarithmically, and where all factors do."""
    print(f"claims, {sets} data sets each: verdicts")
    table = combinations(DOCUMENT)
    worlds = {
        "layers alone, logarithmically": np.log(1 + np.log(table["Layers"])),
        "all factors, by powers": power_law(table, {"Layers": 1.5, "BatchSize": 0.1, "ConvSize": 0.7}),
    }
    for world, logs in worlds.items():
        verdicts = {}
        for seed in range(sets):
            rows = noisy(table, logs, Noise(run=1, repetitions=3), np.random.default_rng(seed))
            for claim in judged_claims(observations_of(rows), Rules()):
                verdicts.setdefault(claim.statement, []).append(claim.verdict)
        for statement, found in verdicts.items():
            told = ", ".join(f"{verdict} {share_of(found.count(verdict), sets)}" for verdict in sorted(set(found)))
            print(f"  {world:30} {statement[:60]:60} {told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000, help="simulated data sets of each kind")
    parser.add_argument("--only", default="", choices=["coverage", "thresholds", "claims"])
    chosen = parser.parse_args()
    sets, only = chosen.sets, chosen.only
    for tell, count in ((print_coverage, sets), (print_thresholds, sets // 5), (print_claims, sets // 5)):
        if only in tell.__name__:
            tell(count)


if __name__ == "__main__":
    main()
