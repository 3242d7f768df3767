"""The table of features: one row a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.features.definitions import FEATURES, FEATURES_VERSION
from perfcast.features.extract import extract_features

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

_IDENTITY = ("model", "name", "family")


def features_table(descriptors: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return one row a network: `model`, `name`, `family`, `input_size`, then the other features.

    Args:
        descriptors: whole `model.json` files, in the order of the rows.

    Raises:
        DataError: a feature is too large.
    """
    import pandas as pd

    rows = [{key: d[key] for key in _IDENTITY} | extract_features(d) for d in descriptors]
    table = pd.DataFrame(rows, columns=[*_IDENTITY, *(feature.name for feature in FEATURES)])
    table.attrs["features_version"] = FEATURES_VERSION
    return table
