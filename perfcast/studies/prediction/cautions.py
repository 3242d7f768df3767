"""What to know before any number of a report: that it is a first pass, provisional, or mostly noise; and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.runner.protocol import BUDGET, NO_CALM
from perfcast.studies.prediction.trust import trust_counts
from perfcast.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


def cautions(dataset: pd.DataFrame) -> list[str]:
    """Return what a reader must know first, in sentences; nothing where measurements are complete and trusted."""
    return [*_first_pass(dataset), *_noise(dataset), *_unfinished(dataset)]


def _first_pass(dataset: pd.DataFrame) -> Iterator[str]:
    if of := dataset.attrs.get("first_pass_of"):
        yield (
            f"First pass: {dataset['model'].nunique():,} of {of:,} models, each visited only a few times. The other "
            "models are measured next; the final report then replaces this one."
        )


def _noise(dataset: pd.DataFrame) -> Iterator[str]:
    counts = trust_counts(dataset)
    known = sum(counts.values())
    if 2 * counts["trusted"] >= known:
        return
    disturbed, visits = int(dataset["disturbed_visits"].sum()), int(dataset["visits"].sum())
    yield (
        f"Most measurements are noisy: {counts['trusted']:,} of {pluralize(known, 'measurement')} trusted, "
        f"{disturbed:,} of {pluralize(visits, 'visit')} disturbed. The errors below include this noise. Stop other "
        "work on this machine, or take one that is not shared, and measure again into another store "
        "(--config store=results/quiet)."
    )


def _unfinished(dataset: pd.DataFrame) -> Iterator[str]:
    # Datasets of earlier versions do not have it: nothing stopped then.
    stopped = dataset["stopped_by"] if "stopped_by" in dataset else dataset["model"].map(lambda _: None)
    left, total = int((stopped == BUDGET).sum()), pluralize(len(dataset), "measurement")
    if left and not dataset.attrs.get("first_pass_of"):
        yield f"Provisional: the budget ended before {left:,} of {total} were complete. Run again to narrow intervals."
    if given_up := int((stopped == NO_CALM).sum()):
        yield f"This machine did not become calm: disturbed visits of {given_up:,} of {total} were not made up for."
