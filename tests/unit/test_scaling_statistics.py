"""The statistics of `perfcast study scaling` on data whose law, thresholds and noise are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from perfcast.studies.scaling.blocks import blocks_of, level_ratios
from perfcast.studies.scaling.consistency import divisor_sentences, outliers_of, without
from perfcast.studies.scaling.correlations import compare_correlations
from perfcast.studies.scaling.laws import laws_of
from perfcast.studies.scaling.profiles import profile_of
from perfcast.studies.scaling.shapes import shapes_of
from perfcast.studies.scaling.spread import spreads_of
from perfcast.studies.scaling.thresholds import thresholds_of
from perfcast.studies.statistics.regression import coefficient, fit
from tests.unit import simulated_scaling as simulations
from tests.unit.simulated_scaling import DOCUMENT, EXPONENTS, NOISES, Noise, observations_of, power_law, simulated

SEVEN = (2, 4, 8, 16, 32, 64, 128)


def claim(observations, words):
    return next(each for each in simulations.claims_of(observations) if words in each.statement)


# ---- laws ------------------------------------------------------------------------------------------------------------


def test_errors_are_hc2():
    random = np.random.default_rng(0)
    design = np.column_stack([np.ones(12), random.standard_normal(12)])
    response = random.standard_normal(12)
    found = fit(design, response)
    inverse = np.linalg.inv(design.T @ design)
    leverage = np.diag(design @ inverse @ design.T)
    residuals = response - design @ inverse @ design.T @ response
    covariance = inverse @ (design.T * (residuals**2 / (1 - leverage))) @ design @ inverse
    for place in (0, 1):
        each = coefficient(found, place)
        error = (each.high - each.low) / 2 / stats.t.ppf(0.975, each.freedom)
        assert error == pytest.approx(np.sqrt(covariance[place, place]))


def test_freedom_is_that_of_student_in_two_equal_groups_and_of_welch_in_unequal_ones():
    """Of a difference of two means, HC2 with these degrees of freedom is the test of Welch with equal variances."""
    for sizes in ((6, 6), (3, 9)):
        design = np.column_stack([np.ones(12), np.repeat([0.0, 1.0], sizes)])
        freedom = coefficient(fit(design, np.arange(12.0) ** 2), 1).freedom
        shares = np.array([1 / size for size in sizes])
        expected = shares.sum() ** 2 / (shares**2 / (np.array(sizes) - 1)).sum()
        assert np.isclose(freedom, expected)


def test_exponents_are_found_exactly_without_noise():
    laws = laws_of(simulated(noise=Noise(1e-9, 1e-9)))
    assert {factor.column: round(each.value, 5) for factor, each in laws.exponents.items()} == EXPONENTS
    assert laws.laws[0].name in ("power", "piecewise")
    assert laws.laws[0].cells < 1e-5


@pytest.mark.parametrize(
    ("name", "logs"),
    [
        ("logarithmic", lambda t: np.log(1 + 2 * np.log(t["Layers"]) + np.log(t["ConvSize"]))),
        ("linear", lambda t: np.log(1 + t["Layers"] + 2 * t["ConvSize"])),
        ("power", lambda t: 3 * np.log(t["Layers"]) + 0.5 * np.log(t["ConvSize"])),
        (
            "piecewise",
            lambda t: (
                simulations.with_bend(4 * np.log(t["Layers"]), t["Layers"], 6, -3.5) + 0.5 * np.log(t["ConvSize"])
            ),
        ),
    ],
)
def test_the_law_that_made_the_times_predicts_best(name, logs):
    laws = laws_of(simulated(logs, Noise(0.01, 0.01)))
    assert name in [law.name for law in laws.as_good]
    if name != "power":  # which the piecewise law contains
        assert laws.laws[0].name == name


def test_what_cannot_be_fitted_is_said():
    alike = simulated().cells.assign(BatchSize=lambda t: 2 * t["Layers"])
    rows = alike[["Layers", "BatchSize", "ConvSize", "time"]]
    assert "cannot be told apart" in laws_of(observations_of(rows)).missing
    few = pd.DataFrame({"Layers": [1.0, 2.0, 3.0], "time": [1.0, 2.0, 3.5]})
    assert laws_of(observations_of(few)).missing == "a law in 1 factor takes 4 combinations, not 3"
    negative = pd.DataFrame({"Layers": [-1.0, 0.0, 1.0, 2.0], "time": [1.0, 2.0, 3.5, 4.0]})
    assert "no factor has only values above zero" in laws_of(observations_of(negative)).missing


@pytest.mark.heavy
@pytest.mark.parametrize("kind", NOISES)
def test_intervals_of_exponents_cover_as_often_as_they_say(kind):
    """Of 400 data sets; benchmarks/scaling.py takes more. Chance leaves the bounds once in 500 correct tests."""
    sets, random = 400, np.random.default_rng(3)
    table = simulations.combinations(DOCUMENT)
    drawn = (simulations.noisy(table, power_law(table), NOISES[kind], random) for _ in range(sets))
    covered = np.sum([simulations.covered(rows) for rows in drawn], axis=0)
    low, high = stats.binom.ppf([0.001, 0.999], sets, 0.95)
    assert ((covered >= low) & (covered <= high)).all(), covered / sets


# ---- thresholds ------------------------------------------------------------------------------------------------------


@pytest.mark.heavy
def test_planted_thresholds_are_found_within_one_level():
    noises, found = tuple(simulations.THRESHOLD_NOISES.values()), 0
    for seed in range(40):
        observations, level = simulations.bent(SEVEN, -1.0, noises[seed % 2], np.random.default_rng(seed))
        found += simulations.near(observations, level, SEVEN)[0]
    assert found >= 36


@pytest.mark.heavy
def test_no_threshold_is_found_where_there_is_none():
    found = [thresholds_of(simulated(random=seed, noise=NOISES["both"]), 0.05) for seed in range(40)]
    # Two are expected; more than six have a probability of 0.3%.
    assert sum(any(each.breaks for each in thresholds) for thresholds in found) <= 6


def test_a_threshold_is_found_where_a_third_was_not_measured():
    observations = simulated(
        lambda t: simulations.with_bend(power_law(t), t["Layers"], 16, -1.0),
        Noise(run=1, repetitions=3, kept=0.67),
        {**DOCUMENT, "Layers": SEVEN},
    )
    found = thresholds_of(observations, 0.05)[0]
    assert found.curve.replicates == "independent"
    assert 8 <= found.breaks[0].level <= 32


def test_two_levels_are_too_few_for_a_threshold():
    found = thresholds_of(simulated(levels={"Layers": (4, 6), "ConvSize": (3, 5, 8)}), 0.05)
    assert "a change of slope takes 3 at least" in found[0].undecided


def test_profiles_take_off_what_the_others_explain():
    rows = simulated(noise=Noise(1e-6, 1e-6)).rows.drop(columns=["total", "inputs"])
    random = np.random.default_rng(1)
    scattered = rows.assign(Layers=random.uniform(2, 100, len(rows)))
    scattered["time"] *= (scattered["Layers"] / rows["Layers"]) ** EXPONENTS["Layers"]
    observations = observations_of(scattered)
    profile = profile_of(observations, observations.factors[0])
    assert profile.replicates == "independent"
    assert len(profile.levels) == 10
    slopes = np.diff([np.mean(logs) for logs in profile.logs]) / np.diff(np.log(profile.levels))
    assert np.allclose(slopes, EXPONENTS["Layers"], rtol=0.1)


# ---- scatter ---------------------------------------------------------------------------------------------------------


def scatter_over(observations, factor):
    return {each.scale: each for each in spreads_of(observations) if each.factor == factor}


def test_scatter_that_grows_is_found_on_its_scale():
    growing = simulated(noise=Noise(0.02, 0.3, repetitions=5))
    layers, _, filters = growing.factors
    found = scatter_over(growing, layers)
    assert found["unexplained"].differs_p < 1e-6
    assert found["unexplained"].grows
    assert 8 < found["unexplained"].ratio < 25
    assert scatter_over(growing, filters)["unexplained"].differs_p > 0.01


def test_brown_forsythe_is_that_of_scipy():
    observations = simulated(noise=Noise(0.1, 0.4))
    rows = observations.rows
    groups = [times for _, times in rows.groupby("Layers")["time"]]
    absolute = spreads_of(observations)[0]
    assert absolute.differs_p == pytest.approx(stats.levene(*groups, center="median").pvalue)
    assert absolute.ratio == pytest.approx(groups[-1].std() / groups[0].std())


@pytest.mark.heavy
def test_scatter_alike_at_all_levels_is_rarely_called_different():
    alarms = 0
    for seed in range(60):
        observations = simulated(random=seed, noise=Noise(repetitions=3))
        found = scatter_over(observations, observations.factors[0])
        alarms += found["unexplained"].differs_p < 0.05
    assert alarms <= 8


# ---- claims ----------------------------------------------------------------------------------------------------------


def test_claims_that_hold_are_confirmed():
    observations = simulated(lambda t: np.log(-1 + np.log(t["Layers"])), Noise(0.02, 0.02))
    assert claim(observations, "logarithmically").verdict == "confirmed"
    assert claim(observations, "Batch size has no influence").verdict == "confirmed"
    assert claim(observations, "Filter size makes no significant difference").verdict == "confirmed"
    assert claim(observations, "driven principally by layers").verdict == "confirmed"
    assert claim(observations, "correlates equally").verdict == "contradicted"


def test_claims_that_do_not_hold_are_contradicted():
    observations = simulated(
        lambda t: 3 * np.log(t["Layers"]) + 0.3 * np.log(t["BatchSize"]) + np.log(t["ConvSize"]), Noise(0.02, 0.02)
    )
    for words in ("logarithmically", "no influence", "no significant difference", "lower at the largest filters"):
        assert claim(observations, words).verdict == "contradicted", words


def test_a_table_without_layers_has_no_claims_about_them():
    observations = simulated(lambda t: np.log(t["BatchSize"] + 1), levels={"BatchSize": (1, 4, 16, 64)})
    (only,) = simulations.claims_of(observations)
    assert only.verdict == "open"
    assert "not tested" in only.evidence


def test_ratios_to_the_lowest_level_hold_at_once():
    observations = simulated(noise=Noise(0.01, 0.01))
    ratios = level_ratios(blocks_of(observations, observations.factors[0]))
    assert list(ratios) == [6, 8, 10]
    for level, ratio in ratios.items():
        assert ratio.low < (level / 4) ** 1.5 < ratio.high
        assert ratio.freedom == 11


def test_shapes_of_equal_blocks_do_not_divide_by_zero():
    observations = simulated(lambda t: 0 * t["Layers"], Noise(0, 0))
    assert shapes_of(blocks_of(observations, observations.factors[0])).p_value == 1


def test_correlations_compared_by_bootstrap_and_by_influence_agree():
    small = simulated(noise=Noise(0.3, 0.3))
    many = simulated(noise=Noise(0.3, 0.3), levels={**DOCUMENT, "BatchSize": tuple(range(1, 60))})
    first = compare_correlations(small, small.factors[0], small.factors[2])
    second = compare_correlations(many, many.factors[0], many.factors[2])
    assert first.low < first.value < first.high
    assert second.low < second.value < second.high
    assert second.high - second.low < first.high - first.low


# ---- consistency -----------------------------------------------------------------------------------------------------


def test_a_combination_far_off_is_found_and_can_be_left_out():
    observations = simulated(noise=Noise(0.02, 0.02))
    cells = observations.cells.copy()
    cells.loc[7, ["time", "log_time"]] += [5 * cells.loc[7, "time"], np.log(6)]
    changed = observations_of(cells[["Layers", "BatchSize", "ConvSize", "time"]])
    (found,) = outliers_of(changed)
    assert found.ratio == pytest.approx(6, rel=0.1)
    assert len(without(changed, [found]).cells) == 47


def test_rows_with_another_quotient_are_counted():
    observations = simulated()
    rows = observations.rows.assign(total=observations.rows["time"] * 10)
    rows.loc[:2, "total"] *= 2
    from dataclasses import replace

    (sentence,) = divisor_sentences([replace(observations, rows=rows, total="TotalTime")])
    assert "TotalTime / 10 in 45 of 48 rows; 3 have another quotient" in sentence
