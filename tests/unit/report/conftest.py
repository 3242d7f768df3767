"""Fixtures of the report's tests."""

from __future__ import annotations

import pytest
from campaigns import HOSTILE, Campaign, make_campaign, rename_models


@pytest.fixture(scope="session")
def campaign() -> Campaign:
    return make_campaign()


@pytest.fixture(scope="session")
def hostile(campaign: Campaign) -> Campaign:
    return rename_models(campaign, HOSTILE)
