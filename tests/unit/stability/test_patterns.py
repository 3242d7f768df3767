"""The four patterns of the source document, told apart."""

import numpy as np
import pytest

from perfcast.stability import PATTERNS, classify
from tests.unit.stability import held_out, synthetic
from tests.unit.stability.trials import confusion

RIGHT = 0.95


def right(found):
    return dict(zip(PATTERNS, np.diag(found) / found.sum(axis=1), strict=True))


@pytest.mark.heavy
@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_95_percent_of_series_per_pattern_are_classified(count):
    assert min(right(confusion(synthetic.draw, count)).values()) >= RIGHT


def test_second_family_of_series_is_classified_as_well():
    assert min(right(confusion(held_out.draw, 100)).values()) >= RIGHT


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("pattern", "draw"),
    [
        ("white_noise", synthetic.white_noise_of_12_ms),
        ("high_spikes", synthetic.spikes_that_make_15_ms_60),
        ("low_spikes", synthetic.lows_50_percent_below),
        ("sequential", lambda generator: synthetic.shift_at("start", generator)),
        ("sequential", lambda generator: synthetic.shift_at("middle", generator)),
        ("sequential", lambda generator: synthetic.shift_at("end", generator)),
    ],
    ids=["figure 4", "figure 6", "figure 7", "figure 5, start", "figure 5, middle", "figure 5, end"],
)
def test_cases_of_the_source_document(pattern, draw, seed):
    assert classify(draw(np.random.default_rng(seed))) == pattern


def test_the_documents_spikes_make_the_mean_60_ms():
    values = synthetic.spikes_that_make_15_ms_60(np.random.default_rng(0))
    assert np.median(values) == pytest.approx(15, rel=0.02)
    assert values.mean() == pytest.approx(60, rel=0.02)


@pytest.mark.parametrize("slow", [1, 2, 3])
def test_a_warm_up_of_up_to_three_samples_is_no_pattern(slow):
    values = np.random.default_rng(slow).normal(12, 0.2, size=200)
    values[:slow] *= 4
    assert classify(values) == "white_noise"


def test_a_slow_start_beyond_the_warm_up_is_sequential():
    values = np.random.default_rng(1).normal(12, 0.2, size=200)
    values[:30] *= 1.3
    assert classify(values) == "sequential"


@pytest.mark.parametrize("where", [40, 100, 185])
def test_a_short_burst_is_spikes_and_a_long_one_a_level(where):
    values = np.random.default_rng(where).normal(12, 0.2, size=250)
    burst, level = values.copy(), values.copy()
    burst[where : where + 8] *= 1.8
    level[where : where + 50] *= 1.8
    assert classify(burst) == "high_spikes"
    assert classify(level) == "sequential"


def test_a_lasting_shift_outweighs_a_few_spikes():
    values = np.random.default_rng(2).normal(12, 0.2, size=250)
    values[150:] *= 1.2
    values[[20, 90, 200]] *= 5
    assert classify(values) == "sequential"


@pytest.mark.parametrize("name", [name for name in synthetic.HARD_NOISES if "10%" not in name and "0.9" not in name])
def test_hard_noise_is_noise(name):
    generator = np.random.default_rng(3)
    found = [classify(synthetic.HARD_NOISES[name](400, generator)) for _ in range(60)]
    assert found.count("white_noise") >= 54


@pytest.mark.parametrize(("sigmas", "least"), [(2.0, 95), (3.0, 99)])
def test_shifts_above_two_standard_deviations_are_found(sigmas, least):
    generator = np.random.default_rng(5)
    found = sum(classify(synthetic.shifted(250, sigmas, generator)) == "sequential" for _ in range(100))
    assert found >= least


def test_a_coarse_clock_changes_nothing():
    generator = np.random.default_rng(6)
    noise = np.round(generator.normal(20, 0.3, size=300))
    lows = noise.copy()
    lows[::25] = 11
    assert classify(noise) == "white_noise"
    assert classify(lows) == "low_spikes"


@pytest.mark.parametrize(
    "values",
    [np.empty(0), np.array([3.0]), np.full(100, 5.0), np.zeros(100), np.array([1.0] * 10 + [9.0])],
    ids=["none", "one", "all equal", "no time at all", "too few"],
)
def test_series_without_a_pattern_is_white_noise(values):
    assert classify(values) == "white_noise"


def test_one_spike_among_equal_times_is_a_spike():
    assert classify(np.array([15.0] * 60 + [900.0] + [15.0] * 40)) == "high_spikes"
