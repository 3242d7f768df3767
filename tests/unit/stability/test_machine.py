"""What is reported repeats as well as the best fixed estimate, on machines that are calm, never calm, and between."""

import numpy as np
import pytest

from perfcast.stability import judge, learn_machine, repeatability
from tests.measured import FOLDER, needs
from tests.unit.stability.candidates import FIXED
from tests.unit.stability.machines import REGIMES, measured, models_of
from tests.unit.stability.replayed import never_calm, pairs_of

NEVER_CALM = FOLDER / "never_calm"
ALWAYS = ("calm", "half disturbed", "never calm")
"""The regimes that differ most; the others take as long and are tried by `make test-slow`."""


def judged(campaigns):
    """Return what is said of each series of each of ``campaigns``, which share a machine."""
    machine = learn_machine([series for campaign in campaigns for series in campaign])
    return [[judge(series, machine) for series in campaign] for campaign in campaigns]


def error(first, second):
    """Return the median test-retest error in %."""
    return repeatability(np.array(first), np.array(second))[0]


def agree(first, second):
    """Return how many pairs of trusted judgements there are, and which share of them has intervals that overlap."""
    both = [(a, b) for a, b in zip(first, second, strict=True) if a.trust == b.trust == "trusted"]
    return len(both), np.mean([a.low_ms <= b.high_ms and b.low_ms <= a.high_ms for a, b in both])


@pytest.mark.heavy
@pytest.mark.parametrize(
    "regime", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow) for name in REGIMES]
)
def test_repeats_as_well_as_the_best_fixed_estimate(regime):
    models = models_of(15, np.random.default_rng(3))
    campaigns = [measured(models, regime, np.random.default_rng([3, again])) for again in range(2)]
    first, second = judged(campaigns)
    fixed = {
        name: error(*([estimate(s) for s in campaign] for campaign in campaigns)) for name, estimate in FIXED.items()
    }
    found = error([a.location_ms for a in first], [b.location_ms for b in second])
    assert found <= 1.25 * min(fixed.values()) + 0.1  # Fifteen pairs tell errors apart to about a quarter.
    assert found <= fixed["mean"]
    count, share = agree(first, second)
    assert count > 0
    assert share >= 0.9


@needs(NEVER_CALM)
@pytest.mark.heavy
def test_models_of_a_machine_that_was_never_calm_are_trusted():
    models, series = never_calm(NEVER_CALM)
    (found,) = judged([series])
    first, second = pairs_of(models, found)
    assert np.mean([judgement.trust == "trusted" for judgement in found]) > 0.5
    assert error([a.location_ms for a in first], [b.location_ms for b in second]) < 5.5
    assert agree(first, second)[1] >= 0.95
