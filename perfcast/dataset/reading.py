"""Reading datasets from files, those of earlier versions too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perfcast.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 3
_RENAMED = {
    "verdict": "status",
    "context": "environment",
    "conditions": "fingerprint",
    "optimised": "graph_optimizations",
    "inferences": "runs",
    "ram_inference_peak_mb": "ram_run_peak_mb",
    "reference_ms": "calibration_ms",
    "visit_reference_ms": "visit_calibration_ms",
}
"""Columns of version 2, by what version 3 calls them."""


def read_dataset(path: Path) -> pd.DataFrame:
    """Return a dataset of this or an earlier version, under the column names of this one.

    Raises:
        OSError, ValueError, TypeError, NotImplementedError: the file is missing or not Parquet.
        DataError: a newer version wrote it.
    """
    table = pd.read_parquet(path)
    version = table.attrs.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DataError(f"{path}: written by a newer perfcast (dataset version {version}); update perfcast to read it")
    return migrated(table)


def migrated(table: pd.DataFrame) -> pd.DataFrame:
    """Return a dataset with the column names of this version; tables without a version are returned unchanged."""
    if table.attrs.get("schema_version") != 2:
        return table
    renamed = table.rename(columns=_RENAMED)
    floors = table.attrs.get("noise_floor") or {}
    attrs = {"noise_floor": {_RENAMED.get(name, name): floor for name, floor in floors.items()}}
    renamed.attrs = table.attrs | attrs | {"schema_version": SCHEMA_VERSION}
    return renamed
