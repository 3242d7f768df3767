"""A campaign's budget: the share of each shard, and which shards Snakemake has to measure further."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import StoreError
from perfcast.storage import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

Effort = dict[str, Any]
"""A parameter of a job that measures: `of` (digest of what is measured), `run` (how many runs were before it) and
`budget_s`. It changes, and so the job runs again, for as long as a budget ends before the protocol does."""


def shares(budget_s: float | None, counts: Sequence[int]) -> list[float | None]:
    """Return each shard's part of a budget, in proportion to its number of models."""
    total = max(1, sum(counts))
    return [None if budget_s is None else budget_s * count / total for count in counts]


def effort(progress: str, of: str, budget_s: float | None) -> Effort:
    """Return how a shard is to be measured now: as it was where that is complete, else once more.

    Args:
        progress: the shard's file that `note` writes.
        of: digest of all that is measured.
        budget_s: the shard's, None for as long as the protocol takes.
    """
    now = {"of": of, "run": 0, "budget_s": budget_s}
    with contextlib.suppress(StoreError, KeyError, TypeError):  # Absent or damaged: the store knows what is measured.
        made = read_json(Path(progress))
        before: Effort = made["effort"]
        if before["of"] == of:
            # In the same order: Snakemake compares parameters as they are written.
            return {name: before[name] for name in now} if made["complete"] else now | {"run": before["run"] + 1}
    return now


def note(progress: str, made: Effort, *, complete: bool) -> None:
    """Write how a shard was measured, and whether that completed it.

    Raises:
        StoreError: the file cannot be written.
    """
    write_json(Path(progress), {"effort": made, "complete": complete})
