"""Options that choose values of factors, one for each factor of the table."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from perfcast.factors import FACTORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.factors import Factor

_TYPES = {str: click.STRING, int: click.IntRange(min=1), float: click.FloatRange(min=0, min_open=True)}


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
    return click.option(flag, factor.name, type=_TYPES[factor.type], help=help_text)
