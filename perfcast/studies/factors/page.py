"""The page of test results, and what the command prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.pages import Page, Section
from perfcast.pages import formatting as fmt
from perfcast.pages.sections import section_or_reason
from perfcast.studies.factors import findings, tables
from perfcast.studies.factors.figures import (
    builds_figure,
    correlation_figures,
    coverage_figure,
    effects_figure,
    performance_figures,
)
from perfcast.studies.factors.roles import PERFORMANCE
from perfcast.studies.factors.trade_figures import front_figure, panel_figures, panels_left_out
from perfcast.studies.statistics.claims import claims_table
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perfcast.pages import Table
    from perfcast.studies.factors.analysis import Analysis
    from perfcast.studies.statistics.claims import Claim

_MANY_LABELS = 6


def summary(analysis: Analysis, claims: Sequence[Claim], how: str) -> tuple[str | Table, ...]:
    """Return what the command prints; for the arguments see `factors_page`."""
    counts = ", ".join(
        f"{sum(claim.verdict == verdict for claim in claims)} {verdict}"
        for verdict in ("confirmed", "contradicted", "confounded", "open")
    )
    return (
        f"{fmt.pluralize(analysis.results.total, 'result')}, "
        f"{fmt.pluralize(len(analysis.results.conditions), 'condition')}; factors: {_factors(analysis)}",
        *findings.problem_lines(analysis),
        *analysis.results.roles.notes,
        tables.effects(analysis),
        *findings.answers(analysis),
        *findings.cautions(analysis),
        *((f"published findings: {counts}",) if claims else ()),
        *(str(claim) for claim in claims if claim.verdict != "confirmed"),
        *findings.untested(analysis),
        *(f"next: {line}" for line in findings.actions(analysis)),
        *((how,) if how else ()),
    )


def _factors(analysis: Analysis) -> str:
    return ", ".join(map(escape_control, analysis.results.roles.factors)) or "none"


def factors_page(analysis: Analysis, claims: Sequence[Claim], how: str = "") -> Page:
    """Return the page of test results; a section that the data does not allow says why.

    Args:
        analysis: of the results.
        claims: the findings that were published with them; none for other results.
        how: how to measure what was not tested, in a sentence; empty where no campaign was written.
    """
    parts: tuple[tuple[str, str, Callable[[], Section]], ...] = (
        ("answer", "The answer", lambda: _answer(analysis)),
        ("data", "What was read", lambda: _data(analysis)),
        ("effects", "Effects", lambda: _effects(analysis)),
        ("builds", "Builds", lambda: _builds(analysis)),
        ("performance", "Performance", lambda: _performance(analysis)),
        ("memory-time", "Memory and time", lambda: _memory_and_time(analysis)),
        ("together", "What goes together", lambda: _together(analysis)),
        ("untested", "What was not tested", lambda: _untested(analysis, how)),
    )
    sections = [section_or_reason(*part) for part in parts]
    if claims:
        table = claims_table(claims, "Findings that were published with these results, and what the data says")
        sections.insert(2, Section("claims", "Published findings", tables=(table,)))
    return Page("What drives time and memory", findings.lead(analysis), _facts(analysis), tuple(sections))


def _facts(analysis: Analysis) -> tuple[tuple[str, str], ...]:
    results = analysis.results
    constant = results.roles.constant[:_MANY_LABELS]
    return (
        ("results", fmt.whole(results.total)),
        ("conditions", fmt.whole(len(results.conditions))),
        ("factors", _factors(analysis)),
        ("measured", ", ".join(metric.label for metric in results.roles.measured)),
        *((escape_control(name), f"{level} in all") for name, level in constant),
    )


def _sentences(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{line[:1].upper()}{line[1:].rstrip('.')}." for line in lines)


def _answer(analysis: Analysis) -> Section:
    warnings = _sentences(findings.cautions(analysis))
    return Section("answer", "The answer", _sentences(findings.answers(analysis)), warnings=warnings)


def _data(analysis: Analysis) -> Section:
    results = analysis.results
    lines = [*findings.problem_lines(analysis), *results.roles.notes]
    if results.is_sampled:
        lines.append(f"quartiles and points are of a random sample of {len(results.rows):,} rows; all else is of all")
    return Section(
        "data",
        "What was read",
        _sentences(lines or ["all rows could be used"]),
        (tables.statistics(analysis), tables.levels(analysis), tables.problems(analysis)),
    )


def _effects(analysis: Analysis) -> Section:
    lines = [line for each in analysis.metrics if each.model for line in findings.basis(each.model, each.metric.name)]
    figures = tuple(effects_figure(each, number) for number, each in enumerate(analysis.metrics))
    shown = (tables.effects(analysis), tables.overlap(analysis))
    return Section("effects", "Effects", _sentences(lines), shown, figures)


def _builds(analysis: Analysis) -> Section:
    roles = analysis.results.roles
    lines = findings.significance(analysis)
    if not roles.build:
        return Section("builds", "Builds", _sentences(lines))
    measured = [each for each in analysis.metrics if each.metric != PERFORMANCE]
    lines += [f"{each.metric.name}: no change can be found: {why}" for each in measured for why in each.undecided]
    figures = tuple(builds_figure(analysis, each, number) for number, each in enumerate(measured))
    return Section("builds", "Builds", _sentences(lines), (tables.changes(analysis), tables.steps(analysis)), figures)


def _performance(analysis: Analysis) -> Section:
    lines = [
        "Performance is 10⁶ / (memory in MB × time in ms): higher where both are lower. Its unit is 1/(GB·s), since "
        "1 MB·ms is 10⁻⁶ GB·s"
    ]
    said = _sentences(lines) if PERFORMANCE in analysis.results.usable() else ()
    return Section("performance", "Performance", said, figures=performance_figures(analysis))


def _memory_and_time(analysis: Analysis) -> Section:
    left_out = panels_left_out(analysis)
    lines = [f"{left_out:,} more settings have no figure of their own"] if left_out else []
    figures = (front_figure(analysis), *panel_figures(analysis))
    return Section("memory-time", "Memory and time", _sentences(lines), (tables.front(analysis),), figures)


def _together(analysis: Analysis) -> Section:
    heat, matrix = correlation_figures(analysis.results)
    return Section("together", "What goes together", figures=(heat, matrix))


def _untested(analysis: Analysis, how: str) -> Section:
    lines = [*findings.untested(analysis), *(f"next: {line}" for line in findings.actions(analysis))]
    return Section(
        "untested",
        "What was not tested",
        _sentences([*lines, *([how] if how else [])]),
        (tables.gaps(analysis),),
        (coverage_figure(analysis),),
    )
