"""Memory of runs of which some ran out: the linear model, the probability of running out, the largest safe batch."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from perfcast.errors import UsageError
from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.linear import fit_linear, terms_of
from perfcast.fit.options import FitOptions, Metric
from perfcast.fit.persistence.folder import load_predictor, save_predictor
from perfcast.fit.physical import least_squares
from perfcast.fit.running_out import Needs, fit_running_out
from perfcast.fit.training_data import training_data
from perfcast.fit.will_it_fit import exceeding, will_it_fit
from tests.unit.test_cli import run

FEATURES = ("parameters", "layers", "sum_activations")
BATCHES = (1, 2, 4, 8, 16, 32)
DEVICE_MB = 3000.0


def needed(table):
    return 50 + 12e-6 * table["parameters"] + 4e-6 * table["sum_activations"] * table["batch"]


def make_runs(families=5, networks=3, seed=0):
    """Return runs of a device whose memory some of them need more than."""
    random = np.random.default_rng(seed)
    rows = [
        {
            "model": f"f{family}_{network}",
            "family": f"f{family}",
            "input_size": 32,
            "target": "device",
            "batch": batch,
            "parameters": parameters,
            "layers": layers,
            "sum_activations": activations,
        }
        for family in range(families)
        for network in range(networks)
        for parameters, activations, layers in [
            (10 ** random.uniform(5, 7), 10 ** random.uniform(6.5, 8), random.integers(5, 50))
        ]
        for batch in BATCHES
    ]
    table = pd.DataFrame(rows)
    need = needed(table) * random.lognormal(0, 0.02, len(table))
    out = need > DEVICE_MB
    return table.assign(
        status=np.where(out, "out_of_memory", "measured"), memory_mb=np.where(out, np.nan, need), true_mb=need
    )


@pytest.fixture(scope="module")
def runs():
    return make_runs()


@pytest.fixture(scope="module")
def options():
    return FitOptions(FEATURES, {"memory_mb": Metric("memory_mb", "MB")}, algorithms=["linear"])


@pytest.fixture(scope="module")
def evaluation(runs, options):
    return evaluate(runs, options)


@pytest.fixture(scope="module")
def predictor(runs, options, evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory") / "predictor"
    save_predictor(fit_predictor(runs, evaluation, options), folder)
    return load_predictor(folder)


def test_linear_model_predicts_beyond_what_was_measured(runs, options):
    data = training_data(runs, options.metrics["memory_mb"], options)
    for averaged in (False, True):
        model = fit_linear(data.expanded(), averaged=averaged)
        assert (model.costs >= 0).all()
        ran_out = runs["status"] == "out_of_memory"
        need = model.predict(data.expanded().censored.inputs, np.zeros((ran_out.sum(), 0)))
        np.testing.assert_allclose(need, runs.loc[ran_out, "true_mb"], rtol=0.15)


def test_what_is_held_has_one_price(options):
    known = make_runs().query("batch == 1").assign(sum_activations=lambda runs: 10 * runs["parameters"])
    known = known.assign(memory_mb=50 + 4e-6 * (3 * known["parameters"] + known["sum_activations"]))
    held = {"parameters": 3, "sum_activations": 1}

    def predicted(held):
        data = training_data(known, options.metrics["memory_mb"], replace(options, held=held))
        return [
            fit_linear(data, averaged=averaged).predict(np.array([[2e6, 20, 2e6]]), np.zeros((1, 0)))[0]
            for averaged in (False, True)
        ]

    assert predicted(held) == pytest.approx([50 + 4e-6 * 8e6] * 2, rel=0.02)
    # Only the networks that were trained on have ten activations a parameter.
    assert all(abs(each / 82 - 1) > 0.1 for each in predicted({}))


def test_what_is_held_says_nothing_of_time(runs):
    options = FitOptions(FEATURES, {"ms": Metric("memory_mb", "ms")}, held={"parameters": 3, "sum_activations": 1})
    assert training_data(runs, options.metrics["ms"], options).held == {}


def test_lower_bounds_count_where_less_is_predicted():
    terms = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.5], [1.0, 1.0]])

    def predicted(bound):
        target, bounded = np.array([2.0, 2.0, 2.25, bound]), np.array([False, False, False, True])
        return terms[3] @ least_squares(terms, target, bounded)

    assert predicted(2.0) == pytest.approx(2.5, rel=0.01)
    assert predicted(10.0) > 3


def test_layers_without_weights_are_a_quantity_of_their_own():
    inputs = np.array([[10.0, 4.0, 3.0, 1.0, 7.0], [5.0, 4.0, 1.0, 0.0, 7.0]])
    exponents = np.array([[0, 0, 0, 0, 0, 0.0], [0, 0, 0, 0, 1, 1], [1, 0, 0, -1, 0, 0]])
    terms = terms_of(inputs, np.arange(4), exponents)
    np.testing.assert_allclose(terms, [[1, 14, 10], [1, 0, 5]])


def test_probability_of_running_out_is_learned(evaluation):
    found = evaluation.summary["metrics"]["memory_mb"]
    assert found["ran_out_of_memory"] == found["running_out"]["ran_out"] > 5
    assert found["running_out"]["half"] == pytest.approx(DEVICE_MB, rel=0.1)
    assert found["running_out"]["called_right"] > 0.95
    assert found["running_out"]["found"] > 0.95


def test_running_out_needs_runs_of_both_kinds():
    needs = Needs(np.array([1.0, 2.0]), np.array([True, True]), np.array(["a", "b"]))
    assert fit_running_out(needs) is None


def test_prediction_says_how_likely_the_device_runs_out(predictor, runs):
    features = runs[runs["batch"] == 1]
    found = predictor.predict(features, {"batch": 16})
    out = features["model"].map(runs[runs["batch"] == 16].set_index("model")["status"]) == "out_of_memory"
    assert ((found["out_of_memory"] > 0.5).to_numpy() == out.to_numpy()).mean() > 0.9


def test_largest_safe_batch_fits_and_the_next_may_not(predictor, runs):
    features = runs[runs["batch"] == 1]
    found = will_it_fit(predictor, features, {"batch": 1}, 1000.0)
    assert list(found.columns[-3:]) == ["exceeds_memory", "largest_safe_batch", "largest_measured_batch"]
    for row, (_, model) in zip(found.itertuples(), features.iterrows(), strict=True):
        if not 0 < row.largest_safe_batch < max(BATCHES):
            continue
        one = features[features["model"] == model["model"]]
        safe, more = (
            exceeding(predictor.metrics["memory_mb"].predict(one, {"batch": batch}), predictor.interval, 1000.0)[0]
            for batch in (row.largest_safe_batch, row.largest_safe_batch + 1)
        )
        assert safe <= 0.05 < more
    assert found["largest_safe_batch"].nunique() > 3


def test_memory_question_needs_a_metric_of_memory(runs):
    table = runs[runs["status"] == "measured"].rename(columns={"memory_mb": "latency"})
    options = FitOptions(FEATURES, {"latency_ms": Metric("latency", "ms")}, algorithms=["linear"])
    predictor = fit_predictor(table, evaluate(table, options), options)
    with pytest.raises(UsageError, match="--memory-mb: the predictor predicts no memory, only latency_ms"):
        will_it_fit(predictor, table.head(1), {"batch": 1}, 100)


def test_one_batch_size_says_nothing_of_others(runs):
    table = runs[runs["batch"] == 1]
    options = FitOptions(FEATURES, {"memory_mb": Metric("memory_mb", "MB")}, algorithms=["linear"])
    predictor = fit_predictor(table, evaluate(table, options), options)
    assert will_it_fit(predictor, table.head(1), {}, 1000)["largest_safe_batch"].isna().all()


def test_table_of_runs_that_ran_out_is_fitted_and_predicted(tmp_path, runs):
    table, mapping = tmp_path / "runs.csv", tmp_path / "mapping.yaml"
    runs.assign(oom=runs["status"] == "out_of_memory").drop(columns=["true_mb"]).to_csv(table, index=False)
    mapping.write_text(
        "description: a device\nmodel: model\nfamily: {column: family}\noom: {column: oom}\n"
        "metrics: {memory_mb: {column: memory_mb, unit: MB}}\nfactors: {batch: batch}\n"
        f"features: [{', '.join(FEATURES)}]\n"
    )
    fitted = run("fit", table, "--mapping", mapping, "--out", tmp_path / "p", "--algorithm", "linear", "--jobs", 1)
    assert fitted.exit_code == 0, fitted.output
    count = int((runs["status"] == "out_of_memory").sum())
    assert f"used as a lower bound: {count} rows where memory_mb is unknown: it ran out of memory" in fitted.output
    assert f"{count} of {len(runs)} runs ran out of memory" in fitted.output
    out = tmp_path / "predictions.csv"
    asked = run("predict", table, "--predictor", tmp_path / "p", "--mapping", mapping, "--out", out)
    assert asked.exit_code == 0, asked.output
    made = pd.read_csv(out)
    assert ((made["out_of_memory"] > 0.5) == made["oom"]).mean() > 0.95
