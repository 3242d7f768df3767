"""Sections that may be impossible: bad input costs a page its section, not the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.errors import PerfcastError
from perfcast.pages.rendering import Section

if TYPE_CHECKING:
    from collections.abc import Callable


def section_or_reason(key: str, title: str, make: Callable[[], Section]) -> Section:
    """Return the section that ``make`` returns, or one that gives the reason why it cannot be computed.

    Args:
        key, title: of the section.
        make: raises a `PerfcastError` (`DataError`, `UsageError`) with one sentence where the data does not allow it.
    """
    try:
        return make()
    except PerfcastError as error:
        return Section(key, title, warnings=(f"This section could not be computed: {str(error).rstrip('.')}.",))
