"""The tables of test results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.pages import Row, Table, number_cell, text_row
from perfcast.pages import formatting as fmt
from perfcast.pages.tables import Cell, numbers, texts
from perfcast.studies.factors.builds import ALPHA
from perfcast.studies.factors.description import STATISTICS, describe, levels_of
from perfcast.studies.factors.roles import factor_name, level_text
from perfcast.studies.factors.wording import compared, level_with_unit, times
from perfcast.studies.statistics.significance import p_number
from perfcast.text import escape_control

if TYPE_CHECKING:
    from perfcast.studies.factors.analysis import Analysis

_MAX_ROWS = 200
_DIGITS = 9
"""As many as the statistics of published results have."""


def statistics(analysis: Analysis) -> Table:
    """Return count, mean, standard deviation and quartiles of each column of numbers."""
    found = describe(analysis.results)
    rows = tuple(
        Row((Cell(escape_control(name)), *(Cell(f"{found.loc[each, name]:,.{_DIGITS}g}") for each in STATISTICS)))
        for name in found
    )
    return Table("Statistics", (*texts("Column"), *numbers(*STATISTICS)), rows)


def levels(analysis: Analysis) -> Table:
    """Return the levels of each factor."""
    rows = (text_row(factor_name(name), str(count), shown) for name, count, shown in levels_of(analysis.results))
    columns = (*texts("Factor"), *numbers("Levels"), *texts("Which", wide=True))
    return Table("Factors and their levels", columns, tuple(rows), empty="No factor varied.")


def problems(analysis: Analysis) -> Table:
    """Return what is wrong with rows, one line each."""
    found = analysis.results.problems
    rows = tuple(
        text_row(*(escape_control(each) for each in line)) for line in found.head(_MAX_ROWS).itertuples(index=False)
    )
    more = f" (the first {_MAX_ROWS} of {analysis.results.problem_count:,})" if len(found) > _MAX_ROWS else ""
    columns = (*texts("Table", wide=True), *numbers("Row"), *texts("Column", "Value", "Problem", "Done"))
    return Table(f"Rows that could not be used as they are{more}", columns, rows, empty="There are none.")


def effects(analysis: Analysis) -> Table:
    """Return the effects of all factors on all metrics."""
    rows = [
        Row(
            (
                Cell(each.metric.name),
                Cell(compared(effect)),
                Cell(times(effect.ratio), strong=effect.is_significant),
                Cell(fmt.span(effect.ratio_low, effect.ratio_high)),
                Cell(p_number(effect.p_value)),
                Cell(times(effect.raw_ratio)),
                Cell(fmt.percent(100 * each.model.shares[effect.factor]) if not effect.within else ""),
                Cell(_with(analysis, effect.factor)),
            ),
            "warn" if analysis.alias_of(effect.factor) else "" if effect.is_significant else "muted",
        )
        for each in analysis.metrics
        if each.model is not None
        for effect in each.model.effects
    ]
    columns = (
        *texts("Metric", "Factor"),
        *numbers("Ratio", "95 % interval", "p", "Unadjusted", "Share of variance"),
        *texts("Confounded with"),
    )
    return Table("Effects with the other factors as they are", columns, tuple(rows), empty="Nothing can be compared.")


def _with(analysis: Analysis, factor: str) -> str:
    alias = analysis.alias_of(factor)
    return " and ".join(map(factor_name, alias.by)) if alias else ""


def overlap(analysis: Analysis) -> Table:
    """Return how far each factor goes together with the others."""
    rows = tuple(
        text_row(factor_name(name), fmt.number(size) if size < math.inf else "not its own", _with(analysis, name))
        for name, size in analysis.overlaps.items()
    )
    columns = (*texts("Factor"), *numbers("Interval, times as wide as in a balanced test"), *texts("Determined by"))
    return Table("How far factors go together", columns, rows, empty="No factor varied.")


def changes(analysis: Analysis) -> Table:
    """Return the change points over the builds."""
    rows = [
        text_row(
            each.metric.name,
            level_text(change.network),
            level_text(change.builds[0]),
            f"{level_text(change.low)} – {level_text(change.high)}",
            times(change.ratio),
            p_number(change.p_value),
            change.along,
            mark="warn" if change.along else "",
        )
        for each in analysis.metrics
        for change in each.changes
    ]
    columns = (*texts("Metric", "Network"), *numbers("From build", "95 % interval", "Ratio", "p"), *texts("With it"))
    return Table(
        "Builds that changed something", columns, tuple(rows), empty="No build changed anything beyond chance."
    )


def steps(analysis: Analysis) -> Table:
    """Return each build against the one before, those that are significant first."""
    found = [(each.metric.name, step) for each in analysis.metrics for step in each.steps]
    found.sort(key=lambda pair: pair[1].p_value if pair[1].p_value == pair[1].p_value else 2.0)
    rows = tuple(
        text_row(
            name,
            level_text(step.network),
            f"{level_text(step.before)} to {level_text(step.after)}",
            times(step.ratio),
            fmt.span(step.low, step.high),
            p_number(step.p_value),
            "replicates" if step.by_replicates else "the model",
            mark="warn" if step.p_value < ALPHA and step.ratio > 1 else "",
        )
        for name, step in found[:_MAX_ROWS]
    )
    columns = (
        *texts("Metric", "Network", "Builds"),
        *numbers("Ratio", "95 % interval", "p of all steps"),
        *texts("Variance between runs from"),
    )
    return Table("Each build against the one before", columns, rows, empty="No two builds were tested alike.")


def front(analysis: Analysis) -> Table:
    """Return the conditions that no other of the same network beats in both time and memory."""
    roles, table = analysis.results.roles, analysis.trade
    time, memory = roles.first("time"), roles.first("memory")
    columns = (*texts(*map(factor_name, roles.factors)), *numbers(*(each.label for each in (time, memory) if each)))
    caption = "Conditions that nothing beats in both, of all (bold) and of the same network"
    if table is None or time is None or memory is None:
        return Table(caption, columns, (), empty="There is no condition with both a time and a memory.")
    chosen = table[table["front_of_network"]].sort_values(["front", time.column], ascending=[False, True])
    rows = tuple(
        Row(
            (
                *(Cell(level_with_unit(name, row[name]), strong=bool(row["front"])) for name in roles.factors),
                number_cell(row[time.column]),
                number_cell(row[memory.column]),
            )
        )
        for _, row in chosen.head(_MAX_ROWS).iterrows()
    )
    return Table(caption, columns, rows)


def gaps(analysis: Analysis) -> Table:
    """Return the combinations to test next."""
    cover = analysis.coverage
    rows = tuple(
        text_row(
            str(number),
            *(level_with_unit(name, gap.levels[name]) for name in cover.factors),
            fmt.number(gap.bits),
            gap.tells,
        )
        for number, gap in enumerate(cover.gaps, 1)
    )
    columns = (
        *numbers("Order"),
        *texts(*map(factor_name, cover.factors)),
        *numbers("Bits"),
        *texts("Tells most about"),
    )
    considered = f" (of {cover.considered:,} considered)" if cover.considered else ""
    caption = f"Untested combinations that would tell most{considered}"
    return Table(caption, columns, rows, empty="All combinations were tested, or none was asked for.")
