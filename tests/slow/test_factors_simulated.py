"""Two hundred simulated tables of test results: what was planted is called right in 95% of them."""

import pytest

from tests.unit.factors.judged import judge

pytestmark = pytest.mark.timeout(3600)

COUNT = 200


def test_planted_confounders_and_change_points_are_called_right():
    judged = [judge(seed) for seed in range(COUNT)]
    shares = {
        part: sum(bool(getattr(each, part)) for each in judged) / COUNT
        for part in ("confounder", "change_point", "covered")
    }
    assert shares["confounder"] >= 0.95, shares
    assert shares["change_point"] >= 0.95, shares
    assert 0.9 <= shares["covered"] <= 0.99, shares
