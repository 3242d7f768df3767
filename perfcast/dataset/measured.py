"""The dataset of measurements that a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perfcast.dataset.build import build_dataset
from perfcast.features.table import features_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.bench.record import MeasurementStore
    from perfcast.export.artifacts import ArtifactStore


def measured_dataset(measurements: MeasurementStore, artifacts: ArtifactStore, keys: Sequence[str]) -> pd.DataFrame:
    """Return the dataset of the measurements with these keys, the models in the order of their first ones.

    Raises:
        DataError: as `perfcast.dataset.build.build_dataset`.
        StoreError: a measurement, its environment or its artifact is absent or damaged.
    """
    records = [measurements.measurement(key) for key in keys]
    environments = {name: measurements.environment(name) for name in sorted({r["environment"] for r in records})}
    descriptors = [artifacts.descriptor(artifact) for artifact in dict.fromkeys(r["artifact"] for r in records)]
    models = pd.DataFrame([{name: each[name] for name in ("model", "source")} for each in descriptors])
    return build_dataset(records, features_table(descriptors), models, environments)
