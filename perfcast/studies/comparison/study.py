"""The study `comparison`: what it takes and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.studies.study import Findings, Option, Study, alpha

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def _run(paths: Sequence[Path], options: Mapping[str, Any]) -> Findings:
    from perfcast.studies.comparison.comparison import Options, compare
    from perfcast.studies.comparison.page import comparison_page
    from perfcast.studies.comparison.pairs import pair, read_dataset
    from perfcast.studies.comparison.summary import summary

    metric = options["metric"]
    first, second = (read_dataset(path, metric) for path in paths)
    found = compare(pair(first, second, metric), Options(options["threshold"], options["alpha"]))
    return Findings(summary(found), comparison_page(found), found.models, status=1 if found.has_regressed else 0)


STUDY = Study(
    summary="Find regressions between two datasets.",
    help=(
        "Find which models became slower, or larger, from dataset A to dataset B. Exit code 1: there is a significant "
        "regression beyond the threshold."
    ),
    inputs=("A", "B"),
    run=_run,
    options=(
        Option("metric", "Column to compare, such as ram_run_peak_mb.", {"type": "string"}, "latency_ms"),
        Option(
            "threshold",
            "Relative change from which on a model counts as a regression.",
            {"type": "number", "minimum": 0, "maximum": 10},
            0.05,
        ),
        alpha("Probability of a false alarm, over all models, where nothing changed."),
    ),
    table="one row per model",
)
