"""The portable learners answer as the libraries that fitted them do."""

import numpy as np
import pytest
from sklearn.preprocessing import PolynomialFeatures
from xgboost import DMatrix

from perfcast.fit.learners import LEARNERS, monomials
from perfcast.fit.regressors import GRIDS, fit_estimator, learner_of


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(3)
    encoded = random.normal(size=(60, 5))
    target = np.sin(encoded[:, 0]) + encoded[:, 1] * encoded[:, 2] + 0.1 * random.normal(size=60)
    return encoded, target, 2 * random.normal(size=(200, 5))


def library_answer(algorithm, settings, estimator, unseen):
    if algorithm == "xgboost":
        return estimator.predict(DMatrix(unseen.astype(np.float32)))
    if algorithm == "poly":
        unseen = PolynomialFeatures(int(settings["degree"]), include_bias=False).fit_transform(unseen)
    return estimator.predict(unseen)


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_portable_learner_predicts_as_the_library(algorithm, data):
    encoded, target, unseen = data
    for settings in (GRIDS[algorithm][0], GRIDS[algorithm][-1]):
        estimator = fit_estimator(algorithm, settings, encoded, target, seed=1)
        expected = library_answer(algorithm, settings, estimator, unseen)
        found = learner_of(estimator).predict(unseen)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
        if algorithm == "xgboost":
            np.testing.assert_array_equal(found, expected, "to the last bit")


def test_monomials_are_ordered_as_in_scikit_learn(data):
    encoded = data[0]
    expected = PolynomialFeatures(2, include_bias=False).fit_transform(encoded)
    np.testing.assert_allclose(monomials(encoded, 2), expected)
