"""A second family of series with known patterns, made of mechanisms: written apart, to check what the first one taught.

Nothing was tuned on it.
"""

from functools import partial

import numpy as np


def draw(pattern, generator):
    """Return a random series of ``pattern``, in ms."""
    count = int(np.exp(generator.uniform(np.log(100), np.log(1000))))
    base_ms = float(np.exp(generator.uniform(np.log(0.2), np.log(2000))))
    jitter = float(generator.uniform(0.003, 0.05))
    times = base_ms * (1 + jitter * hum(count, generator))
    times = {
        "white_noise": lambda times: times,
        "sequential": partial(governed, jitter=jitter, generator=generator),
        "high_spikes": partial(interrupted, base_ms=base_ms, generator=generator),
        "low_spikes": partial(short_cut, jitter=jitter, generator=generator),
    }[pattern](times)
    # The clock counts microseconds, or tenths of them.
    step = float(generator.choice([1e-3, 1e-4]))
    return np.maximum(np.round(times / step), 1) * step


def hum(count, generator):
    """Return what a quiet machine does to a time: many small things, a few of them one-sided, some that linger."""
    small = generator.normal(size=count)
    late = generator.gamma(2.0, 0.5, size=count) - 1.0
    lingering = np.convolve(generator.normal(size=count + 4), np.ones(5) / np.sqrt(5), mode="valid")
    shares = generator.dirichlet([4, 2, 1])
    mixed = shares[0] * small + shares[1] * late + shares[2] * lingering
    return mixed / np.std(mixed)


def governed(times, jitter, generator):
    """The clock's governor moves between speeds, at once or over some inferences, and stays at each for a while."""
    count = len(times)
    step = float(generator.uniform(max(0.06, 2.5 * jitter), 0.5))
    slow = times * (1 + step)
    story = str(generator.choice(["starts slow", "turns slow", "turns fast", "slow for a while", "back and forth"]))
    where = np.arange(count)
    third = count / 3
    if story == "starts slow":
        weight = where < generator.uniform(0.12, 0.4) * count
    elif story == "turns slow":
        weight = where > generator.uniform(0.5, 0.85) * count
    elif story == "turns fast":
        weight = where < generator.uniform(0.4, 0.7) * count
    elif story == "slow for a while":
        start = generator.uniform(0.15, 0.5) * count
        weight = (where > start) & (where < start + generator.uniform(0.15, 0.35) * count)
    else:
        weight = (where // third) % 2 == generator.integers(0, 2)
    weight = weight.astype(float)
    ramp = int(generator.choice([1, 1, 3, 6]))
    weight = np.convolve(np.pad(weight, (ramp, ramp), mode="edge"), np.ones(ramp) / ramp, mode="same")[ramp:-ramp]
    return times * (1 - weight) + slow * weight


def interrupted(times, base_ms, generator):
    """Now and then something else runs first: a timer's job, jobs at random, or a flurry of them."""
    count, times = len(times), times.copy()
    source = str(generator.choice(["timer", "random", "flurry"]))
    if source == "timer":
        every = int(generator.integers(7, max(8, min(80, count // 3)) + 1))
        hit = np.arange(count) % every == every // 2
    elif source == "random":
        hit = generator.random(count) < generator.uniform(0.015, 0.12)
    else:
        hit = np.zeros(count, bool)
        for start in generator.choice(count - 8, size=max(2, count // 120), replace=False):
            hit[start : start + int(generator.integers(2, 8))] = True
    hit[count // 2] = True
    length = base_ms * (0.6 + generator.pareto(generator.uniform(1.2, 3.0), size=count) * generator.uniform(0.5, 3.0))
    times[hit] += np.minimum(length, 30 * base_ms)[hit]
    return times


def short_cut(times, jitter, generator):
    """Now and then an inference is done sooner, by a ratio that hardly varies or by what there is to save."""
    count, times = len(times), times.copy()
    hit = generator.random(count) < generator.uniform(0.01, 0.12)
    if generator.random() < 0.3:
        # One seldom comes alone.
        hit |= np.roll(hit, 1)
    hit[generator.integers(5, count, size=2)] = True
    deepest = float(generator.uniform(0.3, 0.65))
    least = max(0.22, 5 * jitter)
    saved = (
        np.full(count, max(least, deepest))
        if generator.random() < 0.5
        else generator.uniform(least, max(least, deepest) + 0.02, size=count)
    )
    times[hit] *= 1 - saved[hit]
    return times
