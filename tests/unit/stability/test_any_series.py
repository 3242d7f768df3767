"""Whatever a board answers, the judge gives a status: finite, its interval around its location."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perfcast.stability import Series, judge


@st.composite
def any_series(draw):
    visits, per_visit = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    discarded = draw(st.integers(0, per_visit - 1))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = visits * per_visit
    spread = draw(st.sampled_from([0, 0.01, 0.3, 1.5]))
    wall = draw(st.sampled_from([0.0, 0.002, 1.0, 30.0])) * np.exp(generator.normal(0, spread, count))
    delay = draw(st.sampled_from([0, 1e5, 5e6, 1e8])) * generator.random(count)
    return Series(
        wall_ms=np.round(wall, draw(st.sampled_from([2, 9]))),
        visit=np.repeat(np.arange(visits), per_visit),
        discarded=np.tile(np.arange(per_visit) < discarded, visits),
        causes=draw(st.sampled_from([{}, {"run_delay_ns": delay}])),
        disturbed=frozenset(draw(st.sets(st.integers(0, visits - 1)))),
        calibration_ms={visit: float(1 + generator.random()) for visit in range(visits)},
    )


@given(any_series())
def test_every_series_is_judged(series):
    status = judge(series)
    assert np.isfinite([status.low_ms, status.location_ms, status.high_ms]).all()
    assert status.low_ms <= status.location_ms <= status.high_ms
    assert status.trust in ("trusted", "noisy", "rejected")
    assert bool(status.reason) == (status.trust != "trusted")
