"""The model of test results: adjusted effects, change points, and factors that cannot be told apart."""

import numpy as np
import pandas as pd
import pytest

from perfcast.studies.factors.design import natural_key, range_text
from perfcast.studies.statistics.regression import coefficient, fit
from tests.unit.factors.judged import analysed, judge
from tests.unit.factors.simulated import simulated


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_confounder_and_change_point_are_called(seed):
    judged = judge(seed)
    assert judged.confounder
    assert judged.change_point


def test_an_exact_alias_is_not_in_the_model():
    table, _ = simulated(0)
    found = analysed(table.assign(rig=table["device"].map({"slow": "x", "fast": "y"})))
    assert [(alias.factor, alias.by) for alias in found.aliases if alias.factor == "rig"] == [("rig", ("device",))]
    time = found.metrics[0]
    assert set(time.model.left_out) & {"rig", "device"}


def test_a_property_of_the_network_is_left_to_the_network():
    table, _ = simulated(0)
    found = analysed(table.assign(family=table["network"].map({"A": "old", "B": "new"})))
    (alias,) = [alias for alias in found.aliases if alias.factor == "family"]
    assert alias.is_attribute
    assert "family" not in {effect.factor for effect in found.metrics[0].model.effects}
    assert "family" not in found.coverage.factors


def test_regressions_use_the_variance_between_runs():
    table, truth = simulated(3)
    repeated = pd.concat([table, simulated(3, noise=0.0)[0]], ignore_index=True)
    for rows, by_replicates in ((table, False), (repeated, True)):
        time = analysed(rows).metrics[0]
        assert {step.by_replicates for step in time.steps} == {by_replicates}
    significant = {(step.network, step.after) for step in time.steps if step.p_value < 0.05}
    assert ("A", truth.build) in significant


@pytest.mark.heavy
def test_significance_between_runs_keeps_its_promise():
    """Of steps where nothing changed, few are called significant, over all steps of a table."""
    chance, alarms = np.random.default_rng(0), 0
    for _ in range(40):
        rows = [(build, float(np.exp(0.05 * chance.standard_normal()))) for build in range(1, 7) for _ in range(3)]
        time = analysed(pd.DataFrame(rows, columns=["build", "time_ms"])).metrics[0]
        alarms += any(step.p_value < 0.05 for step in time.steps)
    assert alarms <= 5


def test_clusters_of_networks_widen_intervals():
    """Forty networks that each respond in their own way: conditions of one network are not independent."""
    chance = np.random.default_rng(1)
    rows = []
    for network in range(40):
        response = 0.3 * chance.standard_normal()
        rows += [
            (f"n{network}", batch, float(np.exp(response * np.log2(batch) + 0.01 * chance.standard_normal())))
            for batch in (1, 2, 4, 8)
        ]
    model = analysed(pd.DataFrame(rows, columns=["network", "batch", "time_ms"])).metrics[0].model
    assert model.clusters == "network"
    (effect,) = [effect for effect in model.effects if effect.factor == "batch"]
    width = np.log(effect.ratio_high / effect.ratio_low)
    assert width == pytest.approx(2 * 2.02 * 3 * 0.3 / np.sqrt(40), rel=0.3)


def test_intervals_hold_what_they_should_under_unequal_variances():
    chance, held = np.random.default_rng(2), 0
    design = np.column_stack([np.ones(40), np.repeat([0.0, 1.0], 20)])
    for _ in range(300):
        values = chance.standard_normal(40) * np.where(design[:, 1] > 0, 5.0, 1.0)
        found = coefficient(fit(design, values), 1)
        held += found.low < 0 < found.high
    assert held / 300 == pytest.approx(0.95, abs=0.03)


def test_versions_are_in_the_order_of_people():
    versions = ["2.21.0", "2.9.1", "2.10.0", "rc1"]
    assert sorted(versions, key=natural_key) == ["2.9.1", "2.10.0", "2.21.0", "rc1"]


def test_levels_are_told_as_ranges():
    assert range_text([1.0, 2.0, 3.0, 7.0, 9.0, 10.0], [float(n) for n in range(1, 11)]) == "1 to 3, 7, 9 and 10"
