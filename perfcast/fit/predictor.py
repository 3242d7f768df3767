"""A fitted predictor: predictions with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from perfcast.fit.families import encode_families
from perfcast.fit.training_data import number_columns
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.fit.domain import Domain
    from perfcast.fit.fitted import Ensemble
    from perfcast.fit.intervals import Intervals

_PIECE = 500


class MetricModel(NamedTuple):
    """The arrays of one metric: what predicts, where it may be trusted, and how wide its intervals are."""

    ensemble: Ensemble
    domain: Domain
    intervals: Intervals


@dataclass(frozen=True)
class MetricPredictor:
    """The predictor of one metric.

    Attributes:
        unit: of its predictions.
        algorithm: its name, such as `ensemble`.
        features: the columns it needs, in order.
        families: that it knows.
        model: regressors, domain and intervals.
        details: what the manifest says besides: `members`, `domain`, `interval`, `errors`.
    """

    unit: str
    algorithm: str
    features: tuple[str, ...]
    families: tuple[str, ...]
    model: MetricModel
    details: Mapping[str, Any]

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return `unit`, `prediction`, `lower`, `upper` and `in_domain`, one row per row of ``features``.

        A column `family` need not be there, and its families need not be known.

        Raises:
            DataError: a column is missing or holds something else than finite numbers.
        """
        inputs = number_columns(features, self.features)
        families = features.get("family", pd.Series("", index=features.index))
        family_codes = encode_families(families.to_numpy(), self.families)
        # Of so many rows the distances to all that was trained on stay in a processor's caches.
        pieces = [slice(start, start + _PIECE) for start in range(0, len(inputs) or 1, _PIECE)]
        return pd.concat([self._predict(inputs[piece], family_codes[piece]) for piece in pieces], ignore_index=True)

    def _predict(self, inputs: np.ndarray, family_codes: np.ndarray) -> pd.DataFrame:
        ensemble, domain, intervals = self.model
        prediction, spreads = ensemble.predict(inputs, family_codes)
        location = domain.locate(ensemble.outlier_bounds.winsorized(inputs))
        factor = np.exp(intervals.half_widths(location.distances, spreads))
        return pd.DataFrame(
            {
                "unit": self.unit,
                "prediction": prediction,
                "lower": prediction / factor,
                "upper": prediction * factor,
                "in_domain": location.inside,
            }
        )


@dataclass(frozen=True)
class Predictor:
    """Predictors of one target.

    Attributes:
        metrics: by name.
        target: its name.
        environment: where and with what it was measured.
        training_digest: of all rows trained on.
    """

    metrics: Mapping[str, MetricPredictor]
    target: str
    environment: Mapping[str, Any]
    training_digest: str

    @property
    def interval(self) -> float:
        """The share of measured values that the intervals are meant to hold, such as 0.9; all metrics' alike."""
        return float(next(iter(self.metrics.values())).details["interval"]["share"])

    @property
    def label(self) -> str:
        """Its target, and what was measured there: device, threads and toolchain; fit to be shown on a terminal."""
        known = {name: ", ".join(map(str, values)) for name, values in self.environment.items() if values}
        threads = [f"{known['threads']} threads"] if "threads" in known else []
        toolchain = " ".join(known[name] for name in ("toolchain", "toolchain_version") if name in known)
        facts = [*([known["device"]] if "device" in known else []), *threads, *([toolchain] if toolchain else [])]
        # Names come from the manifest, and may hold control sequences.
        return escape_control(f"{self.target} ({', '.join(facts)})" if facts else self.target)

    @property
    def coverage(self) -> dict[str, float]:
        """The share of measured values that each metric's intervals held, on held-out families."""
        return {name: float(metric.details["interval"]["coverage"]) for name, metric in self.metrics.items()}

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return predictions with intervals for the models in ``features``.

        Args:
            features: one row per model, with all features the predictor needs and, if the models have names or
                families, columns `model` and `family`; other columns do not matter.

        Returns:
            `model`, `metric`, `unit`, `prediction`, `lower`, `upper` (in that unit) and `in_domain`: the rows
            of ``features`` in their order, each with all metrics.

        Raises:
            DataError: a column is missing or holds something else than finite numbers.
        """
        names = features.get("model", features.index)
        parts = []
        for name, metric in sorted(self.metrics.items()):
            part = metric.predict(features)
            part.insert(0, "model", names.astype(str).to_numpy(dtype=object))
            part.insert(1, "metric", name)
            parts.append(part)
        return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
