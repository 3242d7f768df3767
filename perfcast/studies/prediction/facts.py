"""A target's fixed settings, for a page's head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.factors import NAMES
from perfcast.pages import formatting as fmt

if TYPE_CHECKING:
    from perfcast.studies.prediction.inputs import ReportData

_FACTS = {"clock_mhz": "clock, MHz", "weights_as": "weights as"}
_MANIFEST = ("created_at", "perfcast_version", "training_digest")
_DIGEST = 12


def facts(data: ReportData) -> list[tuple[str, str]]:
    """Return the target's fixed settings as (name, value); a factor that varies lists its values."""
    found = []
    for name in NAMES:
        values = data.dataset[name].dropna().unique() if name in data.dataset else ()
        if len(values):
            found.append((_FACTS.get(name, name.replace("_", " ")), ", ".join(map(_fact, sorted(values)))))
    if data.manifest:
        known = {name: str(data.manifest.get(name) or fmt.MISSING) for name in _MANIFEST}
        found.append(("predictor made", known["created_at"].replace("T", " ").replace("+00:00", " UTC")))
        found.append(("by perfcast", known["perfcast_version"]))
        found.append(("trained on data with digest", known["training_digest"][:_DIGEST]))
    return found


def _fact(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
