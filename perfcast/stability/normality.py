"""Whether samples look normally distributed, which the source document's mean of 200 assumes."""

from __future__ import annotations

import numpy as np
from scipy import stats

MIN_SAMPLES = 20
"""Under 20 samples the test's approximation does not hold (SciPy's own limit for the kurtosis part)."""


def normality_p(wall_ms: np.ndarray) -> float:
    """Return the p-value of D'Agostino and Pearson's K² test, NaN where it cannot be had.

    It combines skewness and kurtosis and holds for any number of samples from 20, where Shapiro and Wilk's is
    only approximate beyond 5,000. NaN: under 20 samples, or all samples equal.

    Source: R. D'Agostino, E. S. Pearson, "Tests for departure from normality", Biometrika 60 (1973).
    """
    values = np.asarray(wall_ms, float)
    if len(values) < MIN_SAMPLES or np.ptp(values) == 0:
        return float("nan")
    return float(stats.normaltest(values).pvalue)
