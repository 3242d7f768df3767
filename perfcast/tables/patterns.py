"""Regular expressions in mappings: refused where they may take forever."""

from __future__ import annotations

import re
from re import _parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH = 1000
"""Characters of the longest text that a pattern is applied to."""

_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


def compiled(text: str, key: str) -> re.Pattern[str]:
    """Return a mapping's pattern.

    Args:
        text: as it stands in the mapping.
        key: where.

    Raises:
        UsageError: it is not a regular expression, or repeats what itself repeats or has alternatives: without a match,
            that takes time that doubles with each character.
    """
    try:
        pattern = re.compile(text)
        parsed = _parser.parse(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{key}: is not a regular expression ({error})") from error
    for operation, argument in _operations(parsed):
        if _varies(operation, argument) and any(_branches(*inner) for inner in _operations(argument)):
            raise UsageError(
                f"{key}: repeats a group that repeats or has alternatives itself, such as (a+)+; remove the nesting"
            )
    return pattern


def _operations(part: Any) -> Iterator[tuple[str, Any]]:
    """Yield all operations in a parsed pattern or a piece of it: the name and the arguments of each."""
    if isinstance(part, _parser.SubPattern):
        for operation, argument in part:
            yield str(operation), argument
            yield from _operations(argument)
    elif isinstance(part, tuple | list):
        for piece in part:
            yield from _operations(piece)


def _varies(operation: str, argument: Any) -> bool:
    """Return whether something is repeated, and not always as often."""
    return operation in _REPEATS and argument[0] != argument[1] and argument[1] > 1


def _branches(operation: str, argument: Any) -> bool:
    return operation == "BRANCH" or (operation in _REPEATS and argument[0] != argument[1])
