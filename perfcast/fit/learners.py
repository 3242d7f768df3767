"""Fitted regressors as plain arrays, and their answers computed with NumPy.

Nothing here needs the library that fitted them. What a learner takes and gives is encoded: see
`perfcast.fit.encoding`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

LEAF = -1


class Learner(Protocol):
    """A fitted regressor."""

    def predict(self, encoded: np.ndarray) -> np.ndarray:
        """Return one answer a row of ``encoded`` (rows × encoded inputs)."""
        ...


@dataclass(frozen=True)
class Polynomial:
    """A polynomial of degree 1 or 2.

    Attributes:
        weights: of the inputs or, for degree 2, of the monomials in the order of `monomials`.
        intercept: array of one number.
    """

    weights: np.ndarray
    intercept: np.ndarray

    def predict(self, encoded: np.ndarray) -> np.ndarray:
        """Return one answer a row of ``encoded``."""
        degree = 1 if len(self.weights) == encoded.shape[1] else 2
        return monomials(encoded, degree) @ self.weights + self.intercept[0]


def monomials(encoded: np.ndarray, degree: int) -> np.ndarray:
    """Return ``encoded`` and, for ``degree`` 2, its columns' products xᵢ·xⱼ for i ≤ j, i varying slowest."""
    if degree == 1:
        return encoded
    first, second = np.triu_indices(encoded.shape[1])
    return np.column_stack([encoded, encoded[:, first] * encoded[:, second]])


@dataclass(frozen=True)
class SupportVectors:
    """Support vector regression with the kernel exp(−gamma·‖x − v‖²).

    Attributes:
        vectors: support vectors × inputs.
        weights: of the support vectors.
        intercept, gamma: arrays of one number.
    """

    vectors: np.ndarray
    weights: np.ndarray
    intercept: np.ndarray
    gamma: np.ndarray

    def predict(self, encoded: np.ndarray) -> np.ndarray:
        """Return one answer a row of ``encoded``."""
        return np.exp(-self.gamma[0] * squared_distances(encoded, self.vectors)) @ self.weights + self.intercept[0]


def squared_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distances, points × others."""
    distances = points @ others.T
    distances *= -2
    distances += (points**2).sum(axis=1)[:, None]
    distances += (others**2).sum(axis=1)
    return np.maximum(distances, 0.0, out=distances)


@dataclass(frozen=True)
class GaussianProcess:
    """The mean of a Gaussian process with a Matérn kernel of smoothness 5/2.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, equations 2.25 and 4.17; the kernel's
    variance is in the weights.

    Attributes:
        points: learned rows × inputs.
        weights: of the points.
        length: array of one number, the kernel's length scale.
    """

    points: np.ndarray
    weights: np.ndarray
    length: np.ndarray

    def predict(self, encoded: np.ndarray) -> np.ndarray:
        """Return one answer a row of ``encoded``."""
        return matern(encoded, self.points, self.length[0]) @ self.weights


def matern(points: np.ndarray, others: np.ndarray, length: float) -> np.ndarray:
    """Return the Matérn kernel of smoothness 5/2 and variance 1, points × others."""
    distances = squared_distances(points, others)
    distances *= 5 / length**2
    kernel = distances / 3 + 1
    distances = np.sqrt(distances, out=distances)
    kernel += distances
    kernel *= np.exp(np.negative(distances, out=distances), out=distances)
    return kernel


@dataclass(frozen=True)
class Perceptron:
    """A multi-layer perceptron with one hidden layer of tanh units.

    Attributes:
        hidden_weights: inputs × units.
        hidden_bias: one a unit.
        weights: one a unit.
        bias: array of one number.
    """

    hidden_weights: np.ndarray
    hidden_bias: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def predict(self, encoded: np.ndarray) -> np.ndarray:
        """Return one answer a row of ``encoded``."""
        return np.tanh(encoded @ self.hidden_weights + self.hidden_bias) @ self.weights + self.bias[0]


@dataclass(frozen=True)
class Forest:
    """A forest: all trees' nodes one after another; a node's children stand behind it.

    Attributes:
        roots: index of each tree's first node.
        feature: the input a node tests, -1 in leaves.
        threshold: a node's left child is next when the input, as a 32-bit float, is at most this.
        left, right: indices of the children, -1 in leaves.
        value: a leaf's answer, a number or a row of them.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    def predict(self, encoded: np.ndarray) -> np.ndarray:
        """Return one answer a row of ``encoded``: the mean over trees."""
        return self.value[self.apply(encoded)].mean(axis=1)

    def apply(self, encoded: np.ndarray) -> np.ndarray:
        """Return the leaf of each row of ``encoded`` in each tree, rows × trees."""
        inputs, trees = encoded.astype(np.float32), len(self.roots)
        leaves = np.tile(self.roots, len(inputs))
        # Trees are uneven: those that have answered a row are not looked at again.
        pending = np.flatnonzero(self.left[leaves] != LEAF)
        nodes = leaves[pending]
        while len(pending):
            goes_left = inputs[pending // trees, self.feature[nodes]] <= self.threshold[nodes]
            nodes = np.where(goes_left, self.left[nodes], self.right[nodes])
            leaves[pending] = nodes
            inner = self.left[nodes] != LEAF
            pending, nodes = pending[inner], nodes[inner]
        return leaves.reshape(len(inputs), trees)


@dataclass(frozen=True)
class Boosted(Forest):
    """Gradient-boosted trees.

    Attributes:
        base: array of one number, to which the trees' answers are added.
    """

    base: np.ndarray

    def predict(self, encoded: np.ndarray) -> np.ndarray:
        """Return one answer a row of ``encoded``: the sum over trees, one after the other in 32 bits as XGBoost's."""
        total = np.full(len(encoded), self.base[0], dtype=np.float32)
        for answers in self.value[self.apply(encoded)].astype(np.float32).T:
            total += answers
        return total.astype(float)


LEARNERS: dict[str, type[Learner]] = {
    "poly": Polynomial,
    "svr": SupportVectors,
    "mlp": Perceptron,
    "forest": Forest,
    "xgboost": Boosted,
    "extra_trees": Forest,
    "gaussian_process": GaussianProcess,
}
"""Each algorithm's learner, by its name in files."""
