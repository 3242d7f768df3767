"""Factors in predictors: numeric ones are learned from, categorical ones part the predictor."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcast.errors import DataError, PredictorError, UsageError
from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.inputs import InputColumns, covered
from perfcast.fit.options import SCHEMES, FitOptions, Metric
from perfcast.fit.persistence.folder import load_predictor, save_predictor
from perfcast.fit.splits import published_split, scheme_folds
from perfcast.fit.training_data import tables_of, training_data

from .conftest import rewrite

pytestmark = pytest.mark.heavy

FEATURES = ("flops", "layers", "conv_parameters")
SLOWER = {"fast": 1.0, "slow": 10.0}
OPTIONS = FitOptions(FEATURES, {"latency_ms": Metric("latency_ms", "ms")}, ["poly", "svr"], splits=0)
MEASURED = ((1, 1), (2, 1), (2, 8))
"""Threads and batch; eight samples on one thread are excluded."""
FEW = 9
"""Networks, one per family, where it does not matter how accurately their latency is predicted."""


def device(models, toolchain, threads, batch, seed=0):
    """Measure models on a simulated device: operations are shared by the threads, starting a run is not."""
    noise = np.random.default_rng([seed, threads, batch]).lognormal(0, 0.02, len(models))
    latency = SLOWER[toolchain] * (1e-9 * models["flops"] * batch / threads + 0.5)
    return models.assign(toolchain=toolchain, threads=threads, batch=batch, latency_ms=latency * noise)


def make_models(networks=18, seed=0):
    random = np.random.default_rng(seed)
    flops = 10 ** random.uniform(8, 10, networks)
    return pd.DataFrame(
        {
            "model": [f"net{number}_{seed}_64" for number in range(networks)],
            "family": [f"family{number % 9}" for number in range(networks)],
            "input_size": 64,
            "flops": flops,
            "layers": random.integers(10, 100, networks),
            "conv_parameters": flops / random.uniform(100, 1000, networks),
        }
    )


@pytest.fixture(scope="module")
def dataset():
    parts = [device(make_models(), toolchain, *numbers) for toolchain in SLOWER for numbers in MEASURED]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def evaluation(dataset):
    return evaluate(dataset, OPTIONS)


@pytest.fixture(scope="module")
def predictor(dataset, evaluation):
    return fit_predictor(dataset, evaluation, OPTIONS)


def asked(predictor, toolchain, threads, batch):
    """Return predictions for networks that were not measured, and what the device would take."""
    models = make_models(40, seed=1)
    found = predictor.predict(models, {"toolchain": toolchain, "threads": threads, "batch": batch})
    return found, device(models, toolchain, threads, batch, seed=1)["latency_ms"].to_numpy()


def test_each_power_mode_has_its_own_predictor(tmp_path):
    models = make_models(FEW)
    modes = [device(models, name, 1, 1).assign(nvpmodel=mode, toolchain="a") for mode, name in enumerate(SLOWER)]
    measured = pd.concat(modes, ignore_index=True)
    options = replace(OPTIONS, algorithms=["poly"])
    save_predictor(fit_predictor(measured, evaluate(measured, options), options), tmp_path / "predictor")
    loaded = load_predictor(tmp_path / "predictor")
    fast, slow = (loaded.predict(models, {"nvpmodel": mode})["prediction"] for mode in (0, 1))
    assert (slow / fast).to_numpy() == pytest.approx(10, rel=0.2)
    with pytest.raises(UsageError, match="nvpmodel 7: the predictor was trained on 0, 1"):
        loaded.predict(make_models(), {"nvpmodel": 7})


def test_an_option_of_one_workload_parts_that_workload_alone(tmp_path):
    kinds = [("inference", None, np.nan), ("training_step", "sgd", 0.001), ("training_step", "adam", 0.001)]
    names = ["workload", "optimizer", "learning_rate"]
    slower = [device(make_models(FEW), name, 1, 1).assign(toolchain="a") for name in ("fast", "slow", "slow")]
    parts = [rows.assign(**dict(zip(names, kind, strict=True))) for rows, kind in zip(slower, kinds, strict=True)]
    measured = pd.concat(parts, ignore_index=True).astype({"optimizer": "str"})
    options = replace(OPTIONS, algorithms=["poly"])
    save_predictor(fit_predictor(measured, evaluate(measured, options), options), tmp_path / "predictor")
    loaded = load_predictor(tmp_path / "predictor")
    trained = loaded.predict(make_models(FEW), {"workload": "training_step", "optimizer": "adam"})["prediction"]
    inferred = loaded.predict(make_models(FEW), {"workload": "inference"})["prediction"]
    assert len(inferred) == len(trained) == FEW
    assert (trained.to_numpy() / inferred.to_numpy()) == pytest.approx(10, rel=0.2)


@pytest.mark.parametrize("toolchain", SLOWER)
@pytest.mark.parametrize("batch", [2, 4, 8])
def test_batches_between_measured_ones_are_within_intervals(predictor, toolchain, batch):
    found, measured = asked(predictor, toolchain, 2, batch)
    assert np.median(np.abs(found["prediction"] / measured - 1)) < 0.1
    inside = found["in_domain"].to_numpy()
    assert inside.mean() > 0.8
    assert ((found["lower"] <= measured) & (measured <= found["upper"]))[inside].mean() >= 0.75


@pytest.mark.parametrize(("threads", "batch"), [(1, 8), (1, 4), (2, 16), (4, 1)])
def test_excluded_or_extrapolated_factors_are_out_of_domain(predictor, threads, batch):
    found, measured = asked(predictor, "fast", threads, batch)
    assert not found["in_domain"].any()
    assert np.median(np.abs(found["prediction"] / measured - 1)) < 0.2, "the physics extrapolates all the same"


def test_categorical_factors_have_separate_predictors(dataset, predictor):
    alone = dataset[dataset["toolchain"] == "fast"]
    only = fit_predictor(alone, evaluate(alone, OPTIONS), OPTIONS)
    numbers = {"threads": 2, "batch": 4}
    together = predictor.predict(make_models(), numbers | {"toolchain": "fast"})
    pd.testing.assert_frame_equal(together.drop(columns="toolchain"), only.predict(make_models(), numbers))


def test_all_categorical_values_are_predicted_by_default(predictor):
    found = predictor.predict(make_models(), {"threads": 1, "batch": 1})
    head = ["model", "metric", "toolchain", "threads", "batch"]
    assert list(found) == [*head, "unit", "prediction", "lower", "upper", "in_domain"]
    assert list(found["toolchain"][:4]) == ["fast", "slow", "fast", "slow"]
    assert list(found["model"][::2]) == list(make_models()["model"])


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"threads": 2}, "batch: choose a value; the predictor was trained on 1, 8"),
        ({"threads": 2, "batch": 1, "toolchain": "other"}, "toolchain other: the predictor was trained on fast, slow"),
        ({"threads": 2, "batch": 1, "precision": "int8"}, "precision int8: .* no known value"),
        ({"threads": 2, "batch": 1, "clock_mhz": 900.0}, r"clock_mhz 900\.0: .* no known value"),
        ({"threads": 0, "batch": 1}, "threads 0: must be above 0"),
    ],
)
def test_unknown_factor_value_is_refused_with_the_known_ones(predictor, chosen, message):
    with pytest.raises(UsageError, match=message):
        predictor.predict(make_models(), chosen)


@pytest.fixture(scope="module")
def narrow():
    """A predictor of measurements under one factor set."""
    measured = device(make_models(), "fast", 2, 1)
    return fit_predictor(measured, evaluate(measured, OPTIONS), OPTIONS)


@pytest.mark.parametrize(("threads", "batch"), [(2, 1), (2, 8), (1, 1), (4, 1), (1, 8)])
def test_fixed_factor_is_predicted_out_of_domain(narrow, threads, batch):
    models, chosen = make_models(40, seed=1), {"threads": threads, "batch": batch}
    found, measured = narrow.predict(models, chosen), device(models, "fast", threads, batch, seed=1)["latency_ms"]
    named = [line.partition(" ")[0] for line in narrow.never_varied(chosen)]
    assert named == [name for name, value in chosen.items() if value != {"threads": 2, "batch": 1}[name]]
    assert found["in_domain"].any() == narrow.knows(chosen) == (not named)
    assert ((found["lower"] <= measured) & (measured <= found["upper"])).mean() >= 0.9
    if threads == 2:
        assert np.median(np.abs(found["prediction"] / measured - 1)) < 0.05, "demands grow with the batch"
    assert list(found["batch"].unique()) == [batch]


def test_predictor_lists_its_factors(predictor):
    known = {"toolchain": "fast", "threads": 2, "batch": 1, "precision": None}
    assert predictor.knows(known)
    for change in ({"toolchain": "other"}, {"toolchain": None}, {"threads": None}, {"precision": "int8"}):
        assert not predictor.knows(known | change)


def test_parts_survive_the_folder_and_their_replacement(predictor, tmp_path):
    for _ in range(2):
        save_predictor(predictor, tmp_path / "p")
    files = sorted(str(path.relative_to(tmp_path / "p")) for path in (tmp_path / "p").rglob("*.npz"))
    assert files == ["part-0/latency_ms.npz", "part-1/latency_ms.npz"]
    loaded, numbers = load_predictor(tmp_path / "p"), {"threads": 2, "batch": 4}
    pd.testing.assert_frame_equal(loaded.predict(make_models(), numbers), predictor.predict(make_models(), numbers))
    (tmp_path / "p/part-1/NOTES.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"part-1/NOTES\.txt"):
        save_predictor(predictor, tmp_path / "p")


def change_combinations(manifest):
    manifest["parts"][0]["metrics"]["latency_ms"]["combinations"] = [[1.0]]


def change_factors(manifest):
    manifest["parts"][0]["factors"] = {}


@pytest.mark.parametrize(
    ("change", "key"), [(change_combinations, "combinations"), (change_factors, "factors differ in their names")]
)
def test_factors_that_do_not_fit_a_predictor_are_refused(predictor, tmp_path, change, key):
    save_predictor(predictor, tmp_path / "p")
    rewrite(tmp_path / "p", change)
    with pytest.raises(PredictorError, match=f"manifest.json: .*{key}"):
        load_predictor(tmp_path / "p")


def test_evaluations_say_which_part_and_factors_a_row_has(evaluation):
    names = [f"latency_ms[toolchain={name}]" for name in SLOWER]
    assert list(evaluation.summary["metrics"]) == names
    rows = evaluation.of_metric("predictions", names[1])
    assert set(rows["toolchain"]) == {"slow"}
    assert set(zip(rows["threads"], rows["batch"], strict=True)) == set(MEASURED)
    found = evaluation.summary["metrics"][names[0]]
    assert (found["models"], found["rows"]) == (18, 54)
    assert found["algorithms"]["svr"]["leave_one_family_out"]["mape"] < 20


def test_model_is_never_in_both_training_and_test(dataset):
    table = tables_of(dataset, OPTIONS)["latency_ms[toolchain=fast]"]
    folds = [fold for scheme in SCHEMES for fold in scheme_folds(table, scheme, 0)]
    folds += [published_split(table.groups, 0.2, split) for split in range(20)]
    assert folds
    for fold in folds:
        assert not set(table.models[fold.train]) & set(table.models[fold.test])


def test_duplicate_model_and_factors_is_refused(dataset):
    with pytest.raises(DataError, match="has 2 rows with the same factors"):
        tables_of(pd.concat([dataset, dataset.head(1)]), OPTIONS)


def test_without_factors_that_vary_inputs_are_the_features(dataset):
    alike = dataset[(dataset["toolchain"] == "fast") & (dataset["threads"] == 1)]
    table = training_data(alike, OPTIONS.metrics["latency_ms"], OPTIONS)
    assert table.features == FEATURES
    assert table.expanded() is table
    assert list(tables_of(alike, OPTIONS)) == ["latency_ms"]


def test_inputs_count_work_per_run_and_per_thread():
    columns = InputColumns(FEATURES, ("threads", "batch"))
    assert columns.expanded_names == (*FEATURES, "threads", "batch", "flops/threads")
    found = columns.expanded(np.array([[100.0, 5.0, 7.0, 4.0, 8.0]]))
    assert found.tolist() == [[800.0, 5.0, 7.0, 4.0, 8.0, 200.0]]


GRID = np.array([[threads, batch] for threads in (1, 2, 4) for batch in (1, 8)], dtype=float)


@settings(max_examples=30)
@given(st.floats(1, 4), st.floats(1, 8))
def test_a_whole_grid_covers_all_between_its_ends(threads, batch):
    assert covered(np.array([threads, batch]), GRID)
    assert not covered(np.array([threads, 8 + batch]), GRID)
    assert not covered(np.array([threads / 5, batch]), GRID)


@settings(max_examples=30)
@given(st.sampled_from(GRID.tolist()))
def test_an_excluded_combination_is_not_covered(excluded):
    kept = np.array([row for row in GRID.tolist() if row != excluded])
    assert not covered(np.array(excluded), kept)
    assert all(covered(row, kept) for row in kept)
