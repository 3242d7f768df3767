"""What all tests share."""

import os
from pathlib import Path

import pytest

# Before anything imports TensorFlow: tests run on the CPU, and quietly.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def pytest_collection_modifyitems(items):
    for item in items:
        if "/tests/slow/" in str(item.path):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """Fail a run in which a test was skipped, where nothing may be: set PERFCAST_NO_SKIPS."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("PERFCAST_NO_SKIPS") and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line("FAILED: tests were skipped although PERFCAST_NO_SKIPS is set")
