"""Measuring a sweep's evaluations: one campaign, whose samples are passes over all inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from perfcast.bench.target import Protocol, Replicates
from perfcast.dataset.measured import measured_dataset
from perfcast.errors import UsageError
from perfcast.factors import in_words
from perfcast.runner.workloads.evaluation import Evaluation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.bench.campaign import Campaign
    from perfcast.bench.target import Target
    from perfcast.export.exports import Export
    from perfcast.progress import Progress
    from perfcast.sweeps.config import SweepConfig

_VISITS = 5
_MS_PER_S = 1e3


@dataclass(frozen=True)
class Evaluated:
    """The measured evaluation of a network.

    Attributes:
        samples_s: the time of each pass in s, as many as were asked for; none where it was not measured.
        typical_s, low_s, high_s: the typical time of a pass in s and its 95% interval, NaN where it was not measured.
        status: `trusted`, `noisy` or `rejected`; why it has no time where it was not measured, such as `timed_out`.
        reason: why, in words; empty where trusted.
        row: all columns of the measurement, as a dataset has them.
    """

    samples_s: tuple[float, ...]
    typical_s: float
    low_s: float
    high_s: float
    status: str
    reason: str
    row: Mapping[str, Any]

    @property
    def total_s(self) -> float:
        """The time of all passes in s, NaN without any."""
        return sum(self.samples_s) if self.samples_s else float("nan")

    @property
    def mean_s(self) -> float:
        """The mean time of a pass in s, NaN without any."""
        return self.total_s / max(1, len(self.samples_s))


def sweep_target(target: Target, config: SweepConfig, batches: Sequence[int]) -> Target:
    """Return a target that measures evaluations: of these batch sizes, by the sweep's protocol, all else being its own.

    Passes are spread over five visits, or fewer where that does not divide them. The time limit of a model counts for
    each pass.

    Raises:
        UsageError: the target varies another factor than the batch size.
    """
    passes = {"workload": Evaluation.name, "evaluation_inputs": config.evaluation_inputs}
    sets = [[chosen | passes | {"batch": batch} for batch in batches] for chosen in target.factor_sets]
    if any(other != sets[0] for other in sets[1:]):
        varied = " or ".join(in_words(some[0], [other[0] for other in sets]) for some in sets[:2])
        raise UsageError(f"{target.name}: a sweep needs a target with one factor set, not {varied}; name another")
    iterations = config.evaluation_iterations
    visits = max(count for count in range(1, _VISITS + 1) if iterations % count == 0)
    own = target.protocol
    protocol = Protocol("published", iterations, 0, visits=visits, repeats=own.repeats, warmup_s=own.warmup_s)
    limit_s = target.time_limit_s * iterations
    return replace(
        target, factor_sets=tuple(sets[0]), protocol=protocol, replicates=Replicates(0.0, 0), time_limit_s=limit_s
    )


def evaluate(
    campaign: Campaign, exports: list[Export], progress: Progress, description: str
) -> dict[tuple[str, int], Evaluated]:
    """Measure each network under each factor set unless the store has it; return them by model and batch.

    Args:
        campaign: of a target as `sweep_target` returns it.
        exports: the networks'.
        progress, description: what is shown meanwhile.

    Raises:
        BenchmarkError: the runner ended early.
    """
    keys = campaign.measure(exports, progress, description)
    dataset = measured_dataset(campaign.measurements, campaign.artifacts, keys)
    iterations = campaign.target.protocol.iterations
    rows = [{str(name): value for name, value in row.items()} for row in dataset.to_dict("records")]
    return {(row["model"], row["batch"]): evaluated(row, iterations) for row in rows}


def evaluated(row: Mapping[str, Any], iterations: int) -> Evaluated:
    """Return the evaluation that a row of a dataset describes; disturbed visits count only where others are too few."""
    is_measured = row["status"] == "measured"
    samples_s: tuple[float, ...] = ()
    if is_measured:
        disturbed = dict(enumerate(row["visit_disturbed"]))
        order = sorted(range(len(row["visit"])), key=lambda place: disturbed[row["visit"][place]])
        samples_s = tuple(row["wall_samples_ms"][place] / _MS_PER_S for place in sorted(order[:iterations]))
    reason = row["trust_reason"] if is_measured else row["reason"]
    typical_s, low_s, high_s = (
        float(row[name]) / _MS_PER_S if is_measured else float("nan")
        for name in ("latency_ms", "latency_low_ms", "latency_high_ms")
    )
    return Evaluated(
        samples_s=samples_s,
        typical_s=typical_s,
        low_s=low_s,
        high_s=high_s,
        status=row["trust"] if is_measured else row["status"],
        reason="" if pd.isna(reason) else str(reason),
        row=row,
    )
