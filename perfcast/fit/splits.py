"""Which rows are trained on and which are tested: the published random splits and grouped cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from perfcast.fit.options import SCHEMES
from perfcast.fit.training_data import first_rows

if TYPE_CHECKING:
    from perfcast.fit.training_data import TrainingData

SCHEME_FOLDS = 5
FAMILY_FOLDS = 10
FEW_ROWS, FEW_FAMILIES = 500, 50


class Fold(NamedTuple):
    """Row numbers to learn from and to test on."""

    train: np.ndarray
    test: np.ndarray


def published_split(groups: np.ndarray, test_share: float, split: int) -> Fold:
    """Return the random split numbered ``split``, which is its seed; at least one group is on either side.

    Args:
        groups: of each row, never parted, such as `TrainingData.groups`: each model's rows.
        test_share: share of the groups that are tested.
        split: its number.
    """
    names, members = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(split).permutation(len(names))
    tested = min(max(round(len(names) * test_share), 1), len(names) - 1)
    is_tested = np.isin(members, order[:tested])
    return Fold(train=np.flatnonzero(~is_tested), test=np.flatnonzero(is_tested))


def scheme_groups(table: TrainingData, scheme: str) -> np.ndarray:
    """Return the group of each row that ``scheme`` never parts: its family, network, input size or just its model."""
    groups = {
        "random_folds": table.groups,
        "leave_one_family_out": table.families,
        "unseen_network": table.networks,
        "unseen_input_size": table.sizes,
    }
    return groups[scheme]


def equivalent_scheme(table: TrainingData, scheme: str) -> str:
    """Return the first of the schemes that parts the same rows as ``scheme``, often itself.

    Where each row is a family of its own, leaving families out is leaving rows out, and need not be done twice.
    """
    wanted = first_rows(scheme_groups(table, scheme))
    return next(each for each in SCHEMES if np.array_equal(first_rows(scheme_groups(table, each)), wanted))


def scheme_folds(table: TrainingData, scheme: str, seed: int) -> list[Fold]:
    """Return the folds of ``scheme``; none where the table holds a single group.

    Families are held out one by one, or in ten folds where there are more than 500 rows or 50 families, which take
    long; rows, networks and input sizes go into five folds (fewer where there are fewer).
    """
    scheme = equivalent_scheme(table, scheme)
    groups = scheme_groups(table, scheme)
    distinct = len(set(groups))
    if distinct < 2:
        return []
    if scheme != "leave_one_family_out":
        return grouped_folds(groups, SCHEME_FOLDS, seed)
    is_small = len(table) <= FEW_ROWS and distinct <= FEW_FAMILIES
    return grouped_folds(groups, distinct if is_small else FAMILY_FOLDS, seed)


def grouped_folds(groups: np.ndarray, folds: int, seed: int) -> list[Fold]:
    """Return at most ``folds`` folds of nearly equal size that part no group; each row is tested once.

    The largest groups are dealt first, each to the fold with the fewest rows, equal ones in random order.
    """
    names, members, counts = np.unique(groups, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    largest_first = shuffled[np.argsort(-counts[shuffled], kind="stable")]
    sizes = np.zeros(min(folds, len(names)), dtype=int)
    fold_of = np.empty(len(names), dtype=int)
    for group in largest_first:
        fold_of[group] = np.argmin(sizes)
        sizes[fold_of[group]] += counts[group]
    of_row = fold_of[members]
    return [Fold(np.flatnonzero(of_row != fold), np.flatnonzero(of_row == fold)) for fold in range(len(sizes))]
