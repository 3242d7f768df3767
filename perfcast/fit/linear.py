"""A linear model: time or memory as a sum of physical terms, each at a cost that is not negative.

It knows nothing but what hardware must do, so it errs little on networks of another kind than those trained on, where
trees and kernels have nothing to go by.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.physical import least_squares
from perfcast.tables.units import is_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.fit.training_data import TrainingData

    Powers = Mapping[str, float]

OTHER_LAYERS = "other_layers"
"""Layers without weights, such as poolings: all but these."""

_OF_ALL = {"core_layers": "layers", "core_activations": "sum_activations", "max_core_activation": "max_activation"}
"""What stands for the same where a table counts core layers only."""

_LAYERS = ("layers", "conv_layers", "bn_layers", "fc_layers")
_RATES = ("threads", "clock_mhz")
_MIN_TERMS = 3
_FLOOR, _EXACT = 1e-12, 1e-12
_NETWORKS = 8
"""How many networks of their own the rows count as where models are weighted by their likelihood: rows of one network
err alike."""

HELD: tuple[Powers, ...] = (
    {"parameters": 1},
    {"weight_bytes": 1},
    {"trainable_parameters": 1},
    {"layers": 1},
    {"batch": 1},
    {"sum_activations": 1},
    {"peak_activation_bytes": 1},
    {"kept_activation_bytes": 1},
    {"training_activation_bytes": 1},
    {OTHER_LAYERS: 1, "max_activation": 1},
    {"flops": 1, "conv_parameters": -0.5},
)
"""What memory is a sum of, as powers of features.

Layers without weights hold indices and copies as large as a share of the largest activation. A convolution as a product
of an m × k and a k × n matrix holds patches (m·k) and results (m·n), whose geometric mean is m·k·n / √(k·n).
"""

DONE: tuple[Powers, ...] = (
    {"flops": 1},
    {"depthwise_macs": 1},
    {"other_macs": 1},
    {"fused_moved_bytes": 1},
    {"fused_layers": 1},
    {"max_activation": 1},
    {"sum_activations": 1, OTHER_LAYERS: 1, "layers": -1},
)
"""What time is a sum of in addition: operations, and moving what is held."""


@dataclass(frozen=True)
class LinearModel:
    """A sum of terms.

    Attributes:
        rest: indices of the inputs that count all layers and those with weights; empty if there are none.
        exponents: terms × (inputs + 1); the last is of the layers without weights.
        costs: of each term, none negative.
    """

    rest: np.ndarray
    exponents: np.ndarray
    costs: np.ndarray

    def predict(self, inputs: np.ndarray, family_codes: np.ndarray) -> np.ndarray:
        """Return one prediction per row of ``inputs`` (rows × inputs), in the target's unit, whatever its family."""
        return np.maximum(terms_of(inputs, self.rest, self.exponents) @ self.costs, _FLOOR)


def fit_linear(rows: TrainingData, *, averaged: bool = False) -> LinearModel:
    """Return the costs with the least squared relative errors; rows that ran out of memory are lower bounds.

    Args:
        rows: what is trained on, with the inputs that learners see.
        averaged: whether to average over models without one or two of the terms: where the networks trained on are few,
            several sums explain them alike, and differ on others.
    """
    names = _general(rows.columns.features)
    held = {name: rows.held[own] for own, name in zip(rows.columns.features, names, strict=True) if own in rows.held}
    rest = np.array([names.index(name) for name in _LAYERS if set(_LAYERS) <= set(names)], dtype=int)
    exponents = _exponents(rows, names, held)
    priced = _priced(exponents, names, held)
    inputs, target, bounded = rows.with_bounds()
    terms = terms_of(inputs, rest, exponents) @ priced
    prices = least_squares(terms, target, bounded)
    if averaged:
        counts = ~bounded | (terms @ prices < target)
        prices = _averaged(terms[counts] / target[counts, None])
    return LinearModel(rest, exponents, priced @ prices)


def _general(features: Sequence[str]) -> list[str]:
    """Return the names that terms have for ``features``."""
    general = [_OF_ALL.get(name, name) for name in features]
    return [own if name in features else name for own, name in zip(features, general, strict=True)]


def _priced(exponents: np.ndarray, names: Sequence[str], held: Mapping[str, float]) -> np.ndarray:
    """Return what each price is of, terms × prices: a term has one of its own, but all that is ``held`` shares one.

    Prices of their own, learned from a few networks that are alike in one of them, go wrong on others.
    """
    numbers = np.zeros(len(exponents))
    for name, count in held.items():
        alone = np.arange(exponents.shape[1]) == names.index(name)
        numbers[(exponents == alone).all(axis=1)] = count
    own = np.eye(len(exponents))[:, numbers == 0]
    return np.column_stack([own, numbers]) if held else own


def _averaged(relative: np.ndarray) -> np.ndarray:
    """Return the mean of the costs of models without one or two terms, each weighted by how well it fits.

    Args:
        relative: rows × terms, divided by the rows' targets; the first is the constant, which none is without.
    """
    from scipy.optimize import nnls

    size = np.sqrt((relative**2).mean(axis=0))
    size = np.where(size > 0, size, 1.0)
    # The least squares of all rows are those of a triangle of as many rows as there are terms.
    orthogonal, triangle = np.linalg.qr(relative / size)
    wanted = orthogonal.sum(axis=0)
    rest = len(relative) - wanted @ wanted
    costs, errors = [], []
    for left_out in itertools.chain.from_iterable(
        itertools.combinations(range(1, relative.shape[1]), count) for count in range(3)
    ):
        found = np.zeros(relative.shape[1])
        kept = np.delete(np.arange(relative.shape[1]), left_out)
        found[kept], distance = nnls(triangle[:, kept], wanted, maxiter=100 * len(kept))
        costs.append(found / size)
        errors.append((max(rest, 0.0) + distance**2) / len(relative) + _EXACT)
    return np.average(costs, axis=0, weights=(min(errors) / np.array(errors)) ** (_NETWORKS / 2))


def terms_of(inputs: np.ndarray, rest: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Return the terms of rows, rows × terms: products of powers; a quantity of 0 has no part in a quotient."""
    others = inputs[:, rest[0]] - inputs[:, rest[1:]].sum(axis=1) if len(rest) else np.ones(len(inputs))
    known = np.maximum(np.column_stack([inputs, others]), 0.0)
    logarithms = np.log(np.where(known > 0, known, 1.0))
    absent = (known == 0).astype(float) @ (exponents > 0).T.astype(float) > 0
    return np.where(absent, 0.0, np.exp(logarithms @ exponents.T))


def _exponents(rows: TrainingData, names: Sequence[str], held: Mapping[str, float]) -> np.ndarray:
    """Return the exponents of the terms that the rows' inputs allow, a constant first; what is ``held`` is a term."""
    more = [{name: 1.0} for name in held if {name: 1} not in HELD]
    wanted = (*HELD, *more) if is_memory(rows.metric.unit) else (*HELD, *DONE)
    places = {name: place for place, name in enumerate(names)}
    if set(_LAYERS) <= set(names):
        places[OTHER_LAYERS] = len(names)
    known = [powers for powers in wanted if powers.keys() <= places.keys()]
    if len(known) < _MIN_TERMS:
        known = [{name: 1.0} for name, is_term in zip(names, rows.additive, strict=True) if is_term or name in held]
    table = np.zeros((1 + len(known), len(names) + 1))
    for row, powers in enumerate(known, start=1):
        for name, power in powers.items():
            table[row, places[name]] = power
    return table if is_memory(rows.metric.unit) else _parted(table, places)


def _parted(table: np.ndarray, places: Mapping[str, int]) -> np.ndarray:
    """Return each term twice where threads or the clock vary: as it is, and divided by them."""
    rates = [places[name] for name in _RATES if name in places]
    if not rates:
        return table
    divided = table[1:].copy()
    divided[:, rates] -= 1
    return np.vstack([table, divided])
