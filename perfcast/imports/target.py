"""A target that was measured elsewhere: its tables, and how to read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.config import check, read_mapping

if TYPE_CHECKING:
    from pathlib import Path


def is_imported(path: Path) -> bool:
    """Return whether the description of a target in a file names tables, rather than a device.

    Raises:
        UsageError: the file is absent or no mapping.
    """
    return "tables" in read_mapping(path)


def read_imported(path: Path) -> dict[str, Any]:
    """Return the description of an imported target, checked.

    Raises:
        UsageError: the file is absent or wrong: one line that names it and the key.
    """
    description = read_mapping(path)
    check(description, "imported", str(path))
    return description
