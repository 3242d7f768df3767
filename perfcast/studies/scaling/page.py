"""The page of the study: the answer, the document's claims, what the data are worth, and each data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.pages import Page, Section
from perfcast.pages import formatting as fmt
from perfcast.studies.scaling import sentences, tables
from perfcast.studies.scaling.correlations import METHODS
from perfcast.studies.scaling.figures import box_figure, correlation_figure, curve_figure
from perfcast.studies.scaling.spread import MEANINGS
from perfcast.studies.statistics.claims import claims_table
from perfcast.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.pages import Figure, Table
    from perfcast.studies.scaling.analysis import Analysis
    from perfcast.studies.scaling.claims import Rules


def scaling_page(analyses: Sequence[Analysis], problems: Sequence[str], rules: Rules) -> Page:
    """Return the page of a study; ``problems`` are those of tables that could not be analysed."""
    return Page(
        "How time scales",
        lead=sentences.answer(analyses),
        facts=_facts(analyses, rules),
        sections=(
            Section("answer", "The answer", _answers(analyses), warnings=tuple(f"{text}." for text in problems)),
            Section("claims", "The document's claims", _about_claims(rules), tables=(_verdicts(analyses),)),
            Section("data", "What the data are worth", (*sentences.consistency(analyses), *sentences.notes(analyses))),
            *(_of_set(number, each, len(analyses) > 1) for number, each in enumerate(analyses, start=1)),
            Section("methods", "How it was found", _methods(rules)),
        ),
    )


def _facts(analyses: Sequence[Analysis], rules: Rules) -> tuple[tuple[str, str], ...]:
    seen = sum(each.observations.seen for each in analyses)
    return (
        ("data sets", str(len(analyses))),
        ("measurements", fmt.whole(seen)),
        ("probability of a false verdict", fmt.percent(100 * rules.alpha)),
        ("difference that does not matter", fmt.percent(100 * rules.margin)),
    )


def _answers(analyses: Sequence[Analysis]) -> tuple[str, ...]:
    """Return the thresholds of each data set; of a single one they are the lead already."""
    if len(analyses) == 1:
        return sentences.findings(analyses[0])
    return tuple(f"{each.observations.label}: {sentences.answer([each])}" for each in analyses)


def _about_claims(rules: Rules) -> tuple[str, ...]:
    return (
        "Claims of Bigazzi and Collini, Tensorflow Neural Network Complexity Scaling. Each is tested on each data set, "
        "also where they make it of another network; of several data sets, the evidence is in their sections. Open: "
        f"the data cannot decide. P-values are adjusted over the claims on one data set (Holm), at {rules.alpha:g}; a "
        f"difference within {rules.margin:.0%} does not matter.",
    )


def _verdicts(analyses: Sequence[Analysis]) -> Table:
    """Return the verdicts on all data sets, whose sections have the evidence; of a single one the evidence itself."""
    return tables.verdicts_table(analyses) if len(analyses) > 1 else claims_table(analyses[0].claims)


def _of_set(number: int, analysis: Analysis, has_claims: bool) -> Section:
    return Section(
        f"set-{number}",
        analysis.observations.label,
        sentences.findings(analysis),
        tables=(
            *((claims_table(analysis.claims),) if has_claims and analysis.claims else ()),
            tables.exponents_table(analysis),
            tables.laws_table(analysis),
            tables.spread_table(analysis),
            tables.levels_table(analysis),
        ),
        figures=_figures(number, analysis),
    )


def _figures(number: int, analysis: Analysis) -> tuple[Figure, ...]:
    observations = analysis.observations
    return (
        *(correlation_figure(analysis, method, f"set-{number}-{method}") for method in METHODS),
        *(
            box_figure(observations, factor, f"set-{number}-box-{place}")
            for place, factor in enumerate(observations.factors, start=1)
        ),
        *(
            curve_figure(observations, found, f"set-{number}-curve-{place}")
            for place, found in enumerate(analysis.thresholds, start=1)
        ),
    )


def _methods(rules: Rules) -> tuple[str, ...]:
    scales = "; ".join(f"{scale}: {meaning}" for scale, meaning in MEANINGS.items())
    return (
        "A combination counts once, with the mean of its measurements: repetitions share what was particular about "
        "their run, and would make intervals too short. Exponents: least squares of logarithms; intervals from HC2 "
        "standard errors with Bell and McCaffrey's degrees of freedom, which hold where the scatter differs.",
        "Laws are compared by combinations, and by whole levels, that they were not fitted to; logarithmic and linear "
        "laws minimise relative errors.",
        "Thresholds: a change of slope on logarithmic axes, tested by drawing what a curve without one would leave; "
        f"false alarms have probability {rules.alpha:g} over the factors of one data set. The interval holds each "
        "place that cannot be ruled out.",
        f"Scatter: {scales}. Brown-Forsythe: Levene's test around medians.",
    )


def summary(analyses: Sequence[Analysis], problems: Sequence[str]) -> tuple[str | Table, ...]:
    """Return what to print."""
    several = len(analyses) > 1
    lines: list[str | Table] = [f"warning: {text}" for text in problems]
    lines.append(f"{pluralize(len(analyses), 'data set')}: {sentences.answer(analyses)}")
    for each in analyses:
        prefix = f"{each.observations.label}: " if several else ""
        lines += [f"{prefix}{sentence}" for sentence in sentences.findings(each)]
        lines += [f"{prefix}{claim}" for claim in each.claims]
    lines += [*sentences.consistency(analyses), *sentences.notes(analyses)]
    if several:
        lines.append(tables.verdicts_table(analyses))
    return tuple(lines)
