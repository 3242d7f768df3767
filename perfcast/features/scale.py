"""The scale that features are looked at on."""

from __future__ import annotations

import numpy as np


def signed_log(values: np.ndarray) -> np.ndarray:
    """Return log(1 + |value|) with the value's sign: features span many orders of magnitude."""
    return np.sign(values) * np.log1p(np.abs(values))
