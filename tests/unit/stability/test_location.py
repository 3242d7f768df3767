"""The typical latency of the undisturbed machine, and its interval."""

import numpy as np
import pytest

from perfcast.stability import Series, judge, repeatability
from tests.unit.stability.campaigns import QUIET, Machine, Model, campaign
from tests.unit.stability.candidates import FIXED
from tests.unit.stability.replayed import FOLDER, GENERATED, load
from tests.unit.stability.trials import coverage, repeated, statuses

TRACES = sorted(FOLDER.glob("*.npz"))
FIVE = {"visits": 5, "repeats": 5}
PUBLISHED = {"visits": 1, "repeats": 0}


def test_all_generated_traces_are_there():
    assert GENERATED.keys() <= {path.stem for path in TRACES}


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_location_of_replayed_traces_is_within_2_percent(path):
    series, truth_ms = load(path)
    status = judge(series)
    assert status.location_ms == pytest.approx(truth_ms, rel=0.02)
    assert status.low_ms < status.location_ms < status.high_ms


def test_most_of_the_traces_would_mislead_the_mean():
    errors = [abs(FIXED["mean"](series) / truth_ms - 1) for series, truth_ms in map(load, TRACES)]
    assert np.median(errors) > 0.2


@pytest.mark.heavy
def test_disturbed_campaigns_repeat_3_times_better():
    published = repeated(Machine(), 20, **PUBLISHED)["mean"]
    visits = repeated(Machine(), 20, **FIVE)["perfcast"]
    assert repeatability(*published)[0] > 3 * repeatability(*visits)[0]
    assert repeatability(*published)[1] > 3 * repeatability(*visits)[1]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("machine", "model"),
    [
        pytest.param(QUIET, {}, id="quiet", marks=pytest.mark.slow),
        pytest.param(QUIET, {"memory": 0.6}, id="correlated noise", marks=pytest.mark.slow),
        pytest.param(QUIET, {"between": 0.02}, id="visits differ"),
        pytest.param(QUIET, {"between": 0.05}, id="visits differ much", marks=pytest.mark.slow),
        pytest.param(Machine(), {}, id="disturbed"),
        pytest.param(Machine(counts=False), {}, id="without causes", marks=pytest.mark.slow),
    ],
)
def test_95_percent_intervals_contain_the_truth(machine, model):
    held, _ = coverage(statuses(machine, 40, model=model, **FIVE))
    assert held >= 0.9


def test_interval_of_one_visit_includes_between_visit_spread():
    held, half = coverage(statuses(QUIET, 30, model={"between": 0.01}, **PUBLISHED))
    assert held >= 0.9
    assert half > 10


def one_level_each(levels, noise=0.002, count=20, **more):
    generator = np.random.default_rng(0)
    times = np.repeat(levels, count) * generator.normal(1, noise, size=count * len(levels))
    return Series(times, np.repeat(np.arange(len(levels)), count), np.zeros(len(times), bool), **more)


def test_undetected_slow_visits_do_not_move_the_location():
    assert judge(one_level_each([10, 14, 10, 19, 10])).location_ms == pytest.approx(10, rel=0.01)


def test_two_visits_that_differ_leave_the_latency_open():
    status = judge(one_level_each([10, 25]))
    assert status.trust == "noisy"
    assert status.low_ms <= 10.1
    assert status.high_ms >= 10.9


def test_rare_low_spikes_do_not_move_the_location():
    series = one_level_each([20] * 5, count=40)
    times = series.wall_ms.copy()
    times[::12] *= 0.5
    lows = Series(times, series.visit, series.discarded)
    assert judge(lows).location_ms == pytest.approx(20, rel=0.01)
    assert FIXED["minimum"](lows) == pytest.approx(10, rel=0.02)


def test_calibration_shows_which_visits_were_slow():
    series = one_level_each([10, 10.3, 10.3, 10], calibration_ms={0: 5.0, 1: 6.0, 2: 6.1, 3: 5.05})
    assert judge(series).location_ms == pytest.approx(10, rel=0.005)
    assert FIXED["calibration_normalised"](series) < 10


def test_every_estimate_agrees_where_nothing_happens():
    series = campaign(Model(spikes=0, between=0), QUIET, np.random.default_rng(1), **FIVE)
    fixed = [estimate(series) for name, estimate in FIXED.items() if name not in ("minimum", "calibration_normalised")]
    values = [judge(series).location_ms, *fixed]
    assert values == pytest.approx([15.0] * len(values), rel=0.01)


def test_interval_allows_for_the_clock():
    """Of 20 ms a clock with steps of 15.6 ms says 15.6 or 31.2."""
    fine = one_level_each([20] * 5)
    now = np.cumsum(fine.wall_ms) + 3
    coarse = np.diff(np.floor(now / 15.6) * 15.6, prepend=0.0)
    status = judge(Series(coarse, fine.visit, fine.discarded, clock_tick_ms=15.6))
    assert status.low_ms <= 20 <= status.high_ms
    assert status.trust != "trusted"
    assert "clock advances in steps of 15.6 ms" in status.reason


@pytest.mark.parametrize("visits", [1, 3, 5, 10])
def test_any_number_of_visits_works(visits):
    series = campaign(Model(), QUIET, np.random.default_rng(2), visits=visits, repeats=0, inferences=300, discard=60)
    status = judge(series)
    assert status.location_ms == pytest.approx(15, rel=0.02)
    assert (status.visits, status.calm_visits) == (visits, visits)
    assert status.low_ms < status.location_ms < status.high_ms


def test_a_record_becomes_a_series():
    record = {
        "samples": {
            "wall_ns": [30_000_000, 10_000_000, 10_500_000, 11_000_000],
            "visit": [0, 0, 1, 1],
            "discarded": [True, False, False, False],
            "run_delay_ns": [0, 5_000, 0, 0],
            "steal_ns": None,
        },
        "visits": [
            {
                "visit": 0,
                "disturbed": False,
                "state": {},
                "calibration": {"before_ns": 4_000_000, "after_ns": 6_000_000},
            },
            {
                "visit": 1,
                "disturbed": True,
                "state": {"swapped_meanwhile": 3},
                "calibration": {"before_ns": 7_000_000, "after_ns": 7_000_000},
            },
        ],
    }
    series = Series.of_record(record)
    assert series.kept().wall_ms.tolist() == pytest.approx([10, 10.5, 11])
    assert set(series.causes) == {"run_delay_ns"}
    assert series.disturbed == series.swapped == {1}
    assert series.calibration_ms == pytest.approx({0: 5.0, 1: 7.0})
