"""A slow sample is left out only where its cause was seen."""

import numpy as np
import pytest

from perfcast.stability import Series, judge
from perfcast.stability.outliers import proven_outliers

PLACES = np.arange(4, 200, 20)


def slow_series(causes=None, extra_ms=20.0):
    """Return 5 visits of 40 samples of 10 ms, some of which take longer."""
    times = np.random.default_rng(0).normal(10, 0.1, size=200)
    times[PLACES] += extra_ms
    return Series(times, np.repeat(np.arange(5), 40), np.zeros(200, bool), causes=causes or {})


def cause(name, value, places=PLACES, usual=0.0):
    values = np.full(200, usual)
    values[places] += value
    return {name: values}


@pytest.mark.parametrize(
    "causes",
    [
        cause("run_delay_ns", 18e6),
        cause("steal_ns", 20e6),
        cause("interrupt_ns", 20e6),
        cause("involuntary_switches", 12),
        cause("major_faults", 150),
    ],
    ids=lambda causes: next(iter(causes)),
)
def test_slow_samples_with_a_sufficient_cause_are_outliers(causes):
    assert judge(slow_series(causes)).proven_outliers == len(PLACES)


@pytest.mark.parametrize(
    "causes",
    [
        None,
        cause("run_delay_ns", 2e6),
        cause("involuntary_switches", 1),
        cause("minor_faults", 10_000),
        cause("run_delay_ns", 18e6, places=PLACES + 1),
    ],
    ids=["no causes", "too short a wait", "one switch", "faults that cost nothing", "other samples waited"],
)
def test_slow_samples_without_such_a_cause_are_kept(causes):
    assert judge(slow_series(causes)).proven_outliers == 0


def test_waiting_without_being_slow_proves_nothing():
    assert judge(slow_series(cause("run_delay_ns", 18e6), extra_ms=0.0)).proven_outliers == 0


def test_event_of_every_inference_is_no_cause():
    series = slow_series(cause("run_delay_ns", 0.0, usual=15e6))
    assert not proven_outliers(series, 10.0, 0.1).any()


def test_the_gain_is_how_much_narrower_the_interval_became():
    generator = np.random.default_rng(1)
    times, waits = generator.normal(10, 0.1, size=(5, 40)), np.zeros((5, 40))
    for visit, slow in enumerate([0, 0, 0, 26, 28]):
        times[visit, 10 : 10 + slow] += 5
        waits[visit, 10 : 10 + slow] = 5e6
    series = Series(
        times.ravel(), np.repeat(np.arange(5), 40), np.zeros(200, bool), causes={"run_delay_ns": waits.ravel()}
    )
    status = judge(series)
    assert status.proven_outliers == 54
    assert 0 < status.outlier_gain_percent <= 100
    assert status.location_ms == pytest.approx(10, rel=0.01)
    without = judge(Series(series.wall_ms, series.visit, series.discarded))
    assert (without.proven_outliers, without.outlier_gain_percent) == (0, 0)
