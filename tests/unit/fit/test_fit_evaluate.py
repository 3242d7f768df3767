"""Evaluation: its tables, that it is unbiased, and its refusals."""

import json

import numpy as np
import pandas as pd
import pytest

from perfcast.errors import DataError, UsageError
from perfcast.fit.choice import TIE, chosen_without_family, most_accurate
from perfcast.fit.cross_validation import CrossValidation
from perfcast.fit.evaluate import evaluate
from perfcast.fit.evaluation import write_evaluation
from perfcast.fit.options import (
    ALGORITHMS,
    BASELINES,
    CHOOSING_SCHEMES,
    DEPLOYMENT_SCHEME,
    MIXTURE,
    PUBLISHED_ALGORITHMS,
    SCHEMES,
    Metric,
)
from perfcast.fit.training_data import training_data

from .conftest import FEATURES, make_dataset, make_options

pytestmark = pytest.mark.heavy

EVALUATED = tuple(name for name in ALGORITHMS if name != MIXTURE)
"""No family of the dataset is large enough for experts."""


def test_tables_have_the_promised_columns(evaluation):
    assert list(evaluation.splits) == ["metric", "algorithm", "split", "mape", "accuracy"]
    assert list(evaluation.predictions) == [
        "metric", "unit", "algorithm", "scheme", "model", "family", "input_size",
        "measured", "predicted", "lower", "upper", "spread", "distance", "in_domain",
    ]  # fmt: skip
    assert list(evaluation.feature_importance) == ["metric", "feature", "split_count", "mape_increase"]
    assert set(evaluation.predictions["algorithm"]) == {*EVALUATED, *BASELINES}
    assert set(evaluation.predictions["scheme"]) == set(SCHEMES)


def test_every_model_is_predicted_once_per_algorithm_and_scheme(evaluation, dataset):
    counts = evaluation.predictions.groupby(["algorithm", "scheme"])["model"].agg(["count", "nunique"])
    assert (counts == len(dataset)).all(axis=None)
    assert (evaluation.predictions["predicted"] > 0).all()


def test_only_the_deployed_algorithm_has_intervals(evaluation):
    deployed = evaluation.summary["metrics"]["latency_ms"]["deployed"]
    has = evaluation.predictions["lower"].notna()
    assert set(evaluation.predictions["algorithm"][has]) == {deployed}
    rows = evaluation.predictions[has]
    assert ((rows["lower"] < rows["predicted"]) & (rows["predicted"] < rows["upper"])).all()


def test_summary_agrees_with_the_tables(evaluation):
    found = evaluation.summary["metrics"]["latency_ms"]
    for algorithm in PUBLISHED_ALGORITHMS:
        accuracy = evaluation.splits.query("algorithm == @algorithm").set_index("split")["accuracy"]
        published = found["algorithms"][algorithm]["published"]
        assert published["best_accuracy"] == accuracy.max() == accuracy[published["best_split"]]
    errors = {a: np.prod([found["algorithms"][a][scheme]["mape"] for scheme in CHOOSING_SCHEMES]) for a in EVALUATED}
    scores = {algorithm: error ** (1 / len(CHOOSING_SCHEMES)) for algorithm, error in errors.items()}
    assert found["deployed"] == [a for a in EVALUATED if scores[a] <= min(scores.values()) * np.exp(TIE)][-1]
    assert found["algorithms"]["flops_only"]["published"] is found["algorithms"]["ensemble"]["published"] is None
    low, high = found["interval_coverage_low"], found["interval_coverage_high"]
    assert 0 <= low <= found["interval_coverage"] <= high <= 1 <= found["interval_width_factor"]
    for scheme in SCHEMES:
        rows = evaluation.predictions.query("scheme == @scheme and algorithm == @found['deployed']")
        held = (rows["lower"] <= rows["measured"]) & (rows["measured"] <= rows["upper"])
        assert found["schemes"][scheme]["coverage"] == held.mean()
        if scheme == DEPLOYMENT_SCHEME:
            assert found["interval_coverage"] == held.mean()
            for name, inside in (("inside", rows["in_domain"]), ("outside", ~rows["in_domain"])):
                part = found["domain"][name]
                assert part is None if not inside.any() else part["coverage"] == held[inside].mean()
    assert found["repeatability_percent"] is None


def test_learning_beats_the_baselines(evaluation):
    algorithms = evaluation.summary["metrics"]["latency_ms"]["algorithms"]
    best = min(algorithms[name]["leave_one_family_out"]["mape"] for name in EVALUATED)
    assert best < 10
    assert best < min(algorithms[name]["leave_one_family_out"]["mape"] for name in BASELINES)


def test_feature_importance_finds_what_latency_depends_on(evaluation):
    importance = evaluation.feature_importance.set_index("feature")
    assert set(importance.index) == set(FEATURES)
    assert importance["mape_increase"].idxmax() in {"flops", "sum_activations"}
    assert importance.loc["channels", "split_count"] == importance.loc["channels", "mape_increase"] == 0


def test_results_do_not_depend_on_jobs_or_on_other_rows():
    # The other algorithms are among the ensemble's members, or forests as one of these is.
    few = {"splits": 2, "algorithms": ["poly", "xgboost", "gaussian_process", "ensemble"]}
    dataset = make_dataset(families=2, networks=1, sizes=(64, 96, 224))
    replicates = dataset.assign(replicate=1, latency_mean_ms=dataset["latency_mean_ms"] * 1.1)
    failed = dataset.head(3).assign(status="crashed", latency_mean_ms=np.nan, model="broken")
    first = evaluate(dataset, make_options(**few))
    second = evaluate(pd.concat([dataset, replicates, failed]), make_options(**few, jobs=2))
    pd.testing.assert_frame_equal(first.splits, second.splits)
    pd.testing.assert_frame_equal(first.predictions, second.predictions)
    pd.testing.assert_frame_equal(first.feature_importance, second.feature_importance)
    metric = second.summary["metrics"]["latency_ms"]
    assert metric["excluded"] == {
        "not_measured": 3, "rejected": 0, "repetitions": 6, "no_value": 0, "not_positive": 0, "not_drawn": 0,
    }  # fmt: skip
    assert metric["repeatability_percent"]["median"] == pytest.approx(100 * 0.1 / 1.05)


def test_written_evaluation_reads_back(evaluation, tmp_path):
    write_evaluation(evaluation, tmp_path / "evaluation")
    for name in ("splits", "predictions", "feature_importance"):
        table = pd.read_parquet(tmp_path / "evaluation" / f"{name}.parquet")
        pd.testing.assert_frame_equal(table, getattr(evaluation, name), check_dtype=False)
    assert json.loads((tmp_path / "evaluation/summary.json").read_text()) == evaluation.summary


def changed(column, row, value):
    table = make_dataset()
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (make_dataset().head(3), "3 measured rows are too few"),
        (make_dataset(families=1), "all rows are of family 'family0'"),
        (make_dataset().assign(latency_mean_ms=2.0), "all 32 values are 2"),
        (make_dataset().assign(status="failed"), "0 measured rows"),
        (make_dataset().assign(latency_mean_ms=-1.0), "0 measured rows .*32 more are not positive"),
        (changed("latency_mean_ms", 4, np.inf), "'latency_mean_ms', row 4 .*not finite"),
        (changed("flops", 2, np.nan), r"'flops', row 2 \(family0_net0_128\)"),
        (changed("flops", 2, "many"), "'flops', row 2 .*not 'many'"),
        (make_dataset().drop(columns="flops"), "lacks the column 'flops'"),
        (pd.concat([make_dataset(), make_dataset()]), "has 2 rows with the same factors"),
    ],
)
def test_unusable_training_data_is_refused_in_one_line(dataset, message):
    with pytest.raises(DataError, match=message) as caught:
        evaluate(dataset, make_options())
    assert "\n" not in str(caught.value)


def test_non_positive_values_are_skipped_and_counted():
    table = make_dataset(families=2, networks=1, sizes=(64, 96, 224))
    table.loc[[1, 4], "latency_mean_ms"] = [0.0, -1.0]
    again = table.assign(replicate=1, latency_mean_ms=[1.1, 1.0, 1.2, 1.3, 1.0, 1.4])
    with pytest.raises(DataError, match=r"4 measured rows are too few .*2 more are not positive"):
        evaluate(table, make_options(splits=1))
    more = make_dataset(families=3, networks=1, sizes=(64, 96, 224))
    found = evaluate(pd.concat([table, again, more.tail(3)]), make_options(splits=1, algorithms=["poly"]))
    metric = found.summary["metrics"]["latency_ms"]
    assert metric["excluded"]["not_positive"] == 2
    assert metric["models"] == 7
    assert metric["repeatability_percent"]["pairs"] == 4
    assert (found.predictions["measured"] > 0).all()


def test_untrusted_rows_are_not_trained_on():
    table = make_dataset(families=3, networks=1, sizes=(64, 96, 224))
    trust = ["rejected", "noisy", *["trusted"] * 7]
    metric = make_options().metrics["latency_ms"]
    found = training_data(table.assign(trust=trust), metric, make_options())
    assert list(found.models) == list(table["model"][1:])
    assert found.excluded["rejected"] == 1
    with pytest.raises(DataError, match=r"0 measured rows are too few .*9 more were rejected as not to be trusted"):
        training_data(table.assign(trust="rejected"), metric, make_options())


def test_selection_error_comes_from_families_not_used_to_select(evaluation):
    every = evaluation.predictions.query("algorithm in @EVALUATED and scheme in @CHOOSING_SCHEMES")
    every = every.assign(ape=100 * (every["predicted"] / every["measured"] - 1).abs())
    rows = every.query("scheme == 'leave_one_family_out'")
    errors = []
    for family in rows["family"].unique():
        others = every[every["family"] != family].groupby(["algorithm", "scheme"])["ape"].mean()
        scores = np.log(others).groupby("algorithm").mean()
        best = [a for a in EVALUATED if scores[a] <= scores.min() + TIE][-1]
        errors += list(rows[(rows["family"] == family) & (rows["algorithm"] == best)]["ape"])
    found = evaluation.summary["metrics"]["latency_ms"]
    assert found["chosen_without_family"]["mape"] == pytest.approx(np.mean(errors))
    assert found["chosen_without_family"]["median_ape"] == pytest.approx(np.median(errors))
    assert set(found["chosen_without_family"]) == {"mape", "median_ape", "mape_low", "mape_high"}


def test_algorithm_for_a_family_is_chosen_without_it():
    table = training_data(make_dataset(families=2), make_options().metrics["latency_ms"], make_options())
    first = table.families == "family0"
    off = {"poly": np.where(first, 1.0, 1.5), "svr": np.where(first, 1.4, 1.0)}
    predictions = {(name, DEPLOYMENT_SCHEME): table.target * off.get(name, 2.0) for name in ALGORITHMS}
    validation = CrossValidation(table, predictions, {}, {}, {})
    assert most_accurate(validation) == "svr"
    np.testing.assert_allclose(chosen_without_family(validation) / table.target, np.where(first, 1.4, 1.5))


def test_factors_that_are_features_may_vary():
    table = pd.concat([make_dataset(), make_dataset().assign(batch=8)], ignore_index=True)
    options = make_options(splits=1, features=("flops", "batch"), metrics={"t": Metric("latency_mean_ms", "ms")})
    assert len(training_data(table, options.metrics["t"], options)) == 64


@pytest.mark.parametrize(
    "options", [{"features": ()}, {"splits": -1}, {"test_share": 1.0}, {"interval": 0}, {"jobs": 0}, {"metrics": {}}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError):
        make_options(**options)


def test_tables_may_lack_flops_and_have_one_size():
    table = make_dataset(sizes=(224,), networks=3, families=2).drop(columns=["flops", "status", "replicate"])
    features = tuple(name for name in FEATURES if name != "flops")
    options = make_options(features=features, splits=1, algorithms=["poly"])
    found = evaluate(table, options).summary["metrics"]["latency_ms"]
    assert found["deployed"] == "poly"
    assert "flops_only" not in found["algorithms"]
    assert found["algorithms"]["poly"]["unseen_input_size"] is None
