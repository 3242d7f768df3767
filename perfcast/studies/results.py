"""The results that studies read: a target's folder, or the dataset in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.dataset.reading import read_dataset
from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

DATASET = "dataset.parquet"


def results_folder(path: Path) -> Path:
    """Return the folder of a target's results, where ``path`` is it or the dataset in it."""
    return path if path.is_dir() else path.parent


def read_results(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """Return the dataset in the file or the folder of results ``path``.

    Raises:
        UsageError: it is missing, not a dataset, or lacks a column of ``required``: one line that names it.
        DataError: a newer version wrote it.
    """
    try:
        file = path / DATASET if path.is_dir() else path
        table = read_dataset(file)
    except FileNotFoundError as error:
        hint = f"name a {DATASET} or the folder of a target's results"
        raise UsageError(f"{file}: there is no such file; {hint}") from error
    # Of the file system, and what its reader raises over files of all kinds.
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise UsageError(f"{path}: not a dataset ({str(error).splitlines()[0][:200]})") from error
    missing = [name for name in required if name not in table]
    if missing:
        raise UsageError(f"{path}: not a dataset of perfcast: it has no column {missing[0]}")
    return table
