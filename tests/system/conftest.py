"""Campaigns that ran to their end once, for all modules that need one, whichever worker runs them."""

from __future__ import annotations

import fcntl
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.system.small_campaign import UNDISTURBED, SmallCampaign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first worker to ask for it makes; the others wait."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = folder.with_suffix(".complete")
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder


@pytest.fixture(scope="session")
def finished(shared, root) -> SmallCampaign:
    """A small campaign that ran to its end, undisturbed: look at it, but change only a copy."""

    def make(folder: Path) -> None:
        campaign = SmallCampaign(folder, root)
        campaign.prepare(**UNDISTURBED)
        answer = campaign.run()
        assert answer.code == 0, answer.said

    return SmallCampaign(made_once(shared / "finished", make), root)


@pytest.fixture
def campaign(finished, tmp_path) -> SmallCampaign:
    """That campaign once more, to go on with."""
    return SmallCampaign(shutil.copytree(finished.folder, tmp_path / "campaign"), finished.tree)
