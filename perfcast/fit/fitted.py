"""A fitted regressor in the units of the table: from features to milliseconds or megabytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from perfcast.fit.encoding import Encoding
    from perfcast.fit.learners import Learner


@dataclass(frozen=True)
class Fitted:
    """A learner with the encoding it was fitted in."""

    encoding: Encoding
    learner: Learner

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return one forecast a row of ``inputs`` (rows × features), in the target's unit."""
        return self.encoding.decode(inputs, self.learner.predict(self.encoding.encode(inputs)))
