"""Measured data from elsewhere: never part of the project, read where it lies beside it."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("PERFCAST_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
ABSENT = "the measured data is not at"


def needs(folder: Path):
    """Return a mark that skips a test where ``folder`` is absent, and says so."""
    return pytest.mark.skipif(not folder.exists(), reason=f"{ABSENT} {folder}")
