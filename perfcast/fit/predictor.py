"""A fitted predictor: predictions with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from perfcast.errors import UsageError
from perfcast.factors import NAMES, NUMERIC
from perfcast.fit.families import encode_families
from perfcast.fit.inputs import BATCH, covered, full_effect
from perfcast.fit.running_out import RunningOut
from perfcast.fit.training_data import number_columns, part_label
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.bench.calibrations import Speed
    from perfcast.factors import FactorSet
    from perfcast.fit.domain import Domain
    from perfcast.fit.fitted import Ensemble
    from perfcast.fit.inputs import InputColumns
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
        columns: the features it needs, in order, and the numeric factors that vary.
        families: that it knows.
        combinations: the combinations of these factors that were measured, combinations × factors.
        model: regressors, domain and intervals.
        details: what the manifest says besides: `members`, `domain`, `interval`, `errors`, `running_out`.
    """

    unit: str
    algorithm: str
    columns: InputColumns
    families: tuple[str, ...]
    combinations: np.ndarray
    model: MetricModel
    details: Mapping[str, Any]

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it needs of a feature table."""
        return self.columns.features

    @property
    def running_out(self) -> RunningOut | None:
        """How likely its device is to run out of memory; None where it never did."""
        found = self.details.get("running_out")
        return RunningOut(found["half"], found["scale"]) if found else None

    def predict(
        self,
        features: pd.DataFrame,
        factors: Mapping[str, float] | None = None,
        ratios: Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Return `unit`, `prediction`, `lower`, `upper` and `in_domain`, one row per row of ``features``.

        If some runs ran out of memory, also `out_of_memory`, the probability that this one does.

        A column `family` need not be there, and its families need not be known.

        Args:
            features: one row per model.
            factors: a value for each numeric factor that varies.
            ratios: of numeric factors that never varied, asked over measured value. What they do was not learned: the
                interval reaches from no effect to the full one.

        Raises:
            DataError: a column is missing or holds values that are not finite numbers.
        """
        inputs = number_columns(features, self.features)
        chosen = np.array([(factors or {})[name] for name in self.columns.factors])
        families = features.get("family", pd.Series("", index=features.index))
        family_codes = encode_families(families.to_numpy(), self.families)
        # Of so many rows the distances to all that was trained on stay in a processor's caches.
        pieces = [slice(start, start + _PIECE) for start in range(0, len(inputs) or 1, _PIECE)]
        found = pd.concat(
            [self._beyond(inputs[piece], chosen, family_codes[piece], ratios or {}) for piece in pieces],
            ignore_index=True,
        )
        if not covered(chosen, self.combinations):
            found = found.assign(in_domain=False)
        if self.running_out is None:
            return found
        return found.assign(out_of_memory=self.running_out.probability(found["prediction"].to_numpy()))

    def _beyond(
        self, features: np.ndarray, chosen: np.ndarray, family_codes: np.ndarray, ratios: Mapping[str, float]
    ) -> pd.DataFrame:
        """Return predictions where factors that never varied have other values than the measured ones."""
        found = self._predict(features, chosen, family_codes)
        if not ratios:
            return found
        scaled = self._predict(self.columns.of_batch(features, ratios.get(BATCH, 1.0)), chosen, family_codes)
        effect = full_effect(ratios)
        return found.assign(
            prediction=scaled["prediction"] * np.sqrt(effect),
            lower=np.minimum(found["lower"], scaled["lower"]) * min(1.0, effect),
            upper=np.maximum(found["upper"], scaled["upper"]) * max(1.0, effect),
            in_domain=False,
        )

    def _predict(self, features: np.ndarray, chosen: np.ndarray, family_codes: np.ndarray) -> pd.DataFrame:
        ensemble, domain, intervals = self.model
        inputs = self.columns.with_factors(features, chosen)
        prediction, spreads = ensemble.predict(inputs, family_codes)
        location = domain.locate(ensemble.outlier_bounds.winsorized(inputs)[:, : len(self.features)])
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
class Part:
    """The predictors of what was measured under the same categorical factors.

    Attributes:
        factors: those that vary among a predictor's parts, and their values here.
        metrics: by name.
    """

    factors: FactorSet
    metrics: Mapping[str, MetricPredictor]


@dataclass(frozen=True)
class Predictor:
    """Predictors of one target.

    Attributes:
        parts: one for each combination of categorical factors that was measured.
        target: its name.
        environment: where and with what it was measured: the values of each factor, and the environments' digests.
        training_digest: of all rows trained on.
        calibrations_ms: how long the calibration workload took there, by number of threads; empty where a predictor of
            an earlier version does not say.
    """

    parts: tuple[Part, ...]
    target: str
    environment: Mapping[str, Any]
    training_digest: str
    calibrations_ms: Mapping[int, Speed] = field(default_factory=dict)

    @property
    def metrics(self) -> Mapping[str, MetricPredictor]:
        """The metrics of its first part, by name; all parts have the same ones."""
        return self.parts[0].metrics

    @property
    def numeric_factors(self) -> tuple[str, ...]:
        """The numeric factors that vary."""
        return next(iter(self.metrics.values())).columns.factors

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
        """The share of measured values that each metric's intervals held, on held-out families, by part and metric."""
        return {
            name + part_label(part.factors): float(metric.details["interval"]["coverage"])
            for part in self.parts
            for name, metric in part.metrics.items()
        }

    def predict(self, features: pd.DataFrame, factors: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return predictions with intervals for the models in ``features``.

        Args:
            features: one row per model, with all features the predictor needs and, if the models have names or
                families, columns `model` and `family`; other columns do not matter.
            factors: chosen values of factors, None for no choice. Numeric factors that vary must be chosen, others may
                be (see `never_varied`); of categorical ones that vary and are not chosen, all are predicted for.

        Returns:
            `model`, `metric`, a column for each factor that varies or was chosen, `unit`, `prediction`, `lower`,
            `upper` (in that unit) and `in_domain`: the rows of ``features`` in their order, each with all metrics.

        Raises:
            DataError: a column is missing or holds values that are not finite numbers.
            UsageError: a factor has a value that is not known, or must be chosen.
        """
        chosen = {name: value for name, value in (factors or {}).items() if value is not None}
        parts, numbers, ratios = self.matching(chosen), self.numbers(chosen), self.ratios(chosen)
        names = features.get("model", features.index)
        tables = []
        for part in parts:
            shown = chosen | dict(part.factors)
            for name, metric in sorted(part.metrics.items()):
                table = metric.predict(features, numbers, ratios)
                heads = {"model": names.astype(str).to_numpy(dtype=object), "metric": name}
                heads |= {factor: shown[factor] for factor in NAMES if factor in shown}
                for position, (head, values) in enumerate(heads.items()):
                    table.insert(position, head, values)
                tables.append(table)
        return pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)

    def knows(self, factors: Mapping[str, Any]) -> bool:
        """Return whether one part, and no other, was trained on ``factors``, as far as their values are not None."""
        chosen = {name: value for name, value in factors.items() if value is not None}
        try:
            self.numbers(chosen)
            return len(self.matching(chosen)) == 1 and not self.ratios(chosen)
        except UsageError:
            return False

    def matching(self, chosen: Mapping[str, Any]) -> tuple[Part, ...]:
        """Return the parts whose categorical factors are ``chosen``, all of them where nothing is chosen.

        Raises:
            UsageError: a value was not trained on; it lists those that were.
        """
        vary = self.parts[0].factors
        for name, value in chosen.items():
            known = [part.factors[name] for part in self.parts] if name in vary else self.environment.get(name, [])
            is_free = name in self.numeric_factors or (name in NUMERIC and known)
            if name in NUMERIC and not 0 < value < np.inf:
                raise UsageError(f"{name} {value}: must be above 0")
            if not is_free and value not in known:
                raise UsageError(f"{name} {value}: the predictor was trained on {_listed(known)}")
        wanted = {name: value for name, value in chosen.items() if name in vary}
        parts = tuple(part for part in self.parts if wanted.items() <= part.factors.items())
        if not parts:
            known = [", ".join(f"{name} {value}" for name, value in part.factors.items()) for part in self.parts]
            raise UsageError(f"the predictor was not trained on this combination, but on {'; '.join(known)}")
        return parts

    def ratios(self, chosen: Mapping[str, Any]) -> dict[str, float]:
        """Return, of the numeric factors that never varied and are ``chosen`` otherwise, chosen over measured value."""
        measured = {
            name: float(self.environment[name][0])
            for name in NUMERIC
            if name in chosen and name not in self.numeric_factors and self.environment.get(name)
        }
        return {name: chosen[name] / value for name, value in measured.items() if chosen[name] != value}

    def never_varied(self, chosen: Mapping[str, Any]) -> list[str]:
        """Return a line for each of the `ratios` of what is ``chosen``."""
        return [
            f"{name} was only measured at {_listed(self.environment[name])}: predictions for {chosen[name]} are "
            f"extrapolated, with intervals from no effect of {name} to a proportional one"
            for name in self.ratios(chosen)
        ]

    def numbers(self, chosen: Mapping[str, Any]) -> dict[str, float]:
        """Return the values of the numeric factors that vary.

        Raises:
            UsageError: one is not ``chosen``; it lists those that were trained on.
        """
        if missing := [name for name in self.numeric_factors if name not in chosen]:
            name = missing[0]
            raise UsageError(f"{name}: choose a value; the predictor was trained on {_listed(self.environment[name])}")
        return {name: float(chosen[name]) for name in self.numeric_factors}


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(str, dict.fromkeys(values))) or "no known value of it"
