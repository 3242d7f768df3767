"""Warm-up, found and not assumed."""

import numpy as np
import pytest

from perfcast.stability import Series, judge
from perfcast.stability.warmup import warmup_length
from tests.unit.stability.trials import warmup_errors


@pytest.mark.parametrize("length", [25, 50])
def test_planted_warm_ups_of_0_to_30_samples_are_found(length):
    errors = np.abs(warmup_errors(400, length, longest=min(30, int(0.6 * length))))
    assert np.mean(errors == 0) >= 0.88
    assert np.mean(errors <= 2) >= 0.95


def test_a_visit_without_warm_up_has_none():
    generator = np.random.default_rng(0)
    found = [warmup_length(generator.normal(10, 0.2, size=50)) for _ in range(200)]
    assert np.mean(np.array(found) == 0) >= 0.93


def test_a_spike_at_the_end_or_in_the_middle_is_no_warm_up():
    values = np.random.default_rng(1).normal(10, 0.05, size=40)
    values[[12, 39]] = 80
    assert warmup_length(values) == 0


def test_slow_samples_after_a_calm_start_are_no_warm_up():
    values = np.random.default_rng(2).normal(10, 0.05, size=50)
    values[6:25] *= 1.5
    assert warmup_length(values) == 0


def test_long_slow_start_is_a_level():
    values = np.random.default_rng(3).normal(10, 0.05, size=250)
    values[:60] *= 1.5
    status = judge(Series(values, np.zeros(250, int), np.zeros(250, bool)))
    assert (status.warmup, status.pattern, status.trust) == (0, "sequential", "noisy")


def test_few_or_equal_samples_have_no_warm_up():
    assert warmup_length(np.array([9.0, 1.0, 1.0])) == 0
    assert warmup_length(np.zeros(30)) == 0


def series_with_warmup(length, declared=5, visits=5):
    generator = np.random.default_rng(length)
    times = generator.normal(10, 0.1, size=(visits, 50))
    times[:, :length] *= np.linspace(3, 1.5, length)
    return Series(times.ravel(), np.repeat(np.arange(visits), 50), np.tile(np.arange(50) < declared, visits))


@pytest.mark.parametrize("length", [2, 12, 25])
def test_warm_up_longer_than_declared_is_excluded(length):
    status = judge(series_with_warmup(length))
    assert status.warmup == pytest.approx(length, abs=1)
    assert status.location_ms == pytest.approx(10, rel=0.01)
    assert status.trust == "trusted"
    assert status.pattern == "white_noise"


def test_warm_up_of_a_disturbed_visit_is_ignored():
    calm = series_with_warmup(3)
    times = calm.wall_ms.copy()
    times[:20] *= 2
    disturbed = Series(times, calm.visit, calm.discarded, disturbed=frozenset({0}))
    assert judge(disturbed).warmup == pytest.approx(3, abs=1)
