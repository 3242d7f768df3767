"""Simulated test results, of which is known what drives them, what is confounded and which build changed something."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

THREADS = (1, 2, 4)
BUILDS = range(1, 11)
SWITCHED = 6
"""The build from which on the network B is optimised, always."""


@dataclass(frozen=True)
class Truth:
    """What was planted.

    Attributes:
        build: from which on the network A takes ``change`` times as long.
        change: its ratio.
        optimised: the ratio of the optimisation, which only B has, and only from the build 6 on.
        speedup: the exponent of threads.
    """

    build: int
    change: float
    optimised: float = 0.6
    speedup: float = -0.8


def simulated(seed: int, noise: float = 0.03) -> tuple[pd.DataFrame, Truth]:
    """Return test results and what is in them.

    The device has no effect, but few threads were mostly tested on one and many on the other: unadjusted, it seems to
    have a large one. ``noise`` is the standard deviation of the logarithm between runs.
    """
    chance = np.random.default_rng(seed)
    truth = Truth(int(chance.integers(3, 10)), float(chance.choice([0.8, 1.25])))
    rigs = [("A", 1, "slow"), ("A", 2, "slow"), ("A", 4, "fast"), ("B", 1, "slow"), ("B", 2, "fast"), ("B", 4, "fast")]
    rows = [(*rig, build) for rig in rigs for build in BUILDS]
    rows += [("A", 1, "fast", 10), ("A", 4, "slow", 10), ("B", 1, "fast", 10)]
    table = pd.DataFrame(rows, columns=["network", "threads", "device", "build"])
    is_optimised = (table["network"] == "B") & (table["build"] >= SWITCHED)
    is_changed = (table["network"] == "A") & (table["build"] >= truth.build)
    log = (
        np.log(table["network"].map({"A": 100.0, "B": 40.0}))
        + truth.speedup * np.log(table["threads"])
        + np.log(truth.change) * is_changed
        + np.log(truth.optimised) * is_optimised
        + noise * chance.standard_normal(len(table))
    )
    memory = np.log(table["network"].map({"A": 300.0, "B": 50.0})) + noise * chance.standard_normal(len(table))
    return table.assign(
        optimised=np.where(is_optimised, "yes", "no"), time_ms=np.exp(log), memory_mb=np.exp(memory)
    ), truth
