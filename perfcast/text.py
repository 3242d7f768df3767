"""Text as people read it: lists, counts and numbers in words, and nothing that controls a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Controls command terminals, marks and overrides of direction reorder what surrounds them, and lone surrogates
# cannot be written at all.
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SURROGATES = range(0xD800, 0xE000)
_HIDDEN = dict.fromkeys((*_CONTROLS, *_DIRECTIONS, *_SURROGATES), "\ufffd")


def escape_control(text: Any) -> str:
    """Return ``text`` with each character that could harm where it is shown replaced by `�`.

    Those are control characters, line breaks too, characters that reorder their surroundings and lone surrogates.
    """
    return str(text).translate(_HIDDEN)


def pluralize(count: int, noun: str, plural: str | None = None) -> str:
    """Return `1 model`, `1,016 models`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def format_list(texts: Sequence[str], total: int, joint: str = ", ") -> str:
    """Return ``texts``, the first of a ``total``, as `a, b and 3 more`."""
    more = f" and {total - len(texts):,} more" if total > len(texts) else ""
    return joint.join(texts) + more


def shorten(text: str, most: int) -> str:
    """Return ``text``, cut after ``most`` characters and marked where it is longer."""
    return text if len(text) <= most else f"{text[:most]}…"


def one_line(value: Any, most: int) -> str:
    """Return a value that strangers wrote as one short line; `unknown` for None."""
    return "unknown" if value is None else shorten(escape_control(" ".join(str(value).split())), most)


def last_line(text: str) -> str:
    """Return the last line of a program's output that is not empty, at most 500 characters of it."""
    lines = [line.strip()[:500] for line in text.splitlines() if line.strip()]
    return escape_control(lines[-1]) if lines else "it said nothing"


def format_number(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{float(f'{value:.3g}'):,.10g}"


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as `90`, `90s`, `5m` or `1.5h`.

    Raises:
        ValueError: it is something else.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s?([smh]?)", text)
    if not found:
        what = f"{shorten(escape_control(text), 60)!r} is not a duration"
        raise ValueError(f"{what}; write a number with the unit s, m or h, such as 90s or 5m")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def format_duration(seconds: float) -> str:
    """Return a duration as people say it: `40 s`, `12 min`, `3 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
