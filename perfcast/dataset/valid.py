"""Which rows of a dataset are valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def measured_rows(dataset: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose status is `measured`.

    A table from elsewhere may lack the column: all its rows then count as measured.
    """
    return dataset[dataset["status"] == "measured"] if "status" in dataset else dataset


def valid_rows(dataset: pd.DataFrame) -> pd.DataFrame:
    """Return the measured rows but those whose trust is `rejected`; all of them in a table without that column."""
    rows = measured_rows(dataset)
    return rows[rows["trust"] != "rejected"] if "trust" in rows else rows


def replicates_of(rows: pd.DataFrame) -> np.ndarray:
    """Return the replicate of each row; 0 where the table does not say."""
    return rows["replicate"].to_numpy() if "replicate" in rows else np.zeros(len(rows), dtype=int)
