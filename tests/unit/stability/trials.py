"""What stability comes to on many simulated series: the tests run few of them, the benchmark many."""

import numpy as np

from perfcast.stability import PATTERNS, classify, judge, learn_machine
from perfcast.stability.warmup import warmup_length
from tests.unit.stability.campaigns import Model, campaign
from tests.unit.stability.candidates import FIXED
from tests.unit.stability.synthetic import noise, noise_level


def confusion(draw, count, seed=0):
    """Return how many of ``count`` series of each pattern (rows) are classified as each (columns)."""
    found = np.zeros((len(PATTERNS), len(PATTERNS)), int)
    for row, pattern in enumerate(PATTERNS):
        for index in range(count):
            series = draw(pattern, np.random.default_rng([seed, row, index]))
            found[row, PATTERNS.index(classify(series))] += 1
    return found


def warmup_errors(count, length=50, longest=30, seed=0):
    """Return by how many samples the warm-up found differs from the one planted, of visits of ``length`` samples."""
    errors = np.empty(count, int)
    for index in range(count):
        generator = np.random.default_rng([seed, index])
        planted = int(generator.integers(0, longest + 1))
        errors[index] = warmup_length(visit_with_warmup(length, planted, generator)) - planted
    return errors


def visit_with_warmup(length, planted, generator):
    """Return a visit whose first samples are slow: all alike, ever less so, or each by chance."""
    level = noise_level(generator)
    values = noise(length, level, generator)
    least = max(0.03, 4 * level)
    most = least * np.exp(generator.uniform(0.05, 3))
    shape = generator.choice(["alike", "less and less", "by chance"])
    if shape == "alike":
        slow = np.full(planted, most)
    elif shape == "less and less":
        slow = np.geomspace(most, least, planted)
    else:
        slow = generator.uniform(least, most, size=planted)
    values[:planted] += slow
    if generator.random() < 0.3:
        values[int(generator.integers(length // 2, length))] *= generator.uniform(1.5, 4)
    return 5 * values


def any_model(generator, **fixed):
    """Return a random model; ``fixed`` says what is not left to chance."""
    drawn = {
        "latency_ms": 10 ** generator.uniform(0, 2.5),
        "noise": 10 ** generator.uniform(-2.5, -1.2),
        "between": generator.uniform(0, 0.01),
        "memory": generator.uniform(0, 0.6),
        "spikes": generator.uniform(0, 0.05),
        "lows": generator.choice([0.0, 0.02, 0.1]),
        "warmup": int(generator.integers(0, 6)),
    }
    return Model(**(drawn | fixed))


def statuses(machine, count, seed=0, model=None, **protocol):
    """Return the status and the truth (ms) of ``count`` simulated measurements of random models."""
    draws = [np.random.default_rng([seed, index]) for index in range(count)]
    models = [any_model(draw, **(model or {})) for draw in draws]
    series = [campaign(one, machine, draw, **protocol) for one, draw in zip(models, draws, strict=True)]
    learned = learn_machine(series)
    return [(judge(each, learned), one.typical_ms) for each, one in zip(series, models, strict=True)]


def coverage(found):
    """Return which share of intervals holds the truth, and their median half width in %."""
    held = [status.low_ms <= truth <= status.high_ms for status, truth in found]
    widths = [(status.high_ms - status.low_ms) / 2 / status.location_ms for status, _ in found]
    return float(np.mean(held)), 100 * float(np.median(widths))


def trusted_and_right(found, within=0.1):
    """Return how many are trusted, and how many of those have a location that is right to ``within``."""
    trusted = [(status, truth) for status, truth in found if status.trust == "trusted"]
    return len(trusted), sum(abs(status.location_ms / truth - 1) <= within for status, truth in trusted)


def repeated(machine, models, seed=0, **protocol):
    """Return what each estimate makes of two campaigns of ``models`` random models: arrays (2, models) by name."""
    drawn = [any_model(np.random.default_rng([seed, index])) for index in range(models)]
    series = [
        [campaign(one, machine, np.random.default_rng([seed, i, again]), **protocol) for i, one in enumerate(drawn)]
        for again in range(2)
    ]
    learned = [learn_machine(each) for each in series]
    reported = [[judge(one, each).location_ms for one in own] for own, each in zip(series, learned, strict=True)]
    fixed = {name: np.array([[of(one) for one in own] for own in series]) for name, of in FIXED.items()}
    return fixed | {"perfcast": np.array(reported)}
