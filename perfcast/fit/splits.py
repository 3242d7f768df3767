"""Which rows are trained on and which are tested: the published random splits and grouped cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from perfcast.fit.options import SCHEMES

if TYPE_CHECKING:
    from perfcast.fit.training_data import TrainingData

SCHEME_FOLDS = 5
FAMILY_FOLDS = 10
FEW_ROWS, FEW_FAMILIES = 500, 50


class Fold(NamedTuple):
    """Row numbers to learn from and to test on."""

    train: np.ndarray
    test: np.ndarray


def published_split(rows: int, test_share: float, split: int) -> Fold:
    """Return the random split numbered ``split``, which is its seed; at least one row is on either side."""
    order = np.random.default_rng(split).permutation(rows)
    tested = min(max(round(rows * test_share), 1), rows - 1)
    return Fold(train=np.sort(order[tested:]), test=np.sort(order[:tested]))


def scheme_groups(table: TrainingData, scheme: str) -> np.ndarray:
    """Return the group of each row that ``scheme`` never parts: its family, network, input size or just itself."""
    groups = {
        "random_folds": np.arange(len(table)),
        "leave_one_family_out": table.families,
        "unseen_network": table.networks,
        "unseen_input_size": table.sizes,
    }
    return groups[scheme]


def equivalent_scheme(table: TrainingData, scheme: str) -> str:
    """Return the first of the schemes that parts the same rows as ``scheme``, often itself.

    Where each row is a family of its own, leaving families out is leaving rows out, and need not be done twice.
    """
    wanted = _first_rows(scheme_groups(table, scheme))
    return next(each for each in SCHEMES if np.array_equal(_first_rows(scheme_groups(table, each)), wanted))


def _first_rows(groups: np.ndarray) -> np.ndarray:
    """Return for each row the first row of its group."""
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    return first[members]


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
