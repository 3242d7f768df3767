"""Effects, changes and conditions in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.pages import formatting as fmt
from perfcast.studies.factors.roles import factor_name, level_text
from perfcast.studies.statistics.significance import p_text
from perfcast.tables.units import unit_in_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.studies.factors.builds import Change, Step
    from perfcast.studies.factors.effects import Effect
    from perfcast.studies.factors.roles import Metric, Roles

_PLAIN_WORDS = ("True", "False", "true", "false", "yes", "not set", "none")


def times(ratio: float) -> str:
    """Return a ratio as people read it: `×0.2`."""
    return f"×{fmt.number(ratio)}"


def level_with_unit(factor: str, level: object) -> str:
    """Return a level with the unit of its factor."""
    unit = unit_in_name(factor)
    return f"{level_text(level)}{fmt.SPACE}{unit.symbol}" if unit else level_text(level)


def compared(effect: Effect) -> str:
    """Return what an effect compares: `Threads from 1 to 5`, and in which network."""
    pair = f"from {level_text(effect.low)} to {level_with_unit(effect.factor, effect.high)}"
    return f"{factor_name(effect.factor)} {pair}" + (f" in {effect.within}" if effect.within else "")


def interval(effect: Effect) -> str:
    """Return the 95% interval of an effect."""
    return f"95%: {fmt.span(effect.ratio_low, effect.ratio_high)}"


def effect_sentence(effect: Effect, metric: Metric) -> str:
    """Return an effect as a sentence with its number, interval and test."""
    how = f"{metric.name} {times(effect.ratio)} with {compared(effect)}"
    if not math.isfinite(effect.p_value):
        return f"{how}; nothing is left to say how sure that is"
    doubt = "" if effect.is_significant else "; no effect beyond chance"
    return f"{how} ({interval(effect)}, {p_text(effect.p_value)}; unadjusted {times(effect.raw_ratio)}){doubt}"


def change_sentence(change: Change, metric: Metric, roles: Roles) -> str:
    """Return a change over the builds as a sentence."""
    build = factor_name(roles.build)
    who = f" of {level_text(change.network)}" if roles.network else ""
    where = f"{build} {level_text(change.builds[0])}"
    if change.low != change.high:
        where += f" (95%: {level_text(change.low)} to {level_text(change.high)})"
    along = f"; at the same build {change.along}, so that the two cannot be told apart" if change.along else ""
    return f"{metric.name}{who} {times(change.ratio)} from {where} on ({p_text(change.p_value)}){along}"


def step_sentence(step: Step, metric: Metric, roles: Roles) -> str:
    """Return one build against the one before as a sentence."""
    who = f" of {level_text(step.network)}" if roles.network else ""
    pair = f"{factor_name(roles.build)} {level_text(step.before)} to {level_text(step.after)}"
    return f"{metric.name}{who} {times(step.ratio)} from {pair} (95%: {fmt.span(step.low, step.high)})"


def condition_text(levels: Mapping[str, object], skip: tuple[str, ...] = ()) -> str:
    """Return a condition: `Device_0, 1000 MHz, Threads 5`: levels that are names stand for themselves."""
    parts = []
    for name, level in levels.items():
        if name in skip:
            continue
        shown = level_with_unit(name, level)
        parts.append(shown if _stands_alone(level) else f"{factor_name(name)} {shown}")
    return ", ".join(parts)


def _stands_alone(level: object) -> bool:
    """Return whether a level says what it is of: a name does, `Y`, `True` and `2.21.0` do not."""
    return isinstance(level, str) and len(level) > 2 and level[0].isalpha() and level not in _PLAIN_WORDS
