"""Models under several factors: what distinguishes their measurements, and their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.factors import ASKED, varying
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def varied_factors(*tables: pd.DataFrame) -> tuple[str, ...]:
    """Return the factors that a target can vary and that take several values within one of the ``tables``.

    Those that one of the tables has no column of are missing.
    """
    found = {name for table in tables for name in varying(table)}
    return tuple(factor.name for factor in ASKED if factor.name in found and all(factor.name in t for t in tables))


def counted(*tables: pd.DataFrame) -> str:
    """Return what a row is: a `model`, or a `measurement` of one where factors vary."""
    return "measurement" if varied_factors(*tables) else "model"


def labels(table: pd.DataFrame, factors: Sequence[str]) -> pd.Series:
    """Return a name for each row of a table: its model, and its values of ``factors`` where there are any."""
    found = table["model"].map(escape_control).astype(str)
    for name in factors:
        found = found + " · " + name.replace("_", " ") + " " + table[name].map(escape_control).astype(str)
    return found
