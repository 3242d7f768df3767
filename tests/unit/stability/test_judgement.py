"""Whether a measurement is to be trusted, and why not."""

import numpy as np
import pytest

from perfcast.stability import Series, judge
from tests.unit.stability.campaigns import QUIET, Machine
from tests.unit.stability.trials import statuses, trusted_and_right

FIVE = {"visits": 5, "repeats": 5}


def series(levels, noise=0.005, count=40, **more):
    """Return visits of `count` samples around a level each."""
    times = np.repeat(levels, count) * np.random.default_rng(0).normal(1, noise, size=count * len(levels))
    return Series(times, np.repeat(np.arange(len(levels)), count), np.zeros(len(times), bool), **more)


def test_quiet_visits_that_agree_are_trusted():
    status = judge(series([12.0] * 5))
    assert (status.trust, status.reason, status.pattern) == ("trusted", "", "white_noise")
    assert (status.visits, status.calm_visits) == (5, 5)
    assert status.normality_p > 0.01


def test_visits_that_swapped_do_not_count():
    swapped = series([12.0, 60.0, 12.0, 45.0, 12.0], swapped=frozenset([1, 3]))
    status = judge(swapped)
    assert (status.trust, status.pattern, status.visits, status.calm_visits) == ("trusted", "white_noise", 5, 3)
    assert status.location_ms == pytest.approx(12, rel=0.01)


def test_series_that_swapped_throughout_is_rejected():
    status = judge(series([12.0] * 3, swapped=frozenset(range(3))))
    assert status.trust == "rejected"
    assert status.reason == "the system swapped during all visits; free memory, and measure again"


def test_two_levels_are_reported_with_their_share():
    times = series([12.1]).wall_ms
    times = np.concatenate([times, times, times, times * 14.9 / 12.1, times * 14.9 / 12.1])
    status = judge(Series(times, np.zeros(200, int), np.zeros(200, bool)))
    assert (status.trust, status.pattern) == ("noisy", "sequential")
    assert status.reason == "two levels: 12.1 ms for 60% of the time, 14.9 ms after sample 120"


def test_temporary_level_is_reported():
    times = np.concatenate([series([12.0]).wall_ms, series([15.0] * 2).wall_ms, series([12.0] * 2).wall_ms])
    status = judge(Series(times, np.zeros(200, int), np.zeros(200, bool)))
    assert status.reason == "two levels: 12 ms, but 15 ms from sample 41 to 120"


def test_level_of_a_disturbed_visit_is_explained():
    status = judge(series([12.0, 12.0, 18.0, 12.0, 12.0], disturbed=frozenset({2})))
    assert (status.trust, status.calm_visits) == ("trusted", 4)
    assert status.pattern == "sequential"


def test_disagreeing_visits_without_a_cause_are_noisy():
    status = judge(series([12.0, 15.1, 12.6, 18.0, 14.2]))
    assert status.trust == "noisy"
    assert status.low_ms <= 12.6 <= status.high_ms


def test_widely_disagreeing_visits_are_rejected():
    status = judge(series([12.0, 30.0, 55.0, 20.0, 90.0]))
    assert status.trust == "rejected"
    assert "known to ±" in status.reason
    assert "the visits' medians go from 12 ms to 90 ms" in status.reason


def test_single_undisturbed_visit_is_noisy():
    status = judge(series([12.0, 18.0, 19.0], disturbed=frozenset({1, 2})))
    assert status.trust == "noisy"
    assert status.reason == "only 1 of 3 visits was not slowed down: no other confirms it"


def test_many_slow_samples_without_a_cause_are_noisy():
    calm = series([12.0] * 5)
    times = np.where(np.arange(200) % 10 > 6, calm.wall_ms * 2, calm.wall_ms)
    status = judge(Series(times, calm.visit, calm.discarded))
    assert (status.trust, status.pattern) == ("noisy", "high_spikes")
    assert status.reason == "30% of the inferences were slower than 12 ms, without a recorded cause"


def test_a_few_samples_are_too_few():
    status = judge(series([12.0, 12.0], count=4))
    assert (status.trust, status.reason) == ("noisy", "only 8 samples: too few to judge")
    assert np.isnan(status.normality_p)


def test_latency_below_clock_resolution_is_rejected():
    status = judge(Series(np.zeros(100), np.repeat(np.arange(5), 20), np.zeros(100, bool)))
    assert status.trust == "rejected"
    assert "too short for the resolution of the device's clock" in status.reason


def test_without_samples_there_is_nothing_to_judge():
    with pytest.raises(ValueError, match="nothing to judge"):
        judge(Series(np.ones(4), np.zeros(4, int), np.ones(4, bool)))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("machine", "at_least"),
    [
        pytest.param(QUIET, 27, id="quiet"),
        pytest.param(Machine(counts=False), 10, id="without causes"),
        pytest.param(Machine(), 10, id="disturbed", marks=pytest.mark.slow),
        pytest.param(Machine(busy=0.8), 10, id="mostly disturbed", marks=pytest.mark.slow),
        pytest.param(Machine(phases=(0.1, 3.0)), 10, id="short phases", marks=pytest.mark.slow),
        pytest.param(Machine(phases=(30, 600)), 10, id="long phases", marks=pytest.mark.slow),
    ],
)
def test_95_percent_of_trusted_series_are_right(machine, at_least):
    trusted, right = trusted_and_right(statuses(machine, 30, **FIVE))
    assert right >= 0.95 * trusted
    assert trusted > at_least
