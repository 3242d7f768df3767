"""Environments: in which facts two of them differ, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.runner.protocol import PARTS
from perfcast.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_ABSENT = {"variables": "not set"}
_MAX_LENGTH = 60
_MAX_NAMED = 5


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the facts in which two fingerprints, or two environments, differ.

    Returns:
        the values before and now by name, such as `governor`; None where one does not have it, `not set` of an
        environment variable.
    """
    return {
        name: (before[part].get(name, _ABSENT.get(part)), now[part].get(name, _ABSENT.get(part)))
        for part in PARTS
        for name in sorted({*before[part], *now[part]})
        if before[part].get(name) != now[part].get(name)
    }


def in_words(differences: Mapping[str, tuple[Any, Any]]) -> str:
    """Say what `differing` found, such as `governor was powersave, is performance`."""
    facts = [[one_line(value, _MAX_LENGTH) for value in (name, *values)] for name, values in differences.items()]
    said = [f"{name} was {before}, is {now}" for name, before, now in facts]
    more = [f"and {len(said) - _MAX_NAMED} more"] if len(said) > _MAX_NAMED else []
    return "; ".join(said[:_MAX_NAMED] + more)
