"""What each step draws to train: by random numbers that depend on nothing but the number of the step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.export.training.variables import ZEROS, assign, read

if TYPE_CHECKING:
    from perfcast.export.training.variables import Variables

COUNTER = "drawn_steps"
"""The variable that counts steps, from 0. Another first value gives other draws."""


class Draws:
    """The draws of one step, all of them from its number."""

    def __init__(self, variables: Variables, share: float) -> None:
        self.share = share
        self._resource = variables.add(COUNTER, (), "int64", ZEROS)
        self._step = read(self._resource, "int64")

    def count(self, total: int) -> int:
        """Return how many of so many are drawn: the share, rounded up."""
        return math.ceil(round(self.share * total, 6))

    def indices(self, place: int, total: int) -> Any:
        """Return the numbers that are drawn of 0 to ``total`` - 1; of each ``place``, others."""
        import tensorflow as tf

        # The older operation, which all versions have. Each step and place is a seed of its own.
        seed = tf.stack([tf.constant(place, tf.int64), self._step])
        values = tf.raw_ops.StatelessRandomUniform(shape=[total], seed=seed, dtype=tf.float32)
        return tf.raw_ops.TopKV2(input=values, k=self.count(total), sorted=False, name=f"drawn_{place}").indices

    def finish(self) -> Any:
        """Return the operation that counts the step."""
        return assign(self._resource, self._step + 1)
