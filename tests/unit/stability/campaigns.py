"""Visits to a model on a simulated machine that other work disturbs now and then; the undisturbed truth is known."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from perfcast.stability import Series
from tests.unit.stability.synthetic import autocorrelated

REFERENCE_MS = 5.0
SLOW_REFERENCE = 1.15
"""A calibration this much slower than the fastest makes the runner call a visit disturbed."""
WAITED = 0.05
"""So does having waited for a CPU for this share of the time."""


@dataclass(frozen=True)
class Machine:
    """How a machine disturbs.

    Attributes:
        busy: share of the time in which other work runs.
        phases: shortest and longest time in s that it runs, or does not.
        slowdown: least and largest factor by which inferences take longer meanwhile.
        counts: whether causes are recorded.
        waits: share of a delay that shows as waiting for a CPU.
    """

    busy: float = 0.5
    phases: tuple = (0.5, 30.0)
    slowdown: tuple = (1.3, 3.0)
    counts: bool = True
    waits: tuple = (0.3, 1.0)


@dataclass(frozen=True)
class Model:
    """How a model behaves on the undisturbed machine.

    Attributes:
        latency_ms: the middle of its noise.
        noise: relative standard deviation within a visit.
        between: relative standard deviation of a visit's level.
        memory: lag-1 autocorrelation of the noise.
        spikes: share of samples that are slow, 1.5 to 10 times, for no cause that is recorded.
        lows: share of samples that are 20 to 50% fast.
        warmup: how many inferences are slow at the start of each visit.
    """

    latency_ms: float = 15.0
    noise: float = 0.02
    between: float = 0.005
    memory: float = 0.0
    spikes: float = 0.01
    lows: float = 0.0
    warmup: int = 3

    @property
    def typical_ms(self):
        """The truth: the median of what inferences take, spikes and lows included."""
        below = (0.5 - self.lows) / (1 - self.lows - self.spikes)
        return self.latency_ms * (1 + self.noise * norm.ppf(below))


QUIET = Machine(busy=0.0)


def phases(machine, seconds, generator):
    """Return times at which other work starts or ends, and the factor from each on."""
    times, factors = [0.0], [1.0]
    low, high = np.log(machine.phases)
    busy = generator.random() < machine.busy
    while times[-1] < seconds:
        factors[-1] = float(generator.uniform(*machine.slowdown)) if busy else 1.0
        lasting = np.exp(generator.uniform(low, high))
        if 0 < machine.busy < 1:
            lasting *= 2 * (machine.busy if busy else 1 - machine.busy)
            busy = not busy
        times.append(times[-1] + lasting)
        factors.append(1.0)
    return np.array(times), np.array(factors)


def stretched(start, work_ms, times, factors):
    """Return how long ``work_ms`` takes from ``start`` (s) on, in ms, when phases slow it down."""
    place = int(np.searchsorted(times, start, side="right")) - 1
    now, left = start, work_ms / 1e3
    while place + 1 < len(times):
        room = (times[place + 1] - now) / factors[place]
        if left <= room:
            break
        left -= room
        place += 1
        now = times[place]
    return (now + left * factors[place] - start) * 1e3


def clean_visit(model, count, generator):
    """Return what one visit would take on the undisturbed machine, in ms."""
    white = autocorrelated(count, model.memory, generator)
    values = model.latency_ms * np.maximum(0.3, 1 + model.noise * white)
    values *= 1 + model.between * generator.normal()
    slow = generator.random(count) < model.spikes
    values[slow] *= generator.uniform(1.5, 10, size=int(slow.sum()))
    low = generator.random(count) < model.lows
    values[low] *= generator.uniform(0.5, 0.8, size=int(low.sum()))
    values[: model.warmup] *= np.linspace(3, 1.3, model.warmup)
    return values


def campaign(model, machine, generator, visits=5, inferences=250, discard=50, repeats=5, apart_s=20.0):
    """Return the series of one model: ``inferences`` over ``visits``, ``apart_s`` s of other models between them.

    A visit that the runner would call disturbed is made up for by another one, at most ``repeats`` times.
    """
    count, warmup = inferences // visits, discard // visits
    length = 1.0 + (visits + repeats) * (apart_s * 2 + inferences * model.latency_ms * 4e-3 * 3)
    times, factors = phases(machine, length, generator)
    now, number, wall, delays, disturbed, calibrations = float(generator.uniform(0, apart_s)), 0, [], [], set(), {}
    while number < visits + min(len(disturbed), repeats):
        before = stretched(now, REFERENCE_MS, times, factors)
        now += before / 1e3
        work = clean_visit(model, count, generator)
        taken = np.empty(count)
        for index in range(count):
            taken[index] = stretched(now, work[index], times, factors)
            now += taken[index] / 1e3
        busy = taken > work * 1.0001
        taken[busy] *= np.maximum(0.8, generator.normal(1, 0.1, size=int(busy.sum())))
        after = stretched(now, REFERENCE_MS, times, factors)
        waited = (
            np.maximum(taken - work, 0) * generator.uniform(*machine.waits) * generator.uniform(0.5, 1.5, size=count)
        )
        calibrations[number] = (before + after) / 2 * (1 + abs(generator.normal(0, 0.02)))
        slow = calibrations[number] > SLOW_REFERENCE * REFERENCE_MS
        if slow or (machine.counts and waited.sum() > WAITED * taken.sum()):
            disturbed.add(number)
        wall.append(taken)
        delays.append(waited * 1e6)
        now += float(generator.uniform(0.5, 1.5)) * apart_s
        number += 1
    return Series(
        wall_ms=np.concatenate(wall),
        visit=np.repeat(np.arange(number), count),
        discarded=np.tile(np.arange(count) < warmup, number),
        causes={"run_delay_ns": np.concatenate(delays)} if machine.counts else {},
        disturbed=frozenset(disturbed),
        calibration_ms=calibrations,
    )
