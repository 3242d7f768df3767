"""Fitting regressors, and the settings to choose from.

Ridge polynomial regression, support vector regression, multi-layer perceptron, random forest and XGBoost, as
in Bouzidi et al., "Performance modeling of computer vision-based CNN on edge GPUs", 2022; extremely randomised trees
(Geurts, Ernst and Wehenkel, 2006) and a Gaussian process. Each is fitted on encoded inputs and target
(see `perfcast.fit.encoding`) and handed back as plain arrays.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xgboost
from sklearn.base import ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVR

from perfcast.fit.learners import (
    LEAF,
    Boosted,
    Forest,
    GaussianProcess,
    Learner,
    Perceptron,
    Polynomial,
    SupportVectors,
    monomials,
)

if TYPE_CHECKING:
    from sklearn.base import RegressorMixin

Settings = Mapping[str, float | bool]

GRIDS: dict[str, tuple[Settings, ...]] = {
    "linear": ({"physical": False, "averaged": False}, {"physical": False, "averaged": True}),
    "poly": tuple(
        {"physical": physical, "degree": degree, "alpha": alpha}
        for physical in (True, False)
        for degree, alpha in ((1, 1.0), (1, 30.0), (2, 10.0), (2, 100.0), (2, 1000.0))
    ),
    "svr": tuple(
        {"physical": physical, "ratios": ratios, "C": c, "gamma": gamma}
        for physical, ratios in ((1, False), (0, False), (2, True))
        for c in (1.0, 10.0)
        for gamma in (0.1, 0.5)
    ),
    "mlp": (
        {"physical": True, "alpha": 10.0},
        {"physical": True, "alpha": 1.0},
        {"physical": False, "alpha": 1.0},
    ),
    "forest": ({"physical": True}, {"physical": False}),
    "xgboost": ({"physical": True, "max_depth": 4}, {"physical": False, "max_depth": 4}),
    "extra_trees": ({"physical": 1}, {"physical": 2, "ratios": True}),
    "gaussian_process": ({"physical": 1}, {"physical": 2, "ratios": True}),
}
"""The settings each algorithm is tuned over; the first of the costly ones is what they have untuned.

`physical` says whether the learner corrects a physical estimate; the rest are the library's parameters, but
that `gamma` is meant to be divided by the number of inputs, and `averaged` is explained in `perfcast.fit.linear`.
"""

_KERNEL_ROWS = 400
"""How many rows a Gaussian process' kernel is fitted on: its cost grows with their third power."""

FOREST_TREES, EXTRA_TREES = 50, 150

CHEAP = ("poly", "svr")
"""The algorithms that are fitted in milliseconds."""


def fit_learner(algorithm: str, settings: Settings, encoded: np.ndarray, target: np.ndarray, seed: int) -> Learner:
    """Return ``algorithm``'s learner fitted on ``encoded`` (rows × inputs) and the encoded ``target``."""
    return learner_of(fit_estimator(algorithm, settings, encoded, target, seed))


def fit_estimator(
    algorithm: str, settings: Settings, encoded: np.ndarray, target: np.ndarray, seed: int
) -> RegressorMixin | xgboost.Booster:
    """Return the library's own fitted object, for `portable` to take the numbers from."""
    return _ESTIMATORS[algorithm](settings, encoded, target, seed)


def learner_of(estimator: RegressorMixin | xgboost.Booster) -> Learner:
    """Return the learner that answers as ``estimator`` does, without the library that fitted it."""
    return _LEARNERS[type(estimator)](estimator)


def _ridge(settings: Settings, encoded: np.ndarray, target: np.ndarray, _: int) -> Ridge:
    return Ridge(alpha=settings["alpha"]).fit(monomials(encoded, int(settings["degree"])), target)


def _svr(settings: Settings, encoded: np.ndarray, target: np.ndarray, _: int) -> SVR:
    return SVR(C=settings["C"], gamma=settings["gamma"], epsilon=0.05).fit(encoded, target)


def _mlp(settings: Settings, encoded: np.ndarray, target: np.ndarray, seed: int) -> MLPRegressor:
    network = MLPRegressor(
        hidden_layer_sizes=(16,),
        activation="tanh",
        solver="lbfgs",
        alpha=settings["alpha"],
        max_iter=150,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # Stopping after `max_iter` steps is meant: together with `alpha` it is what keeps the network smooth.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(encoded, target)


def _forest(_: Settings, encoded: np.ndarray, target: np.ndarray, seed: int) -> RandomForestRegressor:
    return RandomForestRegressor(n_estimators=FOREST_TREES, max_features=0.5, random_state=seed).fit(encoded, target)


def _extra_trees(_: Settings, encoded: np.ndarray, target: np.ndarray, seed: int) -> ExtraTreesRegressor:
    return ExtraTreesRegressor(n_estimators=EXTRA_TREES, max_features=0.5, random_state=seed).fit(encoded, target)


def _gaussian_process(_: Settings, encoded: np.ndarray, target: np.ndarray, seed: int) -> GaussianProcessRegressor:
    kernel = ConstantKernel(1.0) * Matern(3.0, (0.1, 1e3), nu=2.5) + WhiteKernel(1e-2, (1e-5, 1.0))
    some = np.random.default_rng(seed).permutation(len(target))[:_KERNEL_ROWS]
    with warnings.catch_warnings():
        # A length scale at the end of its range is a straight line or noise, and as good a choice as any.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kernel = GaussianProcessRegressor(kernel).fit(encoded[some], target[some]).kernel_
    return GaussianProcessRegressor(kernel, optimizer=None).fit(encoded, target)


def _xgboost(settings: Settings, encoded: np.ndarray, target: np.ndarray, seed: int) -> xgboost.Booster:
    parameters = {
        "max_depth": int(settings["max_depth"]),
        "eta": 0.1,
        "min_child_weight": 2,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "tree_method": "exact",
        "nthread": 1,
        "seed": seed,
    }
    matrix = xgboost.DMatrix(encoded.astype(np.float32), label=target, nthread=1)
    return xgboost.train(parameters, matrix, num_boost_round=150)


def _polynomial(ridge: Ridge) -> Polynomial:
    return Polynomial(ridge.coef_, np.array([float(ridge.intercept_)]))


def _support_vectors(svr: SVR) -> SupportVectors:
    return SupportVectors(
        svr.support_vectors_, svr.dual_coef_[0], np.array(svr.intercept_), np.array([float(svr.gamma)])
    )


def _perceptron(network: MLPRegressor) -> Perceptron:
    (hidden_weights, weights), (hidden_bias, bias) = network.coefs_, network.intercepts_
    return Perceptron(hidden_weights, hidden_bias, weights[:, 0], bias)


def _process(process: GaussianProcessRegressor) -> GaussianProcess:
    signal = process.kernel_.k1
    weights = signal.k1.constant_value * process.alpha_
    return GaussianProcess(process.X_train_, weights, np.array([float(signal.k2.length_scale)]))


def forest_of(forest: RandomForestRegressor | ExtraTreesRegressor | ExtraTreesClassifier) -> Forest:
    """Return a forest's trees as plain arrays; a classifier's leaves hold the share of each class."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    are_classes = isinstance(forest, ClassifierMixin)
    return Forest(
        **_nodes([[tree.children_left, tree.children_right, tree.feature] for tree in trees]),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        value=np.concatenate([_answers(tree.value[:, 0], are_classes) for tree in trees]),
    )


def _nodes(trees: Sequence[list[np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the nodes of trees one after another; of each the left and right children and the inputs tested."""
    roots = np.cumsum([0, *(len(feature) for *_, feature in trees[:-1])])
    left, right = (
        np.concatenate(
            [np.where(tree[side] == LEAF, LEAF, tree[side] + root) for tree, root in zip(trees, roots, strict=True)]
        )
        for side in (0, 1)
    )
    feature = np.where(left == LEAF, LEAF, np.concatenate([feature for *_, feature in trees]))
    return {"roots": roots, "feature": feature, "left": left, "right": right}


def _answers(values: np.ndarray, are_classes: bool) -> np.ndarray:
    return values / values.sum(axis=1, keepdims=True) if are_classes else values[:, 0]


def _boosted(booster: xgboost.Booster) -> Boosted:
    """Return XGBoost's trees as plain arrays: a row goes left where it is below a split, not at most as much."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    trees = learner["gradient_booster"]["model"]["trees"]
    columns = ("left_children", "right_children", "split_indices")
    nodes = _nodes([[np.array(tree[name]) for name in columns] for tree in trees])
    splits = np.concatenate([tree["split_conditions"] for tree in trees]).astype(np.float32)
    return Boosted(
        **nodes,
        threshold=np.nextafter(splits, np.float32(-np.inf)).astype(float),
        value=splits.astype(float),
        base=np.array([float(learner["learner_model_param"]["base_score"].strip("[]"))]),
    )


_ESTIMATORS: dict[str, Callable[..., RegressorMixin | xgboost.Booster]] = {
    "poly": _ridge,
    "svr": _svr,
    "mlp": _mlp,
    "forest": _forest,
    "xgboost": _xgboost,
    "extra_trees": _extra_trees,
    "gaussian_process": _gaussian_process,
}
_LEARNERS: dict[type, Callable[..., Learner]] = {
    Ridge: _polynomial,
    SVR: _support_vectors,
    MLPRegressor: _perceptron,
    RandomForestRegressor: forest_of,
    ExtraTreesRegressor: forest_of,
    GaussianProcessRegressor: _process,
    xgboost.Booster: _boosted,
}
