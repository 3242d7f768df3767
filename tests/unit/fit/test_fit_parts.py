"""The parts of fitting: physics, encoding, splits, intervals, domain, baselines, measures."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import UsageError
from perfcast.features.definitions import FEATURES
from perfcast.features.plausible import fit_outlier_bounds, rules_of
from perfcast.fit.baselines import flops_only
from perfcast.fit.censored import Censored
from perfcast.fit.domain import fit_domain
from perfcast.fit.encoding import PLAIN, ROBUST, fit_encoding
from perfcast.fit.fitting import train, tune
from perfcast.fit.inputs import InputColumns
from perfcast.fit.intervals import Errors, calibrate, conformal_quantile, enough_families
from perfcast.fit.measures import error_summary
from perfcast.fit.options import ALGORITHMS, ENSEMBLE, MIXTURE, SCHEMES, Metric
from perfcast.fit.physical import fit_physical, fit_robust
from perfcast.fit.regressors import GRIDS
from perfcast.fit.selection import PHYSICAL, PUBLISHED, additive_features, select_features
from perfcast.fit.splits import equivalent_scheme, grouped_folds, published_split, scheme_folds
from perfcast.fit.training_data import TrainingData, training_data

from .conftest import make_dataset, make_options


def test_physical_model_finds_the_costs():
    inputs = np.random.default_rng(0).uniform(1, 1e6, (50, 3))
    costs = np.array([2.0, 1e-3, 0.0, 5e-2])
    target = costs[0] + inputs @ costs[1:]
    found = fit_physical(inputs, np.array([True, True, True]), target)
    assert (found.costs >= 0).all()
    np.testing.assert_allclose(np.exp(found.log_estimate(1e3 * inputs)), costs[0] + 1e3 * inputs @ costs[1:], rtol=0.01)


def test_robust_physical_model_resists_wrong_rows():
    random = np.random.default_rng(0)
    inputs = random.uniform(1e3, 1e6, (80, 2))
    target = 5 + 1e-3 * inputs[:, 0] + 1e-2 * inputs[:, 1]
    additive, pairs = np.array([True, True]), np.zeros((0, 2), dtype=int)
    wrong = np.where(np.arange(80) % 10 == 0, target / 7, target)
    plain = np.exp(fit_physical(inputs, additive, wrong).log_estimate(inputs)) / target - 1
    robust = np.exp(fit_robust(inputs, additive, wrong, pairs).log_estimate(inputs)) / target - 1
    assert np.abs(robust).mean() < 0.2 < 0.5 < np.abs(plain).mean()


def test_the_robust_physical_model_learns_where_a_cost_ends():
    random = np.random.default_rng(0)
    parameters, layers = 10 ** random.uniform(4, 8, 200), random.integers(5, 100, 200).astype(float)
    inputs = np.column_stack([parameters, layers])
    target = 100 + 1e-5 * np.minimum(parameters, 2e5 * layers)
    found = fit_robust(inputs, np.array([True, True]), target, np.array([[0, 1]]))
    assert np.abs(np.exp(found.log_estimate(inputs)) / target - 1).mean() < 0.03


def test_physical_model_ignores_non_additive_features():
    inputs = np.random.default_rng(0).uniform(1, 10, (30, 2))
    assert fit_physical(inputs, np.array([True, False]), inputs[:, 1]).costs[2] == 0


@pytest.mark.parametrize("physical", [PLAIN, ROBUST, 0])
@pytest.mark.parametrize("with_ratios", [True, False])
def test_encoding_decodes_what_it_encoded(physical, with_ratios):
    random = np.random.default_rng(0)
    inputs = random.uniform(0, 1e9, (20, 4))
    target = random.uniform(1, 100, 20)
    encoding = fit_encoding(make_rows(inputs, target), physical, with_ratios=with_ratios)
    answers = encoding.encode_target(inputs, target)
    np.testing.assert_allclose(encoding.decode(inputs, answers), target)
    assert np.abs(encoding.encode(1e6 * inputs)).max() < 10


def make_rows(inputs, target):
    nothing = np.zeros(0, dtype=int)
    rows = np.arange(len(target))
    return TrainingData(
        metric=Metric("y", "ms"),
        part={},
        columns=InputColumns(("parameters", "layers", "sum_activations", "input_elements")),
        additive=np.ones(inputs.shape[1], bool),
        inputs=inputs,
        target=target,
        models=rows,
        networks=rows,
        families=rows % 3,
        sizes=rows,
        excluded={},
        implausible=(nothing, nothing.reshape(0, 0)),
        censored=Censored(inputs[:0], target[:0], rows[:0], rows[:0]),
    )


def test_outliers_are_winsorized():
    random = np.random.default_rng(0)
    first, second = 10 ** random.uniform(2, 4, (2, 60))
    inputs = np.column_stack([5 * first * second * random.lognormal(0, 0.1, 60), first, second])
    broken = inputs.copy()
    broken[::20, 0] *= 1e4
    outlier_bounds = fit_outlier_bounds(broken, np.array([0]), np.array([[1, 2]]))
    assert list(np.flatnonzero(outlier_bounds.exceeded(broken)[:, 0])) == [0, 20, 40]
    np.testing.assert_allclose(outlier_bounds.winsorized(broken)[::20, 0], inputs[::20, 0], rtol=0.5)
    assert (outlier_bounds.winsorized(broken)[1:20] == inputs[1:20]).all()
    few = fit_outlier_bounds(broken[:10], np.array([0]), np.array([[1, 2]]))
    assert (few.winsorized(broken) == broken).all()


def test_rules_name_existing_features():
    features, others = rules_of(("a", "b", "c"), {"a": ("b", "c"), "b": ("c",), "c": ("missing",)})
    assert features.tolist() == [0, 1]
    assert others.tolist() == [[1, 2], [2, -1]]


def test_published_split_depends_only_on_its_number():
    first, again, other = (published_split(np.arange(50), 0.2, split) for split in (7, 7, 8))
    assert len(first.test) == 10
    assert set(first.train) | set(first.test) == set(range(50))
    assert (first.test == again.test).all()
    assert set(first.test) != set(other.test)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60), st.integers(2, 6), st.integers(0, 9))
def test_grouped_folds_keep_groups_and_test_each_row_once(names, folds, seed):
    groups = np.array(names, dtype=object)
    made = grouped_folds(groups, folds, seed)
    assert sorted(np.concatenate([fold.test for fold in made])) == list(range(len(groups)))
    for fold in made:
        assert not set(groups[fold.train]) & set(groups[fold.test])


def test_features_are_selected_only_for_known_tables():
    known = [*PUBLISHED, *PHYSICAL, "units_min", "graph_name"]
    assert select_features(known) == (*PUBLISHED, *PHYSICAL)
    assert select_features(["gflops", "nodes", "mean_width"]) == ("gflops", "nodes", "mean_width")
    assert additive_features(["gflops", "nodes", "mean_width"]) == ("gflops", "nodes")
    assert {"flops", "weight_bytes"} < set(additive_features(known)) < set(known) - {"bn_parameters"}


def test_known_features_exist():
    assert {*PUBLISHED, *PHYSICAL} <= {feature.name for feature in FEATURES}


def test_schemes_hold_out_what_they_name():
    table = training_data(make_dataset(), make_options().metrics["latency_ms"], make_options())
    assert len(scheme_folds(table, "leave_one_family_out", 0)) == 4
    networks = scheme_folds(table, "unseen_network", 0)
    assert len(networks) == 5
    for fold in networks:
        assert not set(table.networks[fold.train]) & set(table.networks[fold.test])
    assert set(table.networks) == {f"family{family}_net{network}" for family in range(4) for network in range(2)}
    for fold in scheme_folds(table, "unseen_input_size", 0):
        assert not set(table.sizes[fold.train]) & set(table.sizes[fold.test])


def test_a_quantile_is_corrected_for_few_errors():
    errors = np.arange(1, 20) / 100
    assert conformal_quantile(errors, 0.9) == pytest.approx(0.18)
    for few, expected in ((5, 0.05), (8, 0.08), (9, 0.09), (10, 0.1)):
        assert conformal_quantile(errors[:few], 0.9) == expected


def test_ninety_percent_interval_needs_nine_families():
    assert enough_families(9, 0.9)
    assert not enough_families(8, 0.9)
    assert enough_families(4, 0.8)


def test_the_domain_of_a_single_row_is_that_row():
    inputs = np.array([[1.0, 20.0], [1.0, 20.0], [1.0, 21.0]])
    location = fit_domain(inputs[:1]).locate(inputs)
    assert np.isfinite(location.distances).all()
    assert location.inside.tolist() == [True, True, False]


def drawn(random, rows):
    """Errors that grow with the distance, and with how far votes are apart."""
    distances, spreads = random.uniform(0, 2, rows), random.uniform(0, 0.2, rows)
    return Errors(random.normal(size=rows) * (0.02 + 0.1 * distances + spreads), distances, spreads)


def test_intervals_cover_new_errors_near_and_far():
    random = np.random.default_rng(0)
    covered = []
    for _ in range(30):
        intervals = calibrate(drawn(random, 300), [], 0.9)
        new = drawn(random, 300)
        inside = np.abs(new.residuals) <= intervals.half_widths(new.distances, new.spreads)
        near = new.distances < 0.5
        covered.append((inside.mean(), inside[near].mean(), inside[~near].mean()))
    assert np.mean(covered, axis=0) == pytest.approx([0.9, 0.9, 0.9], abs=0.05)


def test_intervals_widen_with_distance_up_to_a_limit():
    intervals = calibrate(drawn(np.random.default_rng(0), 300), [], 0.9)
    widths = intervals.half_widths(np.array([0.1, 1.0, 2.0, 1e9]), np.full(4, 0.05))
    assert (np.diff(widths) >= 0).all()
    assert widths[1] > 1.5 * widths[0]
    assert widths[3] < 1.1 * widths[2]


def test_intervals_hold_on_every_kind_of_calibration_row():
    random = np.random.default_rng(0)
    unseen, others = drawn(random, 200), drawn(random, 200)
    worse = Errors(4 * others.residuals, others.distances, others.spreads)
    intervals = calibrate(unseen, [worse], 0.9)
    for errors in (unseen, worse):
        assert (np.abs(errors.residuals) <= intervals.half_widths(errors.distances, errors.spreads)).mean() >= 0.9


def test_domain_contains_training_data_and_not_far_rows():
    inputs = make_dataset()[["flops", "nb_layers", "channels"]].to_numpy(float)
    domain = fit_domain(inputs)
    assert domain.contains(inputs).all()
    assert not domain.contains(inputs * [1e4, 1, 1]).any()
    assert not domain.contains(inputs + np.array([0, 0, 1])).any(), "a feature that was constant changed"


def test_domain_refuses_an_unseen_mixture_within_all_ranges():
    along = np.exp(np.linspace(0, 10, 60))
    domain = fit_domain(np.column_stack([along, along]))
    assert domain.contains(np.array([[100.0, 100.0]]))[0]
    assert not domain.contains(np.array([[2.0, 10000.0]]))[0]


def test_flops_only_is_a_power_law():
    flops = np.array([1e6, 1e7, 1e8])
    np.testing.assert_allclose(flops_only(flops, 3e-5 * flops**0.8, np.array([1e10])), 3e-5 * 1e10**0.8, rtol=1e-4)


def test_flops_only_handles_unknown_flops():
    flops = np.array([-1.0, 1e6, 1e7, -5.0])
    assert np.isfinite(flops_only(flops, np.array([1.0, 2.0, 3.0, 4.0]), flops)).all()


def test_a_seed_that_libraries_do_not_take_is_refused():
    make_options(seed=2**32 - 1)
    for seed in (-1, 2**32):
        with pytest.raises(UsageError, match="fit: seed: "):
            make_options(seed=seed)


def test_error_summary_is_wider_when_families_differ():
    measured = np.ones(40)
    families = np.repeat(np.array(list("abcd"), dtype=object), 10)
    alike = error_summary(measured, np.full(40, 1.1), families, 0)
    differing = error_summary(measured, np.repeat([1.0, 1.0, 1.0, 1.4], 10), families, 0)
    assert alike["mape"] == pytest.approx(differing["mape"]) == pytest.approx(10)
    assert alike["mape_high"] - alike["mape_low"] < 1e-9
    assert differing["mape_high"] - differing["mape_low"] > 10


@pytest.mark.heavy
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_learns_a_physical_cost(algorithm):
    rows = training_data(make_dataset(networks=4), make_options().metrics["latency_ms"], make_options())
    order = np.random.default_rng(0).permutation(len(rows.target))
    training, test = rows.take(order[16:]), rows.take(order[:16])
    prediction = train(algorithm, training, training.families, seed=0).predict(test)
    assert np.abs(prediction.values / test.target - 1).mean() < 0.1
    assert ((prediction.spreads > 0) == (algorithm in (ENSEMBLE, MIXTURE))).all()


def test_tuning_looks_at_its_rows_only_and_is_repeatable():
    rows = training_data(make_dataset(), make_options().metrics["latency_ms"], make_options())
    groups = np.arange(len(rows.target)) % 4
    assert tune("poly", rows, groups, 0) == tune("poly", rows, groups, 0)
    assert tune("poly", rows, np.zeros(len(groups)), 0) == GRIDS["poly"][0], "one group leaves nothing to compare"


def test_schemes_with_equal_folds_are_merged():
    table = make_dataset(sizes=(224,), networks=1, families=8)
    found = training_data(table, make_options().metrics["latency_ms"], make_options())
    assert {scheme: equivalent_scheme(found, scheme) for scheme in SCHEMES} == {
        "random_folds": "random_folds",
        "leave_one_family_out": "random_folds",
        "unseen_network": "random_folds",
        "unseen_input_size": "unseen_input_size",
    }
    for scheme in ("leave_one_family_out", "unseen_network"):
        folds = zip(scheme_folds(found, scheme, 0), scheme_folds(found, "random_folds", 0), strict=True)
        assert all((one.test == other.test).all() for one, other in folds)
    assert scheme_folds(found, "unseen_input_size", 0) == []


def test_large_tables_are_subsampled():
    many = pd.concat([make_dataset(seed=seed).assign(seed=seed) for seed in range(40)], ignore_index=True)
    many["model"] = many["model"] + "_" + many["seed"].astype(str)
    metrics = {f"m{number}": Metric("latency_mean_ms", "ms") for number in range(12)}
    options = make_options(metrics=metrics)
    found = training_data(many, metrics["m0"], options)
    assert len(found) == options.most_rows == 400
    assert found.excluded["not_drawn"] == len(many) - 400
    assert len(training_data(many, metrics["m0"], make_options())) == len(many)
