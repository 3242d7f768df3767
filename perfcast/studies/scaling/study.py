"""The study `scaling`: what it takes and what it finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.studies.study import Findings, Option, Study, alpha, listed_names, margin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from perfcast.studies.scaling.columns import Choices
    from perfcast.studies.scaling.observations import Observations


def _run(paths: Sequence[Path], options: Mapping[str, Any]) -> Findings:
    from perfcast.studies.scaling.analysis import analyse
    from perfcast.studies.scaling.claims import Rules
    from perfcast.studies.scaling.page import scaling_page, summary
    from perfcast.studies.scaling.tables import factors_frame

    rules = Rules(options["alpha"], options["margin"])
    sets, problems = _observed(paths, _choices(options))
    analyses = [analyse(each, rules) for each in sets]
    page = scaling_page(analyses, problems, rules)
    return Findings(summary(analyses, problems), page, factors_frame(analyses))


def _choices(options: Mapping[str, Any]) -> Choices:
    from perfcast.studies.scaling.columns import Choices

    factors, splits = (listed_names(options[name]) for name in ("factors", "by"))
    return Choices(options["time"] or "", factors, splits, options["unit"] or "", options["inputs"])


def _observed(paths: Sequence[Path], choices: Choices) -> tuple[list[Observations], list[str]]:
    """Return the data sets of all tables, and why some have none.

    Raises:
        UsageError: of the first table, where none has any.
    """
    from perfcast.studies.scaling.observations import observe

    sets: list[Observations] = []
    problems: list[UsageError] = []
    for path in paths:
        try:
            sets += observe(path, choices)
        except UsageError as error:
            problems.append(error)
    if not sets:
        raise problems[0]
    return _distinct(sets), [str(problem) for problem in problems]


def _distinct(sets: list[Observations]) -> list[Observations]:
    """Return data sets with a number after a label that an earlier one has, too."""
    seen: Counter[str] = Counter()
    found = []
    for each in sets:
        seen[each.label] += 1
        found.append(each if seen[each.label] == 1 else replace(each, label=f"{each.label} ({seen[each.label]})"))
    return found


STUDY = Study(
    summary="Find how time scales with a network, and where that breaks.",
    help=(
        "Find how time scales with layers, filter sizes, batch sizes and other factors: correlations, scaling laws, "
        "thresholds, scatter, and whether the claims of the published study hold (docs/scaling-study.md)."
    ),
    inputs=("DATA...",),
    run=_run,
    options=(
        Option("time", "Column of times; found by its name if it is the only one.", {"type": "string"}),
        Option("factors", "Columns of factors, separated by commas; default: all that vary.", {"type": "string"}),
        Option("by", "Columns that part a table into data sets, separated by commas.", {"type": "string"}),
        Option(
            "unit",
            "Unit of the times; default: the one that the column's name ends in.",
            {"type": "string", "enum": ["ns", "us", "ms", "s", "min", "h"]},
        ),
        Option(
            "inputs",
            "How many inputs one time covers; default: what the table says, 2000 for the document's.",
            {"type": "integer", "minimum": 1},
        ),
        margin("Relative difference in time, or difference of correlations, that does not matter."),
        alpha("Probability of a false verdict, over the claims on one data set."),
    ),
    table="one row per data set and factor",
    input_help=(
        "a CSV or Parquet file with factors and times, such as those of `perfcast sweep` or of the published study, or "
        "the folder of a target's results"
    ),
)
