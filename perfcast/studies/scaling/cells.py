"""Measurements of any number, added up combination by combination: what is held at once is bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_CELLS = 20_000
"""Combinations that are kept; beyond, a random share of them is."""
MAX_ROWS = 50_000
"""Single rows that are kept, as many of each combination."""
SUMS = ("count", "time", "log_time", "total", "inputs")
"""What is added up of a combination, besides its number of rows: time in s, its logarithm, total in s, inputs."""
SINGLE = ("time", "total", "inputs")
"""What is kept of a single row."""
_DRAW = "_draw"
_SEED = 0


@dataclass(frozen=True)
class Tally:
    """What is kept of a table.

    Attributes:
        keys: the columns whose values make a combination.
        sums: one row per combination: keys, and `SUMS` over all its rows.
        rows: single rows, a random sample of each combination where there are too many: keys and `SINGLE`.
        seen: how many rows there were.
        share: of the combinations, which are kept.
    """

    keys: tuple[str, ...]
    sums: pd.DataFrame
    rows: pd.DataFrame
    seen: int
    share: float

    @property
    def sampled(self) -> bool:
        """Whether rows or combinations are a sample."""
        return self.share < 1 or len(self.rows) < self.seen


def tally(pieces: Iterable[pd.DataFrame], keys: Sequence[str]) -> Tally:
    """Add up rows: frames with the columns ``keys``, `time`, `total` and `inputs`; every time is above zero."""
    names = list(keys)
    sums = pd.DataFrame(columns=[*names, *SUMS])
    kept_columns = [*names, *SINGLE, _DRAW]
    rows = pd.DataFrame(columns=kept_columns)
    random, share, seen = np.random.default_rng(_SEED), 1.0, 0
    for piece in pieces:
        if not len(piece):
            continue
        seen += len(piece)
        drawn = piece.assign(**{_DRAW: random.random(len(piece))})
        kept = drawn[_hashes(drawn, names) < share] if share < 1 else drawn
        sums = _added([sums, _summed(kept, names)], names)
        rows = _joined(rows, kept[kept_columns])
        while len(sums) > MAX_CELLS:
            share /= 2
            sums, rows = (table[_hashes(table, names) < share] for table in (sums, rows))
        rows = _thinned(rows, names, len(sums))
    return Tally(tuple(keys), sums.reset_index(drop=True), _in_order(rows), seen, share)


def _hashes(table: pd.DataFrame, keys: list[str]) -> np.ndarray:
    """Return a number from 0 to 1 for each row, the same for all rows of a combination."""
    hashed = pd.util.hash_pandas_object(table[keys], index=False).to_numpy()
    return hashed / np.float64(2**64)


def _summed(piece: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    counted = piece.assign(count=1.0, log_time=np.log(piece["time"].to_numpy(float)))
    return _added([counted[[*keys, *SUMS]]], keys)


def _added(tables: Sequence[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    if not filled:
        return tables[0]
    # A sum without any number is NaN: of a table without totals.
    grouped = pd.concat(filled, ignore_index=True).groupby(keys, dropna=False, sort=False)
    return grouped[list(SUMS)].sum(min_count=1).reset_index()


def _joined(rows: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows, more], ignore_index=False) if len(rows) else more


def _thinned(rows: pd.DataFrame, keys: list[str], cells: int) -> pd.DataFrame:
    """Return at most `MAX_ROWS` rows, those of each combination that were drawn first."""
    if len(rows) <= MAX_ROWS:
        return rows
    each = max(1, MAX_ROWS // max(cells, 1))
    return rows.sort_values(_DRAW).groupby(keys, dropna=False, sort=False).head(each)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_index(kind="stable").drop(columns=_DRAW).reset_index(drop=True)


def regrouped(sums: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return combinations by fewer columns."""
    return _added([sums[[*keys, *SUMS]]], list(keys))
