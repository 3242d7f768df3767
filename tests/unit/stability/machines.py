"""Campaigns of several models on one simulated machine: calm, disturbed half of the time, never calm, and others."""

from types import SimpleNamespace

import numpy as np

from perfcast.runner.calibration import UsualCalibration
from perfcast.runner.schedule import is_disturbed
from perfcast.stability import Series
from tests.unit.stability.campaigns import QUIET, REFERENCE_MS, Machine, clean_visit, phases, stretched
from tests.unit.stability.trials import any_model

BETWEEN_VISITS_S = 0.3
NEVER_CALM_NOISE = 0.08


def steps(seconds, step):
    """Return the times of changes, and the factor from each on; ``step`` gives how long each lasts, and its factor."""
    times, factors = [0.0], []
    while times[-1] < seconds:
        lasting, factor = step(times[-1])
        factors.append(factor)
        times.append(times[-1] + lasting)
    return np.array(times), np.array([*factors, factors[-1]])


def never_calm(seconds, draw):
    """Other work comes and goes within fractions of a second to half a minute, and is never absent."""
    return steps(
        seconds,
        lambda now: (
            np.exp(draw.uniform(np.log(0.05), np.log(30))),
            np.exp(0.4 + 0.2 * draw.normal() + 0.25 * draw.exponential() * (draw.random() < 0.3)),
        ),
    )


def drifting(seconds, draw):
    """The clock goes up and down by a fifth."""
    phase, period = draw.uniform(0, 2 * np.pi), draw.uniform(200, 600)
    return steps(seconds, lambda now: (5.0, np.exp(0.2 * np.sin(2 * np.pi * now / period + phase))))


def two_state(seconds, draw):
    """The clock is at its best, or 1.25 times as slow, for half a minute to two minutes."""
    turns = [int(draw.random() < 0.5)]

    def step(now):
        turns.append(1 - turns[-1])
        return np.exp(draw.uniform(np.log(30), np.log(120))), 1.25 if turns[-1] else 1.0

    return steps(seconds, step)


REGIMES = {
    "calm": lambda seconds, draw: phases(QUIET, seconds, draw),
    "half disturbed": lambda seconds, draw: phases(Machine(), seconds, draw),
    "mostly disturbed": lambda seconds, draw: phases(Machine(busy=0.75), seconds, draw),
    "never calm": never_calm,
    "drifting": drifting,
    "two states": two_state,
}
"""Each returns the times at which a machine's speed changes, and by what factor work takes longer from then on."""


def models_of(count, draw):
    """Return random models of 1 to 100 ms."""
    return [any_model(draw, latency_ms=10 ** draw.uniform(0, 2)) for _ in range(count)]


def measured(models, regime, draw, visits=8, samples=50):
    """Return the series of ``models``, visited in rounds in random order on one machine."""
    seconds = 60 + visits * sum(BETWEEN_VISITS_S * 4 + model.latency_ms * samples * 6e-3 for model in models)
    times, factors = REGIMES[regime](seconds, draw)
    now, parts = 1.0, [[] for _ in models]
    usual = UsualCalibration(SimpleNamespace(time_ns=lambda: stretched(now, REFERENCE_MS, times, factors)))
    for _ in range(visits):
        for index in draw.permutation(len(models)):
            (*part, calibration), now = _visit(models[index], regime, samples, now, times, factors, draw)
            around = {"before_ns": calibration, "after_ns": calibration}
            disturbed = is_disturbed(around, usual.limit_after(around), 0.0, 0)
            parts[index].append((*part, calibration, disturbed))
    return [_series(own, samples) for own in parts]


def _visit(model, regime, samples, now, times, factors, draw):
    """Return what a visit takes (ms), what of it is waiting (ns), the calibration around it (ms), and when it ends."""
    is_never_calm, waits = regime == "never calm", "disturbed" in regime
    before = stretched(now, REFERENCE_MS, times, factors)
    now += before / 1e3
    work = clean_visit(model, samples, draw)
    if is_never_calm:
        work *= np.exp(NEVER_CALM_NOISE * (draw.normal() + draw.normal(size=samples)))
    taken = np.empty(samples)
    for index in range(samples):
        taken[index] = stretched(now, work[index], times, factors)
        now += taken[index] / 1e3
    after = stretched(now, REFERENCE_MS, times, factors)
    calibration = (before + after) / 2 * (1 + abs(draw.normal(0, NEVER_CALM_NOISE if is_never_calm else 0.02)))
    shown = draw.uniform(0.3, 1) * draw.uniform(0.5, 1.5, size=samples) if waits else np.zeros(samples)
    return (taken, np.maximum(taken - work, 0) * shown * 1e6, calibration), now + after / 1e3 + BETWEEN_VISITS_S


def _series(parts, samples):
    walls, delays, calibrations, disturbed = zip(*parts, strict=True)
    return Series(
        wall_ms=np.concatenate(walls),
        visit=np.repeat(np.arange(len(parts)), samples),
        discarded=np.tile(np.arange(samples) < 2, len(parts)),
        causes={"run_delay_ns": np.concatenate(delays)},
        disturbed=frozenset(np.flatnonzero(disturbed).tolist()),
        calibration_ms=dict(enumerate(calibrations)),
    )
