"""When a model has been visited often enough."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from perfcast.runner.protocol import median_ns
from perfcast.runner.schedule import is_disturbed, is_finished, relative_half_width, student_t

PUBLISHED = {"name": "published", "visits": 5, "repeats": 3}
ADAPTIVE = {"name": "adaptive", "visits": 5, "repeats": 3, "min_visits": 3, "rel_ci_half_width": 0.02}
MEDIANS = st.floats(1e3, 1e12)
VISITS = st.lists(st.tuples(MEDIANS, st.booleans()), max_size=12)
CALM, DISTURBED = (1000.0, False), (1000.0, True)


@pytest.mark.parametrize("freedom", [*range(1, 40), 100, 1000])
def test_student_t_matches_tables(freedom):
    assert student_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-4)


@given(st.lists(MEDIANS, min_size=2, max_size=30))
def test_half_width_is_student_interval_of_logarithms(medians):
    logs = np.log(medians)
    half = stats.t.ppf(0.975, len(logs) - 1) * stats.sem(logs)
    assert relative_half_width(medians) == pytest.approx(math.expm1(half), rel=1e-3, abs=1e-9)


def test_fewer_than_two_medians_have_no_half_width():
    assert relative_half_width([]) == relative_half_width([5.0]) == math.inf


@pytest.mark.parametrize(
    ("visits", "finished"),
    [
        ([], False),
        ([CALM] * 4, False),
        ([CALM] * 5, True),
        ([CALM] * 4 + [DISTURBED], False),
        ([CALM] * 5 + [DISTURBED], True),
        ([DISTURBED] * 7, False),
        ([DISTURBED] * 8, True),
    ],
)
def test_disturbed_visit_is_repeated_up_to_the_limit(visits, finished):
    assert is_finished(PUBLISHED, visits) is finished


def test_without_repeats_all_visits_count():
    protocol = PUBLISHED | {"visits": 1, "repeats": 0}
    assert not is_finished(protocol, [])
    assert is_finished(protocol, [DISTURBED])


@pytest.mark.parametrize(
    ("visits", "finished"),
    [
        ([CALM] * 2, False),
        ([CALM] * 3, True),
        ([CALM, CALM, DISTURBED], False),
        ([CALM, CALM, (5000.0, True), CALM], True),
        ([(1000.0, False), (1300.0, False), (1000.0, False)], False),
        ([(1000.0, False), (1300.0, False)] * 2 + [(1000.0, False)], True),
        ([(1000.0, False), (1300.0, False), DISTURBED, DISTURBED], False),
        ([(1000.0, False), (1300.0, False), DISTURBED, DISTURBED, DISTURBED], False),
        ([(1000.0, False), (1300.0, False), (1000.0, False), DISTURBED, DISTURBED], True),
    ],
)
def test_the_adaptive_protocol_ends_when_calm_visits_agree(visits, finished):
    assert is_finished(ADAPTIVE, visits) is finished


@given(st.sampled_from([PUBLISHED, ADAPTIVE]), VISITS)
def test_model_is_visited_until_finished(protocol, visits):
    """Whatever is found: an end comes within the bound, and adaptive never takes longer than published."""
    made = next((count for count in range(len(visits) + 1) if is_finished(protocol, visits[:count])), None)
    if made is None:
        assert len(visits) < protocol["visits"] + protocol["repeats"]
        return
    calm = sum(not disturbed for _, disturbed in visits[:made])
    bound = min(protocol["visits"] + protocol["repeats"], protocol["visits"] + made - calm)
    if protocol["name"] == "published":
        assert made == bound
    else:
        assert made == bound or (calm >= protocol["min_visits"] and made < bound)
        assert not is_finished(PUBLISHED, visits[: made - 1])


@given(st.lists(st.tuples(st.integers(0, 10**12), st.booleans()), min_size=1))
def test_the_median_is_that_of_the_samples_that_are_kept(samples):
    kept = [wall for wall, discarded in samples if not discarded]
    lists = {"wall_ns": [wall for wall, _ in samples], "discarded": [discarded for _, discarded in samples]}
    if kept:
        assert median_ns(lists) == np.median(kept)


@pytest.mark.parametrize(
    ("before", "after", "others", "spare", "disturbed"),
    [
        (100, 100, 0.0, 0, False),
        (110, 118, 0.0, 0, False),
        (100, 135, 0.0, 0, True),
        (100, 100, 0.5, 0, True),
        (100, 100, 0.5, 1, False),
        (100, 100, 1.5, 1, True),
        (100, 100, None, 0, False),
        (135, 100, None, 0, True),
    ],
)
def test_slow_calibration_or_cpu_contention_is_a_disturbance(before, after, others, spare, disturbed):
    calibration = {"before_ns": before, "after_ns": after}
    assert is_disturbed(calibration, 115, others, spare) is disturbed
