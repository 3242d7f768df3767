"""Data and names inside the page, such that no name can become markup or script."""

from __future__ import annotations

import base64
import html
import json
from typing import Any

import numpy as np
from markupsafe import Markup

from perfcast.pages.formatting import escape_control

_STEPS = 65535
_NAME_LENGTH = 60


def embedded_json(value: Any) -> Markup:
    """Return ``value`` as JSON that can stand inside a `<script>` element.

    Raises:
        ValueError: it holds NaN or infinity, which JSON has no word for.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # An HTML parser looks for `</script` and `<!--` before any JSON parser sees the text.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def plot_text(name: Any, length: int = _NAME_LENGTH) -> str:
    """Return ``name`` for a label or hover text of a plot, where plotly would read `<b>` as markup."""
    text = escape_control(name)
    shown = text if len(text) <= length else text[: length - 1] + "…"
    return html.escape(shown, quote=False)


def finite(values: Any, digits: int = 5) -> list[float | None]:
    """Return ``values`` rounded to ``digits`` significant digits, None for values that are not finite numbers."""
    numbers = np.asarray(values, dtype=float)
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in numbers]


def packed(samples: Any) -> dict[str, Any] | None:
    """Return ``samples`` in 16 bits each, relative to their own range; None where there are none.

    A sample takes under 3 characters instead of 8 or more, and is off by at most 1/131,070 of the range.
    """
    values = np.asarray(samples, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    scale = (high - low) or 1.0
    steps = np.rint((values - low) / scale * _STEPS).astype("<u2")
    return {
        "low": float(f"{low:.7g}"),
        "high": float(f"{high:.7g}"),
        "steps": base64.b64encode(steps.tobytes()).decode("ascii"),
    }
