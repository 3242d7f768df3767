"""Families as inputs, and experts for large ones."""

import numpy as np
import pytest

from perfcast.errors import PredictorError
from perfcast.fit.deploy import fit_predictor
from perfcast.fit.evaluate import evaluate
from perfcast.fit.families import MAX_FAMILIES, encode_families, known_families
from perfcast.fit.fitting import train
from perfcast.fit.mixture import fit_mixture
from perfcast.fit.options import ENSEMBLE, MIXTURE
from perfcast.fit.persistence.folder import load_predictor, save_predictor
from perfcast.fit.training_data import training_data

from .conftest import make_dataset, make_options, metric_of, rewrite

pytestmark = pytest.mark.heavy

SLOWER = 1.5


def make_slower(**sizes):
    """Return networks of which those of family1 take half as long again, which no feature tells."""
    table = make_dataset(**sizes)
    slower = np.where(table["family"] == "family1", SLOWER, 1.0)
    return table.assign(latency_mean_ms=table["latency_mean_ms"] * slower)


def rows_of(table):
    return training_data(table, make_options().metrics["latency_ms"], make_options())


def test_families_with_several_rows_are_encoded_largest_first():
    assert known_families(np.array(["b", "a", "b", "c", "a"], dtype=object)) == ("a", "b")
    many = np.repeat([f"{number:03}" for number in range(2 * MAX_FAMILIES)], [3, 2] * MAX_FAMILIES)
    assert known_families(many) == tuple(f"{number:03}" for number in range(0, 2 * MAX_FAMILIES, 2))


def test_unknown_family_is_encoded_as_zeros():
    told = encode_families(np.array(["b", "x", ""], dtype=object), ("a", "b"))
    assert (told > 0).tolist() == [[False, True], [False, False], [False, False]]
    assert encode_families(np.array(["b"], dtype=object), ()).shape == (1, 0)


def test_known_family_improves_the_prediction():
    rows = rows_of(make_slower(families=3, networks=8, sizes=(64, 128)))
    unseen = np.arange(len(rows.target)) % 16 >= 14
    training, test = rows.take(np.flatnonzero(~unseen)), rows.take(np.flatnonzero(unseen))
    trained = train(ENSEMBLE, training, training.families, seed=0)
    errors = np.abs(trained.predict(test).values / test.target - 1)
    untold = trained.ensemble.predict(test.inputs, encode_families(np.array([""] * len(test.target)), trained.families))
    own = test.families == "family1"
    assert errors.mean() < 0.1
    assert np.abs(untold.values / test.target - 1)[own].mean() > 2 * errors[own].mean()


@pytest.fixture(scope="module")
def predictor():
    options = make_options(splits=0, algorithms=[ENSEMBLE])
    table = make_slower(families=3, networks=3, sizes=(64, 128))
    return table, fit_predictor(table, evaluate(table, options), options)


def test_predictor_works_with_and_without_families(predictor, tmp_path):
    table, made = predictor
    save_predictor(made, tmp_path / "p")
    loaded = load_predictor(tmp_path / "p")
    assert loaded.metrics["latency_ms"].families == ("family0", "family1", "family2")
    told, untold = loaded.predict(table), loaded.predict(table.drop(columns="family"))
    other = loaded.predict(table.assign(family="family9"))
    assert (told["prediction"] == made.predict(table)["prediction"]).all()
    assert (untold["prediction"] == other["prediction"]).all()
    assert (told["prediction"] != untold["prediction"]).any()


@pytest.mark.parametrize("families", [["family0"], [], ["family0", "family0", "family1"], None, [1, 2, 3]])
def test_families_that_do_not_fit_a_predictor_are_refused(predictor, tmp_path, families):
    save_predictor(predictor[1], tmp_path / "p")
    rewrite(tmp_path / "p", lambda manifest: metric_of(manifest).update(families=families))
    with pytest.raises(PredictorError, match=r"are inconsistent|families|latency_ms.npz"):
        load_predictor(tmp_path / "p")


def test_only_large_families_have_experts():
    few = rows_of(make_dataset(families=3, networks=5))
    assert fit_mixture(few, seed=0) is None
    alone = train(ENSEMBLE, few, few.families, seed=0).predict(few)
    assert (train(MIXTURE, few, few.families, seed=0).predict(few).values == alone.values).all()
    many = rows_of(make_dataset(families=3, networks=20, sizes=(64,)))
    experts = fit_mixture(many.take(np.flatnonzero(np.arange(60) < 45)), seed=0)
    assert experts is not None
    assert len(experts.costs) == 2
    assert experts.gate.value.shape[1] == 3, "the third family is among the others"
    told, gating_weight = experts.predict(many.inputs)
    assert (told > 0).all()
    assert ((gating_weight >= 0) & (gating_weight <= 1)).all()
