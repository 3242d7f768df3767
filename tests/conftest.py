"""What all tests share."""

import os
from pathlib import Path

import pytest

from tests.measured import ABSENT

# Before anything imports TensorFlow: tests run on the CPU, and quietly.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def _locks_of_this_run(tmp_path_factory):
    """Measuring here is alone on the device only among this run's tests: nobody else's campaign is waited for."""
    os.environ["PERFCAST_LOCKS"] = str(tmp_path_factory.mktemp("locks"))
    yield
    del os.environ["PERFCAST_LOCKS"]


def pytest_collection_modifyitems(items):
    for item in items:
        for folder in ("slow", "campaign"):
            if f"/tests/{folder}/" in str(item.path):
                item.add_marker(folder)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """Fail a run in which a test was skipped that should have run here: set PERFCAST_NO_SKIPS.

    Tests on measured data may be skipped where that data is absent: it is not part of the project.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [report for report in reporter.stats.get("skipped", []) if ABSENT not in str(report.longrepr)]
    if os.environ.get("PERFCAST_NO_SKIPS") and skipped and exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line(f"FAILED: {len(skipped)} tests were skipped although PERFCAST_NO_SKIPS is set")
