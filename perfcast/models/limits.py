"""How large a network may be that a catalogue describes: what is larger fits no device and takes hours to build."""

from __future__ import annotations

from perfcast.errors import UsageError

MOST_WEIGHTS = 1_000_000_000
"""Most weights of a network."""

MOST_MACS = 10_000_000_000_000
"""Most multiply-accumulates of one inference."""


def is_too_large(weights: int, macs: int) -> bool:
    """Tell whether a network is larger than catalogues take."""
    return weights > MOST_WEIGHTS or macs > MOST_MACS


def refuse_too_large(name: str, weights: int, macs: int) -> None:
    """Refuse a network that is larger than catalogues take.

    Raises:
        UsageError: it is.
    """
    if is_too_large(weights, macs):
        raise UsageError(
            f"{name} is too large: {weights:.3g} weights and {macs:.3g} multiply-accumulates, "
            f"of at most {MOST_WEIGHTS:.0e} and {MOST_MACS:.0e}"
        )
