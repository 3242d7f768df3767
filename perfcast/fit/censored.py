"""Rows that ran out of memory: censored values, of which a lower bound is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS = "out_of_memory"
"""The status of such rows in a dataset."""


@dataclass(frozen=True)
class Censored:
    """Rows whose value is not known, but that it is no less than a bound.

    Attributes:
        inputs: rows × columns, as those of what was measured.
        bounds: of each row, in the metric's unit; 0 where nothing is known.
        models, families: what each row is about.
    """

    inputs: np.ndarray
    bounds: np.ndarray
    models: np.ndarray
    families: np.ndarray

    def __len__(self) -> int:
        return len(self.bounds)

    def are_of(self, models: np.ndarray) -> np.ndarray:
        """Return which rows are of some models (booleans)."""
        return np.isin(self.models.astype(str), models.astype(str))

    def take(self, rows: np.ndarray) -> Censored:
        """Return some rows, by their numbers or as booleans."""
        return Censored(self.inputs[rows], self.bounds[rows], self.models[rows], self.families[rows])

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Censored:
        """Return the rows with other inputs: what ``change`` makes of them."""
        return replace(self, inputs=change(self.inputs))


def lower_bounds(
    inputs: np.ndarray, models: np.ndarray, measured: np.ndarray, values: np.ndarray, names: np.ndarray
) -> np.ndarray:
    """Return the least that rows which ran out of memory needed: what their model took with no more of each factor.

    A larger batch never needs less. What another model took says nothing: a device may run out at a different amount
    each time.

    Args:
        inputs: of the rows, rows × numeric factors.
        models: of the rows.
        measured, values, names: factors, value and model of what was measured.

    Returns:
        One number a row, 0 where its model was not measured so.
    """
    bounds = np.zeros(len(inputs))
    for model in np.unique(models.astype(str)):
        own, known = np.flatnonzero(models == model), names == model
        below = (measured[known][None, :, :] <= inputs[own][:, None, :]).all(axis=2)
        bounds[own] = np.where(below, values[known], 0.0).max(axis=1, initial=0.0)
    return bounds
