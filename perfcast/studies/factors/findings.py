"""What follows from test results, in sentences: the answer, cautions, and what to do next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.pages import formatting as fmt
from perfcast.studies.factors.aliases import never_together
from perfcast.studies.factors.description import suspected_units
from perfcast.studies.factors.roles import PERFORMANCE, factor_name
from perfcast.studies.factors.wording import (
    change_sentence,
    compared,
    condition_text,
    effect_sentence,
    step_sentence,
    times,
)
from perfcast.studies.statistics.significance import p_text, ratio_of
from perfcast.tables.problems import kinds
from perfcast.text import escape_control, format_list

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.studies.factors.analysis import Analysis, MetricAnalysis
    from perfcast.studies.factors.effects import Effect, Model

_SHOWN_EFFECTS = 3
_SHOWN = 6
_LARGE_INFLATION = math.sqrt(10)


def lead(analysis: Analysis) -> str:
    """Return the main answer: what drives each metric most."""
    parts = []
    for each in _measured(analysis):
        strongest = _strongest(each)
        if strongest:
            parts.append(f"{each.metric.name} {times(strongest.ratio)} with {compared(strongest)}")
    if not parts:
        return "Too little was tested to say what drives the results."
    return f"The largest effects, with the other factors as they are: {'; '.join(parts)}."


def _strongest(each: MetricAnalysis) -> Effect | None:
    """Return the effect with the largest share, of those beyond chance."""
    effects = each.model.headlines if each.model else ()
    return next((effect for effect in effects if effect.is_significant), None)


def answers(analysis: Analysis) -> list[str]:
    """Return what drives the metrics, which builds changed what, and what is best."""
    lines = []
    for each in _measured(analysis):
        if each.model is None:
            lines.append(f"{each.metric.name}: fewer than three conditions, or no factor varied: nothing to compare")
            continue
        chosen = [effect for effect in each.model.headlines if effect.is_significant]
        lines += [effect_sentence(effect, each.metric) + _doubt(analysis, effect) for effect in chosen[:_SHOWN_EFFECTS]]
        if not chosen:
            lines.append(f"{each.metric.name}: no factor has an effect beyond chance")
    for each in analysis.metrics:
        lines += [change_sentence(change, each.metric, analysis.results.roles) for change in each.changes[:_SHOWN]]
    return [*lines, *best_conditions(analysis)]


def _doubt(analysis: Analysis, effect: Effect) -> str:
    alias = analysis.alias_of(effect.factor)
    return f"; confounded with {_names(alias.by)}" if alias else ""


def _measured(analysis: Analysis) -> list[MetricAnalysis]:
    """Return the parts of what was measured: performance follows from these."""
    return [each for each in analysis.metrics if each.metric != PERFORMANCE]


def best_conditions(analysis: Analysis) -> list[str]:
    """Return the condition with the best product of time and memory, and how many nothing beats."""
    roles, table = analysis.results.roles, analysis.trade
    time, memory = roles.first("time"), roles.first("memory")
    if table is None or time is None or memory is None:
        return []
    best = table.loc[(table[time.column] * table[memory.column]).idxmin()]
    where = condition_text({name: best[name] for name in roles.factors})
    count = int(table["front"].sum())
    front = f"{fmt.pluralize(count, 'condition')} of {len(table):,} {'is' if count == 1 else 'are'}"
    return [
        f"smallest product of time and memory: {where} ({time.text(best[time.column])}, "
        f"{memory.text(best[memory.column])})",
        f"{front} beaten by none in both {time.name} and {memory.name} (the Pareto front)",
    ]


def cautions(analysis: Analysis) -> list[str]:
    """Return what must not be overlooked: factors that cannot be told apart, doubtful rows and columns."""
    lines = [
        f"{factor_name(alias.factor)} is a property of the network: its effect is that of networks"
        if alias.is_attribute
        else f"{factor_name(alias.factor)} is confounded with {_names(alias.by)}: {alias.words}"
        for alias in analysis.aliases
    ]
    for each in _measured(analysis):
        if each.model is not None:
            out = each.model.left_out.items()
            lines += [f"{each.metric.name}: {factor_name(name)} is not in the model: {why}" for name, why in out]
            lines += [*_contradictions(each, analysis), *_reversed(each)]
    lines += [
        f"{factor_name(name)} goes so far together with other factors that its interval is {fmt.number(inflation)} "
        "times as wide as in a balanced test"
        for name, inflation in analysis.overlaps.items()
        if _LARGE_INFLATION < inflation < math.inf
    ]
    return [*lines, *_without_values(analysis), *suspected_units(analysis.results)]


def _names(names: tuple[str, ...]) -> str:
    return " and ".join(map(factor_name, names))


def _without_values(analysis: Analysis) -> list[str]:
    usable = {each.metric for each in analysis.metrics}
    missing = [metric for metric in analysis.results.roles.metrics if metric not in usable]
    return [f"{metric.name} has no value that can be used: not analysed" for metric in missing]


def _contradictions(each: MetricAnalysis, analysis: Analysis) -> list[str]:
    if each.model is None:
        return []
    roles = analysis.results.roles
    return [
        f"{each.metric.name} is {times(off)} what all other results imply at {condition_text(row)}"
        f"{_ids(analysis, row)}: not in the model (--keep-outliers keeps it)"
        for (_, row), off in zip(
            each.model.contradicting[list(roles.factors)].iterrows(), each.model.off_by, strict=True
        )
    ]


def _ids(analysis: Analysis, levels: pd.Series) -> str:
    """Return the ids of the rows of a condition, where rows have ids."""
    roles, rows = analysis.results.roles, analysis.results.rows
    if not roles.id:
        return ""
    chosen = rows
    for name in roles.factors:
        chosen = chosen[chosen[name] == levels[name]]
    ids = [escape_control(value) for value in chosen[roles.id]]
    return f" ({escape_control(roles.id)} {format_list(ids[:_SHOWN], len(ids))})" if ids else ""


def _reversed(each: MetricAnalysis) -> list[str]:
    effects = each.model.effects if each.model else ()
    return [
        f"{each.metric.name} and {factor_name(effect.factor)}: unadjusted {times(effect.raw_ratio)}, but "
        f"{times(effect.ratio)} with the other factors as they are"
        for effect in effects
        if effect.is_significant and effect.reverses and not effect.within
    ]


def basis(model: Model, name: str) -> list[str]:
    """Return what a metric's model is and where its intervals come from."""
    terms = ", ".join(term.label for term in model.terms)
    lines = [
        f"log({name}) on {terms}: explains {fmt.percent(100 * model.fit.explained)} of the variance between conditions"
    ]
    if model.fit.left:
        off = fmt.percent(100 * (ratio_of(math.sqrt(model.fit.variance)) - 1), 2)
        lines.append(f"conditions are off it by {off} (one standard deviation, {model.fit.left} degrees of freedom)")
    else:
        lines.append("there are no more conditions than coefficients: intervals are of replicates alone, or unknown")
    if model.runs is not None:
        between = fmt.percent(100 * (ratio_of(math.sqrt(model.runs.variance)) - 1), 2)
        lines.append(f"runs of one condition differ by {between} ({model.runs.dof} degrees of freedom)")
    if model.clusters != "condition":
        lines.append(f"intervals allow all conditions of one {factor_name(model.clusters)} to be off together")
    return lines


def significance(analysis: Analysis) -> list[str]:
    """Return where the significance of build against build comes from, and which steps have any."""
    roles, lines = analysis.results.roles, []
    if not roles.build:
        return ["No column says which build ran (--build names it)."]
    for each in analysis.metrics:
        if not each.steps or each.model is None:
            continue
        if each.model.runs is None:
            lines.append(
                f"{each.metric.name}: no condition was run twice, so that the significance of a regression cannot be "
                "given. The p-values below take the model's residual variance for that between runs: they hold only "
                "if the model is right"
            )
        found = [step for step in each.steps if step.p_value < 0.05]
        shown = [f"{step_sentence(step, each.metric, roles)}, {p_text(step.p_value)}" for step in found[:_SHOWN]]
        lines.append(
            f"{each.metric.name}: {len(found)} of {fmt.pluralize(len(each.steps), 'step')} from one build to the next "
            f"{'is' if len(found) == 1 else 'are'} significant over all steps together"
            + (f": {format_list(shown, len(found), '; ')}" if shown else "")
        )
    return lines


def untested(analysis: Analysis) -> list[str]:
    """Return how much was tested of all that could be."""
    cover = analysis.coverage
    lines = [
        f"{cover.tested:,} of {cover.possible:,} combinations of {_listed(cover.factors)} were tested "
        f"({fmt.percent(100 * cover.tested / max(cover.possible, 1), 2)})"
    ]
    names = [name for name in cover.factors if name != analysis.results.roles.build]
    for one, other, missing in never_together(analysis.results.conditions, analysis.results.roles, names)[:_SHOWN]:
        shown = format_list(missing[:4], len(missing))
        lines.append(f"never tested together, {factor_name(one)} and {factor_name(other)}: {shown}")
    if cover.gaps:
        lines.append(
            f"the {len(cover.gaps)} combinations that tell most bring the uncertainty of a prediction for any "
            f"combination from {fmt.number(cover.uncertainty_before)} to {fmt.number(cover.uncertainty_after)} times "
            "that of one run, in a model with all two-way interactions"
        )
    return lines


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(factor_name, names))


def actions(analysis: Analysis) -> list[str]:
    """Return what to do next."""
    gaps, lines = analysis.coverage.gaps, []
    if gaps:
        lines.append(
            f"test {condition_text(gaps[0].levels)} (tells most about {gaps[0].tells}; {len(gaps)} are listed)"
        )
    for alias in analysis.aliases:
        if not alias.is_attribute:
            where = f"within {_names(alias.by)}"
            lines.append(f"vary {factor_name(alias.factor)} {where}: only that separates their effects")
    if all(each.model is None or each.model.runs is None for each in analysis.metrics):
        lines.append("run some conditions twice, on different days: without that, no regression can be called one")
    for each in _measured(analysis):
        if each.model is not None and len(each.model.contradicting):
            count = fmt.pluralize(len(each.model.contradicting), "condition")
            lines.append(f"repeat the {count} whose {each.metric.name} contradicts all others")
    return lines


def problem_lines(analysis: Analysis) -> list[str]:
    """Return what is wrong with rows, by kind, with the first rows of each."""
    results = analysis.results
    found = list(kinds(results.problems, several=True))
    if results.problem_count > len(results.problems):
        found.append(f"{results.problem_count - len(results.problems):,} more rows like these")
    return found
