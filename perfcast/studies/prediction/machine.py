"""What the machine did along the campaign, in sentences: drift, throttling, swapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.pages import formatting as fmt
from perfcast.studies.prediction.drift import MIN_SPAN_S, MIN_VISITS, trend
from perfcast.studies.statistics.significance import p_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from perfcast.studies.prediction.drift import Trend


@dataclass(frozen=True)
class DriftView:
    """Whether the machine drifted.

    Attributes:
        sentence: the answer.
        drifted: whether it is one to be warned of.
        short: the same for one line among others.
    """

    sentence: str
    drifted: bool
    short: str


def drift_view(visits: pd.DataFrame) -> DriftView:
    """Say whether the calibration workload's time has a trend over the visits (of `series.visit_table`)."""
    found = _trend(visits, "calibration_ms")
    if found is None:
        text = f"Drift of the machine is unknown: fewer than {MIN_VISITS} visits, or all within {MIN_SPAN_S} s."
        return DriftView(text, False, "drift unknown")
    size, chance = fmt.percent(abs(found.percent)), f"Mann and Kendall's test, {p_text(found.p_value)}"
    slower = "slower" if found.percent > 0 else "faster"
    if not found.is_sure:
        return DriftView(
            f"The machine did not drift: no trend of the calibration workload ({chance}).", False, "no drift"
        )
    if not found.is_drift:
        text = f"The calibration workload became {size} {slower} over the campaign ({chance}): too little to matter."
        return DriftView(text, False, "no drift")
    text = (
        f"The machine drifted: the calibration workload became {size} {slower} from the first visit to the last "
        f"({chance}). Models measured at different times compare only to within that."
    )
    return DriftView(text, True, f"the machine became {size} {slower}")


def machine_notes(dataset: pd.DataFrame, visits: pd.DataFrame) -> tuple[str, ...]:
    """Return what is known of temperature, clock, throttling and swapping along the campaign."""
    return (
        *_state_note(visits, "temperature_c", "temperature", "°C"),
        *_state_note(visits, "cpu_mhz", "clock", "MHz"),
        *_others_note(dataset),
        _throttling_note(dataset),
        *_swap_note(dataset),
    )


def _state_note(visits: pd.DataFrame, column: str, name: str, unit: str) -> Iterator[str]:
    known = visits[column].dropna()
    if not len(known):
        yield f"The platform does not report its {name}."
        return
    reach = f"The median {name} was {fmt.number(known.median())}{fmt.SPACE}{unit}"
    reach += f", from {fmt.number(known.min())} to {fmt.number(known.max())}"
    found = _trend(visits, column)
    if found is None or not found.is_sure:
        yield f"{reach}, without a trend."
    else:
        direction = "rose" if found.change > 0 else "fell"
        yield f"{reach}; it {direction} by {fmt.number(abs(found.change))}{fmt.SPACE}{unit} over the campaign."


def _others_note(dataset: pd.DataFrame) -> Iterator[str]:
    known = dataset["others_cpus"].dropna()
    if len(known):
        most = fmt.number(known.max())
        yield f"Other processes used {fmt.number(known.median())} CPUs (median over the measurements), {most} at most."


def _throttling_note(dataset: pd.DataFrame) -> str:
    known = dataset["throttled"].dropna()
    if not len(known):
        return "The platform does not report throttling."
    count = int(known.sum())
    if not count:
        return "The processor was not throttled."
    share = f"{count:,} of {fmt.pluralize(len(known), 'measurement')}"
    return f"The processor was throttled between the first and the last visit of {share}: their latencies include it."


def _swap_note(dataset: pd.DataFrame) -> Iterator[str]:
    swapped = dataset["swapped_pages"].fillna(0)
    if (swapped > 0).any():
        yield (
            f"Memory was swapped during visits of {fmt.pluralize(int((swapped > 0).sum()), 'measurement')}: "
            "these visits do not count, unless there are no others."
        )


def _trend(visits: pd.DataFrame, column: str) -> Trend | None:
    if not len(visits):
        return None
    seconds = (visits["at"] - visits["at"].min()).dt.total_seconds().to_numpy()
    return trend(np.asarray(seconds, float), visits[column].to_numpy(dtype=float))
