"""The table of features: one row a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import DataError
from perfcast.features.definitions import FEATURES
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
        DataError: two of them describe a model of the same name, or a feature is too large.
    """
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for descriptor in descriptors:
        model = descriptor["model"]
        if model in rows:
            raise DataError(f"two descriptors are of the model {str(model)[:80]!r}; features need names that differ")
        rows[model] = {key: descriptor[key] for key in _IDENTITY} | extract_features(descriptor)
    columns = [*_IDENTITY, *(feature.name for feature in FEATURES)]
    return pd.DataFrame(list(rows.values()), columns=columns)
