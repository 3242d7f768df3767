"""How likely a run is to run out of memory, from the predicted need.

A device does not run out at the same amount each time, and predictions err: the share of runs that run out is a
logistic function of the logarithm of the predicted need, fitted on predictions of families that were not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.fit.options import DEPLOYMENT_SCHEME

if TYPE_CHECKING:
    from perfcast.fit.cross_validation import CrossValidation

MIN_SCALE, MAX_SCALE = 0.005, 1.0
"""Bounds of `RunningOut.scale`: memory measured again differs by tenths of a percent; beyond a factor of e it says
nothing."""

CALLED = 0.2
"""From this probability on, a run is said to run out: one that does is lost, one that is warned of is only smaller."""


@dataclass(frozen=True)
class RunningOut:
    """The probability of running out of memory on the device that was measured.

    Attributes:
        half: the predicted need at which half of the runs run out, in the metric's unit.
        scale: of the logistic function, in logarithms.
    """

    half: float
    scale: float

    def probability(self, needs: np.ndarray) -> np.ndarray:
        """Return the probability of running out for each predicted need."""
        return 1 / (1 + np.exp(-np.clip(np.log(needs / self.half) / self.scale, -500, 500)))


@dataclass(frozen=True)
class Needs:
    """Predicted needs of rows of families that were not trained on, and which rows ran out."""

    predicted: np.ndarray
    ran_out: np.ndarray
    families: np.ndarray

    def take(self, rows: np.ndarray) -> Needs:
        """Return some rows."""
        return Needs(self.predicted[rows], self.ran_out[rows], self.families[rows])


def needs_of(validation: CrossValidation, algorithm: str) -> Needs:
    """Return the needs that an algorithm predicts for a table's rows, each trained without the row's family.

    The measured rows come first; of a model that was never measured, nothing is predicted (NaN).
    """
    table, key = validation.table, (algorithm, DEPLOYMENT_SCHEME)
    return Needs(
        predicted=np.concatenate([validation.predictions[key], validation.censored[key]]),
        ran_out=np.repeat([False, True], [len(table), len(table.censored)]),
        families=np.concatenate([table.families, table.censored.families]),
    )


def fit_running_out(needs: Needs) -> RunningOut | None:
    """Return the most likely function, None unless some rows ran out and some did not."""
    from scipy.optimize import minimize

    if needs.ran_out.all() or not needs.ran_out.any():
        return None
    logarithms, sign = np.log(needs.predicted), np.where(needs.ran_out, 1.0, -1.0)

    def unlikelihood(parameters: np.ndarray) -> float:
        location, log_scale = parameters
        return float(np.logaddexp(0, -sign * (logarithms - location) / np.exp(log_scale)).mean())

    start = (logarithms[needs.ran_out].min() + logarithms[~needs.ran_out].max()) / 2
    bounds = [(logarithms.min(), logarithms.max()), (np.log(MIN_SCALE), np.log(MAX_SCALE))]
    found = minimize(unlikelihood, [start, np.log(0.1)], method="L-BFGS-B", bounds=bounds).x
    return RunningOut(float(np.exp(found[0])), float(np.exp(found[1])))


def called(needs: Needs) -> np.ndarray:
    """Return which rows are said to run out (booleans), each family's by a function that was fitted on the others."""
    found = np.zeros(len(needs.ran_out), dtype=bool)
    for family in set(needs.families):
        own = needs.families == family
        if (others := fit_running_out(needs.take(~own))) is not None:
            found[own] = others.probability(needs.predicted[own]) >= CALLED
    return found


def miscalled(validation: CrossValidation, algorithm: str) -> np.ndarray:
    """Return 100 for each row that is said to run out and does not, or the other way round, and 0 for all others.

    The measured rows come first; a row whose model was never measured is NaN.
    """
    needs = needs_of(validation, algorithm)
    wrong = np.full(len(needs.predicted), np.nan)
    known = ~np.isnan(needs.predicted)
    wrong[known] = 100.0 * (called(needs.take(known)) != needs.ran_out[known])
    return wrong


def judged(validation: CrossValidation, algorithm: str) -> dict[str, Any] | None:
    """Return what `summary.json` says of running out: the fitted function, and how often it is right.

    Each family is judged by a function that was fitted on the others.
    """
    needs = needs_of(validation, algorithm)
    needs = needs.take(~np.isnan(needs.predicted))
    fitted = fit_running_out(needs)
    if fitted is None:
        return None
    said = called(needs)
    return {
        "half": fitted.half,
        "scale": fitted.scale,
        "rows": len(said),
        "ran_out": int(needs.ran_out.sum()),
        "called_right": float((said == needs.ran_out).mean()),
        "found": float(said[needs.ran_out].mean()),
    }
