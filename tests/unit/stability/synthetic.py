"""Series of inference times with known patterns: broad random families, and the source document's own cases."""

import numpy as np
from scipy.signal import lfilter

SPIKE_SIGMAS = 5.0
"""What is planted stands at least this many standard deviations of the noise out of it: less is not discernible."""
SHIFT_SIGMAS = 2.0
"""The same for a shift of level, which lasts and is seen sooner."""
APART = 5
"""Bursts are at least so many samples apart."""


def draw(pattern, generator):
    """Return a random series of ``pattern``, in ms."""
    length = int(generator.integers(100, 1001))
    level = noise_level(generator)
    values = noise(length, level, generator)
    planted = {"white_noise": _nothing, "sequential": _shifts, "high_spikes": _highs, "low_spikes": _lows}[pattern]
    factors = planted(length, level, generator)
    typical = 10 ** generator.uniform(-1, 3.5)
    return on_a_clock(typical * np.maximum(values, 0.05) * factors, level, generator)


def noise_level(generator):
    """Return the relative standard deviation of the noise, 0.3 to 10%."""
    return float(10 ** generator.uniform(np.log10(0.003), -1))


def noise(length, level, generator):
    """Return factors around 1 with standard deviation ``level``."""
    kind = generator.choice(["gaussian", "lognormal", "laplace", "student", "gamma", "uniform", "ar", "drift"])
    white = generator.normal(size=length)
    if kind == "lognormal":
        return np.exp(level * white)
    if kind == "laplace":
        white = generator.laplace(scale=np.sqrt(0.5), size=length)
    elif kind == "student":
        freedom = generator.uniform(4, 10)
        white = generator.standard_t(freedom, size=length) / np.sqrt(freedom / (freedom - 2))
    elif kind == "gamma":
        shape = generator.uniform(1.5, 8)
        white = (generator.gamma(shape, size=length) - shape) / np.sqrt(shape)
    elif kind == "uniform":
        white = generator.uniform(-np.sqrt(3), np.sqrt(3), size=length)
    elif kind == "ar":
        white = autocorrelated(length, generator.uniform(0.1, 0.8), generator)
    elif kind == "drift":
        white = white + np.linspace(-0.5, 0.5, length) * generator.uniform(-1, 1)
    return 1 + level * white


def autocorrelated(length, memory, generator):
    """Return an AR(1) process of unit variance."""
    steps = generator.normal(size=length + 50) * np.sqrt(1 - memory**2)
    return lfilter([1], [1, -memory], steps)[50:]


def on_a_clock(values, level, generator):
    """Return ``values`` as a clock reads them: in one of four, in ticks from a fifth of the noise to its double."""
    if generator.random() > 0.25:
        return values
    tick = float(np.median(values)) * level * generator.uniform(0.2, 2)
    return np.maximum(np.round(values / tick), 1) * tick


def _nothing(length, level, generator):
    return np.ones(length)


def _shifts(length, level, generator):
    factors = np.ones(length)
    size = generator.uniform(max(0.05, SHIFT_SIGMAS * level), max(0.6, 3 * level)) * generator.choice(
        [-1, 1], p=[0.3, 0.7]
    )
    if size < 0:
        size = size / (1 - size)
    lasting = max(20, int(length * generator.uniform(0.1, 0.5)))
    where = generator.choice(["start", "middle", "end", "several"])
    if where == "start":
        factors[:lasting] += size
    elif where == "end":
        factors[-lasting:] += size
    elif where == "middle":
        start = int(generator.integers(10, length - lasting - 9))
        factors[start : start + lasting] += size
    else:
        ends = np.arange(lasting, length - 19, max(20, lasting))
        for index, end in enumerate(ends):
            factors[end:] = 1 + size * ((index + 1) % 2)
    return factors


def places(length, share, generator):
    """Return where spikes stand, as a mask: alone, in bursts of up to 20 samples, or at regular distance."""
    mask = np.zeros(length, bool)
    kind = generator.choice(["alone", "bursts", "regular"])
    count = max(1, round(share * length))
    if kind == "alone":
        mask[generator.choice(length, count, replace=False)] = True
    elif kind == "regular":
        mask[int(generator.integers(0, 5)) :: max(2, length // count)] = True
    else:
        longest = max(2, min(20, length // 12))
        while mask.sum() < count:
            lasting = int(generator.integers(1, longest + 1))
            start = int(generator.integers(0, length - lasting))
            if not mask[max(0, start - APART) : start + lasting + APART].any():
                mask[start : start + lasting] = True
    return mask


def _highs(length, level, generator):
    mask = places(length, generator.uniform(0.01, 0.2), generator)
    least = max(1.5, 1 + SPIKE_SIGMAS * level)
    top = np.exp(generator.uniform(np.log(least * 1.1), np.log(20)))
    sizes = np.exp(generator.uniform(np.log(least), np.log(top), size=length))
    return np.where(mask, sizes, 1.0)


def _lows(length, level, generator):
    mask = places(length, generator.uniform(0.01, 0.2), generator)
    least = max(0.2, SPIKE_SIGMAS * level)
    deepest = max(least + 0.05, generator.uniform(0.25, 0.6))
    return np.where(mask, 1 - generator.uniform(least, deepest, size=length), 1.0)


def white_noise_of_12_ms(generator, length=200):
    """The document's Figure 4."""
    return generator.normal(12, generator.uniform(0.1, 0.5), size=length)


def spikes_that_make_15_ms_60(generator, length=200):
    """The document's Figure 6: most samples take 15 ms, the mean is 60 ms."""
    values = generator.normal(15, 0.3, size=length)
    spikes = generator.choice(length, int(generator.integers(length // 20, length // 6)), replace=False)
    sizes = generator.uniform(0.7, 1.3, size=len(spikes))
    values[spikes] += sizes / sizes.sum() * 45 * length
    return values


def lows_50_percent_below(generator, length=200):
    """The document's Figure 7."""
    values = generator.normal(20, 0.4, size=length)
    lows = generator.choice(length, int(generator.integers(2, length // 10)), replace=False)
    values[lows] *= generator.uniform(0.45, 0.55, size=len(lows))
    return values


def shift_at(where, generator, length=200):
    """The document's Figure 5: another level for a while, at the start, in the middle or at the end."""
    values = generator.normal(12, 0.2, size=length)
    lasting = int(generator.integers(length // 8, length // 2))
    start = {"start": 0, "middle": int(generator.integers(25, length - lasting - 25)), "end": length - lasting}[where]
    values[start : start + lasting] *= generator.uniform(1.1, 1.6)
    return values


def shifted(length, sigmas, generator, level=0.03):
    """Return normal noise around 1 that is ``sigmas`` higher for a tenth to a half of the samples."""
    values = generator.normal(1, level, size=length)
    lasting = max(20, int(length * generator.uniform(0.1, 0.5)))
    start = int(generator.choice([0, generator.integers(10, length - lasting - 9), length - lasting]))
    values[start : start + lasting] += sigmas * level
    return values


HARD_NOISES = {
    "normal, 3%": lambda length, generator: generator.normal(1, 0.03, size=length),
    "normal, 10%": lambda length, generator: generator.normal(1, 0.1, size=length),
    "correlated by 0.6, 3%": lambda length, generator: 1 + 0.03 * autocorrelated(length, 0.6, generator),
    "correlated by 0.8, 3%": lambda length, generator: 1 + 0.03 * autocorrelated(length, 0.8, generator),
    "correlated by 0.9, 3%": lambda length, generator: 1 + 0.03 * autocorrelated(length, 0.9, generator),
    "Student's, 4 degrees of freedom, 5%": lambda length, generator: 1 + 0.035 * generator.standard_t(4, size=length),
    "Student's, 3 degrees of freedom, 5%": lambda length, generator: 1 + 0.029 * generator.standard_t(3, size=length),
    "exponential upwards, 3%": lambda length, generator: 1 + 0.03 * generator.exponential(size=length),
    "exponential upwards, 10%": lambda length, generator: 1 + 0.1 * generator.exponential(size=length),
}
"""Noise around 1, in which single samples are far out, or neighbours alike."""
