"""The study `training`: what it takes and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.studies.study import Findings, Study, alpha, margin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def _run(paths: Sequence[Path], options: Mapping[str, Any]) -> Findings:
    from perfcast.studies.training.accuracy import read_runs
    from perfcast.studies.training.answers import Rules, answers_of
    from perfcast.studies.training.cells import read_cells
    from perfcast.studies.training.memory import read_traces
    from perfcast.studies.training.operations import read_breakdowns
    from perfcast.studies.training.page import Found, summary, training_page
    from perfcast.studies.training.splits import read_splits
    from perfcast.studies.training.tables import cells_frame

    rules = Rules(options["alpha"], options["margin"])
    profiles = {path: read_breakdowns(path) for path in paths}
    traces = {path: read_traces(path) for path in paths}
    splits = {path: read_splits(path) for path in paths}
    runs = {path: read_runs(path) for path in paths}
    cells, notes = read_cells(
        [path for path in paths if all(files[path] is None for files in (profiles, traces, splits, runs))]
    )
    found = Found(
        answers_of(cells, rules),
        tuple(each for of_file in profiles.values() for each in of_file or ()),
        tuple(each for of_file in traces.values() for each in of_file or ()),
        tuple(each for of_file in splits.values() for each in of_file or ()),
        notes,
        tuple(each for each in runs.values() if each is not None),
    )
    return Findings(summary(found), training_page(found, rules), cells_frame(cells))


STUDY = Study(
    summary="Find what training costs here: convolutions and operations.",
    help=(
        "Find what convolutions cost forward and backward, which operations the time of a step goes to, "
        "and whether the claims of the published study hold (docs/training-study.md)."
    ),
    inputs=("RESULTS...",),
    run=_run,
    options=(
        margin("Relative difference in time that does not matter."),
        alpha("Probability of a false verdict, over what one claim on one target rests on."),
    ),
    table="one row per convolution, workload and batch",
    input_help=(
        "the folder of a target's results, a file dataset.parquet, a profile, memory trace or split of "
        "`perfcast profile`, or runs of `perfcast train` (.parquet or .csv)"
    ),
)
