"""A corpus: what is known of a task, split into what a classifier is trained on and what it is evaluated on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

HELD_OUT = 0.3
"""Most of a source without a part for tests that is held out for evaluation."""


@dataclass(frozen=True)
class Labelled:
    """Examples with their labels.

    Attributes:
        items: images, an array of bytes (examples x height x width), or texts.
        labels: the class of each, by number.
    """

    items: np.ndarray | tuple[str, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, places: Sequence[int] | np.ndarray) -> Labelled:
        """Return the examples at these places, in this order."""
        if isinstance(self.items, tuple):
            return Labelled(tuple(self.items[place] for place in places), self.labels[places])
        return Labelled(self.items[places], self.labels[places])


@dataclass(frozen=True)
class Corpus:
    """Examples to train on and others to evaluate on.

    Attributes:
        source: where it comes from, in one line.
        is_default: whether it is the built-in default, which stands in for real data.
        classes: the classes' names, by number.
        training, evaluation: the two parts, which have no example in common.
    """

    source: str
    is_default: bool
    classes: tuple[str, ...]
    training: Labelled
    evaluation: Labelled

    def __post_init__(self) -> None:
        """Refuse a corpus without examples.

        Raises:
            UsageError: a part is empty; one line that names the source.
        """
        if not (len(self.training) and len(self.evaluation)):
            raise UsageError(f"{self.source}: too few examples to train and to evaluate on")

    def digest(self) -> str:
        """Return what stands for the content of both parts."""
        found = hashlib.sha256()
        for part in (self.training, self.evaluation):
            is_text = isinstance(part.items, tuple)
            content = "\n".join(part.items).encode() if is_text else np.ascontiguousarray(part.items).tobytes()
            found.update(f"{len(part)} {len(content)} ".encode() + content + part.labels.astype("<i8").tobytes())
        return found.hexdigest()


@dataclass(frozen=True)
class Wanted:
    """How much of a source is used.

    Attributes:
        evaluation: most examples to evaluate on.
        training: most examples to train on, None for all that are left.
        seed: of the choice.
    """

    evaluation: int
    training: int | None
    seed: int

    def of_one_part(self, every: Labelled) -> tuple[Labelled, Labelled]:
        """Return examples to train on and examples to evaluate on, of a source that does not part them itself."""
        places = np.random.default_rng(self.seed).permutation(len(every))
        held = max(1, min(self.evaluation, int(HELD_OUT * len(every))))
        return every.chosen(places[held:][: self.training]), every.chosen(places[:held])

    def of_two_parts(self, training: Labelled, evaluation: Labelled) -> tuple[Labelled, Labelled]:
        """Return examples of each part of a source."""
        generator = np.random.default_rng(self.seed)
        orders = [generator.permutation(len(part)) for part in (training, evaluation)]
        return training.chosen(orders[0][: self.training]), evaluation.chosen(orders[1][: self.evaluation])
