"""Pareto fronts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perfcast.studies.statistics.fronts import unbeaten


def test_the_front_is_what_nothing_beats():
    points = np.array([[1.0, 3], [2, 2], [3, 1], [1, 3], [2, 3]])
    assert unbeaten(points).tolist() == [True, True, True, True, False]
    assert unbeaten(points[:0]).tolist() == []


@given(st.integers(1, 3).flatmap(lambda width: arrays(float, (12, width), elements=st.integers(0, 4).map(float))))
def test_the_front_is_that_of_all_pairs(points):
    beaten = [any((other <= point).all() and (other < point).any() for other in points) for point in points]
    assert unbeaten(points).tolist() == [not each for each in beaten]
