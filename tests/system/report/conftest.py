"""The made-up campaigns of the report's unit tests, for tests that open the page in a browser."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

_CAMPAIGNS = Path(__file__).parents[2] / "unit" / "report" / "campaigns.py"


@pytest.fixture(scope="session")
def campaigns() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_campaigns", _CAMPAIGNS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
