"""Options that choose values of factors, one for each factor of the table."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from perfcast.factors import FACTORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.factors import Factor

_TYPES = {str: click.STRING, float: click.FloatRange(min=0, min_open=True)}


def factor_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each factor; it gets the chosen values as its argument ``factors``, by name."""

    @functools.wraps(command)
    def gathered(*arguments: Any, **values: Any) -> None:
        chosen = {factor.name: values.pop(factor.name) for factor in FACTORS}
        command(*arguments, factors={name: value for name, value in chosen.items() if value is not None}, **values)

    for factor in reversed(FACTORS):
        gathered = _option(factor)(gathered)
    return gathered


def _option(factor: Factor) -> Callable[..., Any]:
    flag = "--" + factor.name.replace("_", "-")
    help_text = f"Value of this factor. {factor.description}"
    if factor.type is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", factor.name, default=None, help=help_text)
    least = (factor.schema or {}).get("minimum", 1)
    kind = click.IntRange(min=least) if factor.type is int else _TYPES[factor.type]
    return click.option(flag, factor.name, type=kind, help=help_text)
