"""Change points: found where planted, with intervals that hold, and no more false alarms than alpha."""

import numpy as np
import pytest

from perfcast.errors import UsageError
from perfcast.studies.statistics.changepoints import detectable, find_breaks, undecided

BUILDS = range(1, 11)
LAYERS = (4, 6, 8, 10)


def level(x, place, size):
    return size * (np.asarray(x) >= place)


def slope(x, place, size):
    return 0.1 * np.asarray(x) + size * np.maximum(np.asarray(x) - place, 0)


def measured(chance, curve, replicates, noise, run_noise=0.0):
    """Values of each level: what all of a run share, and what each has of its own."""
    runs = np.asarray(curve) + run_noise * chance.standard_normal(len(curve))
    return runs[:, None] + noise * chance.standard_normal((len(curve), replicates))


def test_the_level_that_changes_is_found_with_what_it_changes():
    chance = np.random.default_rng(0)
    (found,) = find_breaks(BUILDS, measured(chance, 2 + level(BUILDS, 7, 0.5), 3, 0.05), kind="level")
    assert found.low <= found.level == 7 <= found.high
    assert found.p_value < 0.01
    assert (found.before, found.after) == (pytest.approx(2, abs=0.05), pytest.approx(2.5, abs=0.05))


def test_the_place_where_a_slope_changes_may_be_between_levels():
    x = np.arange(1, 13)
    values = measured(np.random.default_rng(0), slope(x, 7.5, 0.3), 4, 0.02)
    (found,) = find_breaks(x, values, kind="slope")
    assert found.low < 7.5 < found.high
    assert found.high - found.low < 1
    assert (found.before, found.after) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.4, abs=0.02))


def test_several_breaks_come_in_the_order_of_the_levels():
    builds = range(1, 17)
    curve = level(builds, 5, 1.0) + level(builds, 12, -0.6)
    found = find_breaks(builds, measured(np.random.default_rng(1), curve, 3, 0.05), kind="level")
    assert [each.level for each in found] == [5, 12]
    assert [round(each.after, 1) for each in found] == [1.0, 0.4]


def test_what_differs_between_series_hides_no_break_that_they_share():
    chance = np.random.default_rng(2)
    series = 5 * chance.standard_normal(6)
    values = measured(chance, slope(LAYERS, 8, 0.2), 6, 0.05) + series
    assert find_breaks(LAYERS, values, replicates="independent") == ()
    (found,) = find_breaks(LAYERS, values, replicates="paired")
    assert found.level == pytest.approx(8, abs=0.5)


@pytest.mark.heavy
@pytest.mark.parametrize(("kind", "how"), [("level", "shared"), ("level", "independent"), ("slope", "independent")])
def test_a_detectable_change_is_found_mostly_and_half_of_it_less(kind, how):
    chance = np.random.default_rng(5)
    noise = {"replicates": 4, "noise": 0.02, "run_noise": 0.05} if how == "shared" else {"replicates": 4, "noise": 0.1}
    given = [measured(chance, np.zeros(10), **noise) for _ in range(10)]
    size = np.median([detectable(BUILDS, values, kind=kind, replicates=how) for values in given])
    shares = []
    for part in (1.0, 0.5):
        curve = (level if kind == "level" else slope)(BUILDS, 6, part * size)
        given = [measured(chance, curve, **noise) for _ in range(60)]
        shares.append(np.mean([bool(find_breaks(BUILDS, values, kind=kind, replicates=how)) for values in given]))
    assert 0.6 < shares[0] < 0.95
    assert shares[1] < 0.55


def test_nothing_is_detectable_where_nothing_is_left():
    assert np.isnan(detectable((1, 2), ((1.0, 2.0), (3.0, 4.0))))


def test_exact_values_have_breaks_only_where_they_are_bent():
    assert find_breaks(range(8), [[3.0 * x] for x in range(8)]) == ()
    assert find_breaks(range(8), [[7.0]] * 8, kind="level") == ()
    (found,) = find_breaks(range(8), [[3.0 * x + max(0, x - 4)] for x in range(8)])
    assert found.level == pytest.approx(4, abs=1e-6)


@pytest.mark.parametrize(
    ("levels", "kind", "replicates", "words"),
    [
        (1, "level", "shared", "1 level: a change of level takes 2 at least"),
        (2, "slope", "independent", "2 levels: a change of slope takes 3 at least"),
        (2, "level", "shared", "2 levels: nothing is left to tell a change of level from noise; measure more levels"),
        (4, "slope", "shared", "4 levels: nothing is left to tell a change of slope from noise; measure more levels"),
        (2, "level", "independent", ""),
        (3, "slope", "independent", ""),
        (5, "slope", "shared", ""),
    ],
)
def test_a_design_that_cannot_decide_says_so_and_finds_nothing(levels, kind, replicates, words):
    values = measured(np.random.default_rng(0), 9.0 * np.arange(levels) ** 2, 3, 0.1)
    reason = undecided(range(levels), values, kind=kind, replicates=replicates)
    assert reason.startswith(words)
    assert bool(reason) == bool(words)
    if reason:
        assert find_breaks(range(levels), values, kind=kind, replicates=replicates) == ()


@pytest.mark.parametrize(
    ("levels", "values", "replicates", "words"),
    [
        ((1, 2), ([1.0],), "shared", "levels must be ascending numbers"),
        ((2, 1), ([1.0], [2.0]), "shared", "levels must be ascending numbers"),
        ((1, 2), ([1.0], []), "shared", "each level needs one value"),
        ((1, 2), ([1.0], [float("nan")]), "shared", "values must be finite"),
        ((1, 2), ([1.0], [2.0, 3.0]), "paired", "as many at each level"),
    ],
)
def test_impossible_input_is_refused_in_one_line(levels, values, replicates, words):
    with pytest.raises(UsageError, match=words):
        find_breaks(levels, values, replicates=replicates)


SIMULATIONS = 400
ROOM = 4 * np.sqrt(0.05 * 0.95 / SIMULATIONS)
"""Four standard deviations of a share of 5% in as many simulations."""


def simulated(levels, curve, kind, how, **noise):
    chance = np.random.default_rng(42)
    given = [measured(chance, curve, **noise) for _ in range(SIMULATIONS)]
    return [find_breaks(levels, values, kind=kind, replicates=how) for values in given]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("levels", "kind", "how", "noise"),
    [
        (BUILDS, "level", "shared", {"replicates": 3, "noise": 0.02, "run_noise": 0.1}),
        pytest.param(BUILDS, "level", "independent", {"replicates": 3, "noise": 0.1}, marks=pytest.mark.slow),
        pytest.param(
            *(range(1, 7), "slope", "shared", {"replicates": 5, "noise": 0.02, "run_noise": 0.1}),
            marks=pytest.mark.slow,
        ),
        (LAYERS, "slope", "independent", {"replicates": 3, "noise": 0.1}),
        pytest.param(LAYERS, "slope", "paired", {"replicates": 4, "noise": 0.1}, marks=pytest.mark.slow),
    ],
)
def test_false_alarms_are_as_rare_as_alpha(levels, kind, how, noise):
    flat = np.zeros(len(levels)) if kind == "level" else 0.3 * np.asarray(levels)
    alarms = np.mean([bool(found) for found in simulated(levels, flat, kind, how, **noise)])
    assert alarms == pytest.approx(0.05, abs=ROOM)


@pytest.mark.parametrize(
    ("levels", "kind", "how", "place", "size", "noise"),
    [
        pytest.param(
            *(BUILDS, "level", "shared", 6, 0.4, {"replicates": 3, "noise": 0.02, "run_noise": 0.1}),
            marks=pytest.mark.slow,
        ),
        pytest.param(BUILDS, "level", "independent", 6, 0.25, {"replicates": 3, "noise": 0.1}, marks=pytest.mark.slow),
        pytest.param(LAYERS, "slope", "independent", 8, 0.15, {"replicates": 5, "noise": 0.05}, marks=pytest.mark.slow),
        (LAYERS, "slope", "paired", 6, 0.15, {"replicates": 8, "noise": 0.05}),
        pytest.param(
            *(range(1, 13), "slope", "shared", 7, 0.15, {"replicates": 3, "noise": 0.02, "run_noise": 0.05}),
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.heavy
def test_planted_breaks_are_found_and_intervals_hold_them(levels, kind, how, place, size, noise):
    curve = level(levels, place, size) if kind == "level" else slope(levels, place, size)
    found = [breaks[0] for breaks in simulated(levels, curve, kind, how, **noise) if len(breaks) == 1]
    assert len(found) > 0.9 * SIMULATIONS
    step = levels[1] - levels[0]
    assert np.mean([abs(each.level - place) <= step for each in found]) >= 0.9
    covered = np.mean([each.low <= place <= each.high for each in found])
    assert covered >= 0.95 - ROOM
    assert covered <= 0.95 + ROOM or np.mean([each.level == place for each in found]) > 0.95
