"""What to fit and how: the options that every part of `perfcast.fit` shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from perfcast.config import default_of, schema
from perfcast.errors import UsageError
from perfcast.schema import check_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PUBLISHED_ALGORITHMS = ("poly", "svr", "mlp", "forest", "xgboost")
"""The five regressors of the published method, by their names in files."""

LINEAR = "linear"
"""A sum of physical terms; see `perfcast.fit.linear`."""

ENSEMBLE = "ensemble"
"""The median of several regressors."""

MIXTURE = "mixture_of_experts"
"""A physical model for each family, and the ensemble for networks of none; see `perfcast.fit.mixture`."""

ALGORITHMS = (LINEAR, *PUBLISHED_ALGORITHMS, "extra_trees", "gaussian_process", ENSEMBLE, MIXTURE)
"""All that may be deployed."""

BASELINES = ("flops_only", "nearest_neighbour")
"""What a regressor must beat."""

SCHEMES = ("random_folds", "leave_one_family_out", "unseen_network", "unseen_input_size")
"""The schemes of grouped cross-validation."""

CHOOSING_SCHEMES = ("leave_one_family_out", "unseen_network", "unseen_input_size")
"""Those that resemble what is asked, and so choose the algorithm: random folds part the sizes of one network."""

COVERAGE_SLACK = 0.05
"""How far the share that intervals held may lie below what they promise before a warning is shown."""

MIN_ROWS = 5
"""How many measured models there must be at least to learn from."""

MAX_ROWS, MAX_VALUES, ENOUGH_ROWS = 2_000, 4_800, 400
"""How many rows a metric is trained on at most, all metrics together, and each metric whatever the others take."""

DEPLOYMENT_SCHEME = "leave_one_family_out"
"""The scheme that chooses what is deployed and sizes its intervals: users ask about networks not seen."""


def check_choices(choices: Mapping[str, Any]) -> None:
    """Refuse options of a fit that a configuration could not have either.

    Raises:
        UsageError: one line that names the option.
    """
    check_values(choices, schema("config")["properties"]["fit"], "fit")


@dataclass(frozen=True)
class Metric:
    """What is predicted: the dataset's column that holds it and its unit."""

    column: str
    unit: str


def default_metrics() -> dict[str, Metric]:
    """Return the metrics fitted by default: latency and memory."""
    return {
        "latency_ms": Metric("latency_ms", "ms"),
        "ram_mb": Metric("ram_run_peak_mb", "MB"),
    }


@dataclass(frozen=True)
class FitOptions:
    """Options of evaluating and fitting.

    Attributes:
        features: the dataset's columns to learn from (see `perfcast.fit.selection.select_features`).
        metrics: what to predict, by the name it has in files and answers.
        algorithms: those of `ALGORITHMS` to evaluate and to deploy the best of; None for all.
        splits: random splits of the published protocol, 0 to do without; their seeds are 0, 1, …, splits - 1.
        seed: seed of everything that is random and is not a published split.
        jobs: processes to use; results do not depend on it.
        test_share: share of the rows tested in a published split.
        interval: share of predictions that the intervals should contain.
        flops_column: the column that the baseline `flops_only` reads; without it that baseline is omitted.
        additive: the columns of which run time and memory are a sum with weights that are not negative;
            chosen by `perfcast.fit.selection.additive_features` unless given.
        implausible: features that are winsorized where they are far more than usual for the product of some others (see
            `perfcast.features.plausible`).
        held: how many numbers of the same size a run holds for each unit of some features, by their names: what is
            known of its memory without a measurement.
    """

    features: tuple[str, ...]
    metrics: Mapping[str, Metric] = field(default_factory=default_metrics)
    algorithms: Sequence[str] | None = None
    splits: int = field(default_factory=partial(default_of, "config", "fit", "splits"))
    seed: int = field(default_factory=partial(default_of, "config", "fit", "seed"))
    jobs: int = 1
    test_share: float = field(default_factory=partial(default_of, "config", "fit", "test_share"))
    interval: float = field(default_factory=partial(default_of, "config", "fit", "interval"))
    flops_column: str = "flops"
    additive: tuple[str, ...] | None = None
    implausible: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)

    @property
    def most_rows(self) -> int:
        """How many rows each metric is trained on at most: what validation takes grows fast with them."""
        return min(MAX_ROWS, max(ENOUGH_ROWS, MAX_VALUES // len(self.metrics)))

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out.

        Raises:
            UsageError: an option is out of its range.
        """
        checks = (
            (bool(self.features), "features: name at least one column to learn from"),
            (len(set(self.features)) == len(self.features), "features: a column is named twice"),
            (bool(self.metrics), "metrics: name at least one metric to predict"),
            (self.jobs >= 1, f"jobs: must be at least 1, not {self.jobs}"),
            (set(self.additive or ()) <= set(self.features), "additive: names a column that is not a feature"),
        )
        for holds, message in checks:
            if not holds:
                raise UsageError(message)
        names = ("algorithms", "seed", "test_share", "interval", *(["splits"] if self.splits else []))
        check_choices({name: getattr(self, name) for name in names})
