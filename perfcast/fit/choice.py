"""Which algorithm is deployed, and what that choice is worth on a family it was made without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.measures import percentage_errors
from perfcast.fit.options import ALGORITHMS, CHOOSING_SCHEMES, DEPLOYMENT_SCHEME
from perfcast.fit.running_out import miscalled

if TYPE_CHECKING:
    from perfcast.fit.cross_validation import CrossValidation

TIE = 0.03
"""Scores are logarithms: so far apart algorithms are as good as each other."""


def most_accurate(validation: CrossValidation) -> str:
    """Return the algorithm with the least MAPE, in the geometric mean over `CHOOSING_SCHEMES`.

    Users ask about networks like those measured as well as about others: a scheme's errors count relative to each
    other, be they large or small. Within 3% of the least the last of `ALGORITHMS` is taken: so small a difference is
    chance, and several that vote err less than one where no validation looks. Where runs ran out of memory, the share
    of wrong answers to whether one does counts as a scheme of its own.
    """
    return _candidates(validation)[_best(_scores(_errors(validation), np.ones(len(_families(validation)), dtype=bool)))]


def chosen_without_family(validation: CrossValidation) -> np.ndarray:
    """Return for each row the leave-one-family-out prediction of the algorithm that is the best on all other families.

    The least of several errors flatters: by chance one algorithm suits the families it is chosen on. Here a family's
    errors have no part in the choice it is judged by. (Its rows were trained on where the others were predicted; to
    be without them, too, would take a fit for each pair of families.)
    """
    errors, every = _errors(validation), _families(validation)
    families = validation.table.families
    made = np.stack([validation.predictions[algorithm, DEPLOYMENT_SCHEME] for algorithm in _candidates(validation)])
    chosen = np.empty(len(families))
    for family in set(families):
        own = families == family
        chosen[own] = made[_best(_scores(errors, every != family)), own]
    return chosen


def _best(scores: np.ndarray) -> int:
    return int(np.flatnonzero(scores <= scores.min() + TIE)[-1])


def _errors(validation: CrossValidation) -> np.ndarray:
    """Return the errors in %, schemes × algorithms × rows: measured ones, then those that ran out of memory."""
    names = _candidates(validation)
    schemes = [scheme for scheme in CHOOSING_SCHEMES if validation.has(names[0], scheme)]
    target, unknown = validation.table.target, np.full(len(validation.table.censored), np.nan)
    errors = [
        [np.r_[percentage_errors(target, validation.predictions[name, scheme]), unknown] for name in names]
        for scheme in schemes
    ]
    if len(unknown):
        errors.append([miscalled(validation, name) for name in names])
    return np.array(errors)


def _families(validation: CrossValidation) -> np.ndarray:
    return np.concatenate([validation.table.families, validation.table.censored.families])


def _candidates(validation: CrossValidation) -> list[str]:
    return [name for name in ALGORITHMS if validation.has(name, DEPLOYMENT_SCHEME)]


def _scores(errors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return one score an algorithm, the mean over schemes of the logarithm of the MAPE on ``rows``."""
    # Perfect predictions would have no logarithm.
    return np.log(np.nanmean(errors[:, :, rows], axis=2) + np.finfo(float).tiny).mean(axis=0)
