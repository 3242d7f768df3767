"""The plan of a campaign: what it measures, ships and takes, and which models it will likely lose."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from perfcast.bench.campaign import Campaign
from perfcast.bench.plans import program_of
from perfcast.bench.record import MeasurementStore
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.features.table import features_table
from perfcast.planning import costs
from perfcast.runner.power import seconds_per_visit
from perfcast.runner.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.bench.target import Target
    from perfcast.bench.transport import Transport
    from perfcast.export.exports import Export
    from perfcast.fit.predictor import Predictor
    from perfcast.models.spec import ModelSpec
    from perfcast.planning.settings import Settings
    from perfcast.progress import Progress

_LATENCY, _MEMORY = "latency_ms", "ram_mb"


@dataclass(frozen=True)
class Plan:
    """What a campaign will take.

    Attributes:
        models: one row per model and factor set: `model`, `family`, the factors, `measurements` (still to be
            made), `graph_bytes`, `packed_bytes` (compressed), `latency_ms`, `once_s` (measuring it once, as far as
            the time limit counts it), `time_s` (all its measurements, each with its time under sustained load),
            `memory_mb` (peak of the measuring process) and `warning` (empty where it will likely be measured).
        memory_limit_mb: what the device has, None where it does not say.
        start_s: what starting the runtime takes in all.
        predicted_by: what `latency_ms` comes from.
    """

    models: pd.DataFrame
    memory_limit_mb: float | None
    start_s: float
    predicted_by: str

    @property
    def time_s(self) -> float:
        """The whole campaign's expected time."""
        return float(self.models["time_s"].sum()) + self.start_s

    def families(self) -> pd.DataFrame:
        """Return the sums of each family: `models`, `measurements`, `graph_bytes`, `time_s`, `warnings`."""
        rows = self.models.assign(models=1, warnings=self.models["warning"] != "")
        # Each model is counted, and its graph shipped, once for all factor sets.
        rows.loc[rows.duplicated("model"), ["models", "graph_bytes", "packed_bytes"]] = 0
        columns = ["models", "measurements", "graph_bytes", "packed_bytes", "time_s", "warnings"]
        return rows.groupby("family")[columns].sum()


def make_plan(
    settings: Settings,
    specs: Sequence[ModelSpec],
    transport: Transport,
    predictor: Predictor | None,
    progress: Progress,
) -> Plan:
    """Plan a campaign: export what was not exported yet, which the campaign needs anyhow, and add up.

    Args:
        settings: the campaign's.
        specs: the models to measure.
        transport: asked what the target is, and what it measured already.
        predictor: of this target, None to guess from operations and bytes.
        progress: shown while models are exported.

    Raises:
        SourceError: a model cannot be exported.
        BenchmarkError: the target does not answer.
        DataError: the predictor needs features that there are not.
    """
    artifacts = ArtifactStore(settings.store)
    with progress(len(specs), "exporting") as advance:
        exports = export_models(specs, artifacts, advance, settings.target.formats)
    campaign = Campaign(settings.target, transport, artifacts, MeasurementStore(settings.store))
    descriptors = [artifacts.descriptor(export.artifact) for export in exports]
    features = features_table(descriptors)
    planned = [
        _planned(part, environment, exports, descriptors, features, predictor)
        for part, environment in campaign.parts_in_environments()
    ]
    started = [min(settings.config["shards"], int((part["measurements"] > 0).sum())) for part, _ in planned]
    return Plan(
        models=pd.concat([models for models, _ in planned], ignore_index=True),
        memory_limit_mb=planned[0][1],
        start_s=costs.START_S * sum(started),
        predicted_by="the target's predictor" if predictor else "operations and bytes alone",
    )


def _planned(
    part: Campaign,
    environment: dict[str, Any],
    exports: list[Export],
    descriptors: list[dict[str, Any]],
    features: pd.DataFrame,
    predictor: Predictor | None,
) -> tuple[pd.DataFrame, float | None]:
    """Return the plan of one factor set, one row per model, and the memory that the device has (MB)."""
    missing = Counter(task.model for task in part.missing(part.tasks(exports, environment)))
    models = _identity(exports, part.artifacts, part.target, missing).assign(**part.target.factors)
    peaks = _peaks_mb(descriptors, features, part.target.factors)
    models = models.join(_costs(features, models["measurements"], peaks, part.target, environment, predictor))
    limit = _memory_limit_mb(part.target, environment)
    models["warning"] = [_warning(row, part.target, limit) for row in models.to_dict("records")]
    return models, limit


def _identity(exports: list[Export], artifacts: ArtifactStore, target: Target, missing: Counter[str]) -> pd.DataFrame:
    rows = []
    for export in exports:
        program = program_of(export, target)
        graph = artifacts.program_path(export.artifact, program).read_bytes() if program.digest else b""
        rows.append(
            {
                "model": export.spec.model,
                "family": export.spec.family,
                "measurements": missing[export.spec.model],
                "graph_bytes": len(graph),
                "packed_bytes": len(zlib.compress(graph)),
            }
        )
    return pd.DataFrame(rows)


def _peaks_mb(
    descriptors: list[dict[str, Any]], features: pd.DataFrame, factors: dict[str, Any]
) -> tuple[pd.Series, pd.Series]:
    """Return the peak memory of loading and of running each model."""
    if WORKLOADS[factors["workload"]].TRAINS:
        running = costs.training_peaks_mb(descriptors, factors)
        return 0.0 * running, running
    return costs.peaks_mb(features, factors)


def _costs(
    features: pd.DataFrame,
    times: pd.Series,
    peaks: tuple[pd.Series, pd.Series],
    target: Target,
    environment: dict[str, Any],
    predictor: Predictor | None,
) -> pd.DataFrame:
    inferences_each = WORKLOADS[target.factors["workload"]].inferences(target.factors)
    latency = costs.latency_ms(features, target.factors["threads"]) * target.factors["batch"] * inferences_each
    loading, running = peaks
    # A value that was just added to those that vary has not been measured yet.
    if predictor and predictor.knows(target.factors):
        predictions = predictor.predict(features, target.factors)
        latency = _predicted(predictions, _LATENCY, "prediction", latency)
        running = _predicted(predictions, _MEMORY, "upper", running)
    visits = float(target.protocol.visits)  # The adaptive protocol may stop earlier, a busy machine needs more.
    samples = visits * target.protocol.iterations_per_visit
    once = costs.overhead_s(features, visits) + visits * target.protocol.warmup_s + samples * latency / 1e3
    unlimited = (target.soak_s or 0.0) + visits * seconds_per_visit(environment["settings"].get("power"))
    return pd.DataFrame(
        {
            "latency_ms": latency,
            "time_s": times * (once.clip(upper=target.time_limit_s) + unlimited),
            "once_s": once,
            "memory_mb": costs.NULL_MB + pd.concat([loading, running], axis=1).max(axis=1),
        }
    )


def _predicted(predictions: pd.DataFrame, metric: str, column: str, otherwise: pd.Series) -> pd.Series:
    found = predictions.loc[predictions["metric"] == metric, column].reset_index(drop=True)
    return found if len(found) else otherwise


def _memory_limit_mb(target: Target, environment: dict[str, Any]) -> float | None:
    if target.device_memory_mb is not None:
        return target.device_memory_mb
    sizes = [environment["machine"]["memory_bytes"], environment["settings"]["memory_limit_bytes"]]
    known = [size for size in sizes if size]
    return min(known) / 1e6 if known else None


def _warning(row: dict[str, Any], target: Target, limit_mb: float | None) -> str:
    if limit_mb is not None and row["memory_mb"] > limit_mb:
        return f"likely out of memory: {row['memory_mb']:,.0f} MB of {limit_mb:,.0f}"
    if row["once_s"] > target.time_limit_s:
        return f"likely timed out: {row['once_s']:,.0f} s of {target.time_limit_s:g}"
    return ""
