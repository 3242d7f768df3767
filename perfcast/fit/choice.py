"""Which algorithm is deployed, and what that choice is worth on a family it was made without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.measures import percentage_errors
from perfcast.fit.options import ALGORITHMS, DEPLOYMENT_SCHEME

if TYPE_CHECKING:
    from perfcast.fit.evaluation import Forecasts
    from perfcast.fit.table import LearningTable


def most_accurate(table: LearningTable, forecasts: Forecasts) -> str:
    """Return the algorithm with the least leave-one-family-out MAPE."""
    return ALGORITHMS[int(np.argmin(_errors(table, forecasts).mean(axis=1)))]


def chosen_without_family(table: LearningTable, forecasts: Forecasts) -> np.ndarray:
    """Return for each row the forecast of the algorithm that is the best on all other families.

    The least of five errors flatters: by chance one algorithm suits the families it is chosen on. Here the
    families that choose and the family that is judged are apart.
    """
    errors = _errors(table, forecasts)
    made = np.stack([forecasts[algorithm, DEPLOYMENT_SCHEME] for algorithm in ALGORITHMS])
    chosen = np.empty(len(table))
    for family in set(table.families):
        own = table.families == family
        best = int(np.argmin(errors[:, ~own].mean(axis=1)))
        chosen[own] = made[best, own]
    return chosen


def _errors(table: LearningTable, forecasts: Forecasts) -> np.ndarray:
    """Return the leave-one-family-out errors, algorithms × rows."""
    return np.stack([percentage_errors(table.target, forecasts[name, DEPLOYMENT_SCHEME]) for name in ALGORITHMS])
