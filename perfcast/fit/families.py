"""Families as inputs: what their networks share and no feature shows, such as the framework they came from."""

from __future__ import annotations

import numpy as np

MIN_FAMILIES, MAX_FAMILIES = 2, 50
"""A smaller family says nothing about other rows; if there are too many families to encode, the largest count."""

_WEIGHT = 2.0


def known_families(families: np.ndarray) -> tuple[str, ...]:
    """Return the names among ``families`` (of each row) that are encoded for learners, in order."""
    names, counts = np.unique(families.astype(str), return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:MAX_FAMILIES]
    return tuple(sorted(names[largest[counts[largest] >= MIN_FAMILIES]].tolist()))


def encode_families(families: np.ndarray, known: tuple[str, ...]) -> np.ndarray:
    """Return what learners see of the ``families`` of rows: rows × ``known``, zeros for a family that is not known.

    The weight is in standard deviations of the other inputs.
    """
    return _WEIGHT * (families.astype(str)[:, None] == np.array(known, dtype=str)[None, :])
