"""Times over layers, batch and filter size whose law is known, with the noise that real ones have."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from perfcast.studies.scaling.claims import Rules, judged_claims
from perfcast.studies.scaling.columns import factor_of
from perfcast.studies.scaling.laws import power_fit
from perfcast.studies.scaling.observations import Observations
from perfcast.studies.scaling.spread import spreads_of
from perfcast.studies.scaling.thresholds import thresholds_of
from perfcast.studies.statistics.regression import coefficient

DOCUMENT = {"Layers": (4, 6, 8, 10), "BatchSize": (1, 4, 16, 64), "ConvSize": (3, 5, 8)}
EXPONENTS = {"Layers": 1.5, "BatchSize": 0.1, "ConvSize": 0.7}


@dataclass(frozen=True)
class Noise:
    """How times scatter, as standard deviations of their logarithm.

    Attributes:
        least, most: at the lowest and the highest level of the first factor.
        run: of what all repetitions of a combination share, as a multiple of the above.
        repetitions: of each combination.
        tails: degrees of freedom of Student's distribution; infinite for a normal one.
        kept: share of the combinations that were measured.
    """

    least: float = 0.05
    most: float = 0.05
    run: float = 0.0
    repetitions: int = 1
    tails: float = np.inf
    kept: float = 1.0

    def deviation(self, levels):
        """Return the standard deviation of one repetition at each of some levels, which include both ends."""
        logs = np.log(levels)
        share = (logs - logs.min()) / (logs.max() - logs.min())
        return self.least + (self.most - self.least) * share


NOISES = {
    "equal scatter": Noise(),
    "scatter grows 15-fold with layers": Noise(0.02, 0.3, tails=5),
    "runs differ more than repetitions": Noise(0.03, 0.03, run=3, repetitions=5),
    "both": Noise(0.02, 0.2, run=2, repetitions=5, tails=5),
    "both, a third not measured": Noise(0.02, 0.2, run=2, repetitions=5, tails=5, kept=0.67),
}

THRESHOLD_NOISES = {
    "equal scatter": Noise(run=1, repetitions=3),
    "scatter grows 4-fold with layers": Noise(0.02, 0.08, run=1, repetitions=3, tails=5),
}


def combinations(levels):
    return pd.DataFrame(list(itertools.product(*levels.values())), columns=list(levels), dtype=float)


def power_law(table, exponents=None):
    """Return the logarithm of time, in s."""
    return sum(exponent * np.log(table[name]) for name, exponent in (exponents or EXPONENTS).items() if name in table)


def with_bend(logs, column, level, change):
    """Return logarithms whose slope over ``column`` changes by ``change`` at ``level``."""
    return logs + change * np.maximum(np.log(column) - np.log(level), 0)


def noisy(table, log_times, noise, random):
    """Return one row per measurement: the factors and `time`, in s."""
    kept = table.assign(log_time=log_times)[random.random(len(table)) < noise.kept]
    size = noise.deviation(kept.iloc[:, 0].to_numpy())
    runs = kept["log_time"].to_numpy() + noise.run * size * random.standard_normal(len(kept))
    rows = kept.loc[kept.index.repeat(noise.repetitions)].reset_index(drop=True)
    single = np.repeat(size, noise.repetitions) * _drawn(random, noise.tails, len(rows))
    return rows.assign(time=np.exp(np.repeat(runs, noise.repetitions) + single)).drop(columns="log_time")


def _drawn(random, tails, count):
    if np.isinf(tails):
        return random.standard_normal(count)
    return random.standard_t(tails, count) * np.sqrt((tails - 2) / tails)


def observations_of(rows):
    """Return a table of factors and `time`, in s, as a study reads it."""
    names = [name for name in rows if name != "time"]
    logged = rows.assign(log_time=np.log(rows["time"]), total=np.nan, count=1.0, inputs=np.nan)
    cells = logged.groupby(names, as_index=False).agg(
        count=("count", "sum"),
        time=("time", "mean"),
        log_time=("log_time", "mean"),
        total=("total", "mean"),
        inputs=("inputs", "mean"),
    )
    return Observations(
        label="simulated",
        kind="document",
        factors=tuple(map(factor_of, names)),
        cells=cells,
        rows=rows.assign(total=np.nan, inputs=np.nan),
        seen=len(rows),
        time="time",
        total="",
        has_unit=True,
    )


def simulated(logs=power_law, noise=NOISES["equal scatter"], levels=DOCUMENT, random=0):
    """Return what a study reads of times whose logarithms ``logs`` returns; ``random`` is a seed or a generator."""
    table = combinations(levels)
    return observations_of(noisy(table, logs(table), noise, np.random.default_rng(random)))


def covered(rows):
    """Return, by factor, whether the interval of its exponent holds the true one."""
    cells = observations_of(rows).cells
    fit = power_fit(cells[list(EXPONENTS)].to_numpy(), cells["log_time"].to_numpy())
    found = [coefficient(fit, place) for place in range(1, len(EXPONENTS) + 1)]
    return [each.low <= true <= each.high for each, true in zip(found, EXPONENTS.values(), strict=True)]


def bent(levels, change, noise, random):
    """Return data whose exponent over layers changes at an inner level drawn at random, and that level."""
    inner = levels[1:-1]
    level = float(inner[random.integers(len(inner))])
    found = simulated(
        lambda table: with_bend(power_law(table), table["Layers"], level, change),
        noise,
        {**DOCUMENT, "Layers": levels},
        random,
    )
    return found, level


def near(observations, level, levels):
    """Return whether a threshold over layers is within one level of the planted one; whether its interval holds that.

    The second is None where none was found.
    """
    breaks = thresholds_of(observations, 0.05)[0].breaks
    if not breaks:
        return False, None
    best = min(breaks, key=lambda each: abs(np.log(each.level / level)))
    is_near = bool(is_within_one_level(best.level, levels.index(int(level)), levels))
    return is_near, best.low <= level * (1 + 1e-9) and level <= best.high * (1 + 1e-9)


def is_within_one_level(found, place, levels):
    """Return whether thresholds are at most one level away from those at ``place``: numbers, or arrays of one shape."""
    known = np.asarray(levels, float)
    low, high = known[np.maximum(place - 1, 0)], known[np.minimum(place + 1, len(known) - 1)]
    return (low <= found * (1 + 1e-9)) & (found <= high * (1 + 1e-9))


def claims_of(observations):
    """Return the document's claims, with what a data set says of them."""
    return judged_claims(observations, Rules(), spreads_of(observations))
