"""Campaigns of many models on one simulated machine whose load changes: datasets of which the truth is known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.unit.stability.campaigns import SLOW_REFERENCE, WAITED, Machine, phases

SAMPLES = 15
VISIT_S, PAUSE_S = 1.0, 1.5
SPIKES = 0.02


def calm(seconds, chance):
    return np.array([0.0]), np.array([0.0])


def half_disturbed(seconds, chance):
    times, factors = phases(Machine(busy=0.5), seconds, chance)
    return times, np.log(factors)


def never_calm(seconds, chance):
    """Other work that changes every few seconds, and is heavier in one campaign than in another."""
    times, _ = phases(Machine(busy=1.0, phases=(1.0, 30.0)), seconds, chance)
    return times, np.maximum(0, chance.normal(chance.uniform(0.3, 0.6), 0.25, len(times)))


def drifting(seconds, chance):
    times = np.linspace(0, seconds, 200)
    return times, np.linspace(chance.uniform(0, 0.2), chance.uniform(0, 0.2), 200)


def two_state(seconds, chance):
    times, factors = phases(Machine(busy=0.5, phases=(60.0, 1200.0), slowdown=(1.4, 1.4)), seconds, chance)
    return times, np.log(factors)


LOADS = (calm, half_disturbed, never_calm, drifting, two_state)


@dataclass(frozen=True)
class Models:
    """Models as they are in every campaign.

    Attributes:
        levels: logarithm of their latency on the calm machine.
        sensitivity: how much of the log slowdown of a workload that only computes each of them shows.
        between: standard deviation of the log level of a visit.
    """

    levels: np.ndarray
    sensitivity: np.ndarray
    between: np.ndarray

    @classmethod
    def drawn(cls, count, chance):
        return cls(chance.uniform(-1, 4, count), chance.uniform(0.5, 1.2, count), chance.uniform(0.005, 0.03, count))


def campaign(models, load, chance, visits=5, seen=1.0):
    """Return the dataset of a campaign under a load, of which the calibration workload sees the share ``seen``."""
    count = len(models.levels)
    starts = (np.arange(visits * count) * (VISIT_S + PAUSE_S)).reshape(visits, count).T
    times, logs = load(float(starts.max()) + VISIT_S + 1, chance)
    at = starts[:, :, None] + np.linspace(0, VISIT_S, SAMPLES + 2)
    slowdown = logs[np.searchsorted(times, at, side="right") - 1]
    taken = models.levels[:, None] + models.between[:, None] * chance.standard_normal((count, visits))
    shown = models.sensitivity[:, None, None] * slowdown[:, :, 1:-1]
    samples = taken[:, :, None] + shown + 0.02 * chance.standard_normal(shown.shape)
    samples += np.where(chance.random(shown.shape) < SPIKES, chance.uniform(0.3, 1.5, shown.shape), 0)
    calibration = np.exp(seen * slowdown[:, :, [0, -1]]).mean(axis=2) * (
        1 + np.abs(chance.normal(0, 0.02, starts.shape))
    )
    waited = np.mean(np.expm1(shown) * chance.uniform(0.3, 1.0, shown.shape), axis=2)
    disturbed = (calibration > SLOW_REFERENCE * calibration.min()) | (waited > WAITED)
    rows = zip(np.exp(samples), calibration, disturbed, strict=True)
    return pd.DataFrame([row(f"model_{number}", *found) for number, found in enumerate(rows)])


def row(model, times, calibration=(1.0,), disturbed=None):
    """Return a dataset's row of a measurement with the times of each visit, a visit per round."""
    visit = np.repeat(np.arange(len(times)), times.shape[1])
    return {
        "model": model,
        "batch": 1,
        "workload": "inference",
        "threads": 2,
        "status": "measured",
        "trust": "trusted",
        "replicate": 0,
        "latency_ms": np.median(times),
        "wall_samples_ms": times.ravel(),
        "visit": visit,
        "round": visit,
        "visit_disturbed": np.zeros(len(times), bool) if disturbed is None else disturbed,
        "visit_calibration_ms": calibration,
    }


def slowed(dataset, models, factor):
    """Return the dataset with all times of these models that many times as long."""
    factors = np.where(dataset["model"].isin(models), factor, 1.0)
    samples = [np.asarray(times) * by for times, by in zip(dataset["wall_samples_ms"], factors, strict=True)]
    return dataset.assign(latency_ms=dataset["latency_ms"] * factors, wall_samples_ms=samples)
