"""The study `factors`: what it takes and what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.studies.study import Findings, Option, Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAMES = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 200}


def _run(paths: Sequence[Path], options: Mapping[str, Any]) -> Findings:
    from perfcast.studies.factors.analysis import analyse, effects_table
    from perfcast.studies.factors.campaign import write_campaign
    from perfcast.studies.factors.page import factors_page, summary
    from perfcast.studies.factors.published import published_claims
    from perfcast.studies.factors.roles import asked_of
    from perfcast.studies.factors.source import read_source

    source = read_source(paths, asked_of(options))
    found = analyse(source.results, suggestions=options["suggest"], keep_outliers=options["keep_outliers"])
    files, how = write_campaign(Path(options["campaign"]), found.coverage, source) if options["campaign"] else ({}, "")
    claims = published_claims(found)
    return Findings(summary(found, claims, how), factors_page(found, claims, how), effects_table(found), files)


STUDY = Study(
    summary="Find what drives time and memory in test results.",
    help=(
        "Find which factors (device, clock, threads, network, build, ...) drive time and memory in test results, with "
        "the other factors as they are; which build changed what; what cannot be told apart; and what to test next."
    ),
    inputs=("DATA...",),
    input_help=(
        "tables of test results (CSV, Parquet, Excel, JSON or a pickled frame), merged on the column that names a row; "
        "or folders of results, or their dataset.parquet"
    ),
    run=_run,
    options=(
        Option("metrics", "Columns that were measured, with commas between; by default those with a unit.", _NAMES),
        Option("factors", "Columns that varied, with commas between; by default all with few levels.", _NAMES),
        Option("network", "Column that says which network ran.", _NAMES),
        Option("build", "Column that says which build of the software ran it.", _NAMES),
        Option("id", "Column that names a row, to merge on.", _NAMES),
        Option("suggest", "How many untested combinations to suggest.", _COUNT, 12),
        Option("keep_outliers", "Keep what contradicts all other results in the models.", {"type": "boolean"}, False),
        Option(
            "campaign",
            "Folder to write the suggested combinations to, as a campaign that the workflow runs.",
            _NAMES,
        ),
    ),
    table="one row per effect of a factor on a metric",
)
