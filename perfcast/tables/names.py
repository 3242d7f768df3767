"""Names in a dataset: none may stand for two things."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SIZE = "input_size"
RESERVED = ("network", "model", "family", SIZE, "replicate", "status", "target")
"""The columns of a dataset that say what a row is about."""


def refuse_collisions(features: Sequence[str], metrics: Iterable[str], size: str | None) -> None:
    """Refuse names that a dataset has another column for.

    Args:
        features: to learn from.
        metrics: the names that predictions give them.
        size: the column with the size of the input; one of the name `input_size` may be learned from, too.

    Raises:
        UsageError: one is taken; it says which, and by what.
    """
    taken = set(RESERVED)
    for metric in metrics:
        if metric in taken:
            raise UsageError(f"metrics: {metric!r} is a reserved name; choose another")
        if metric in features:
            raise UsageError(f"metrics: {metric!r} is the name of a feature, too; choose another")
    if size == SIZE:
        taken.remove(SIZE)
    for feature, count in Counter(features).items():
        if feature in taken:
            raise UsageError(f"features: {feature!r} is a reserved name; rename the column")
        if count > 1:
            raise UsageError(f"features: {feature!r} names two columns; rename one")
