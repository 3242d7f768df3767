"""What all tests share: markers, what parallel workers take, and the rule that nothing is skipped in CI."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.measured import ABSENT

# Before anything imports TensorFlow: tests run on the CPU, and quietly.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# `make test-slow` asks for the thorough profile.
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=400, deadline=None)
settings.load_profile("quick")

ROOT = Path(__file__).resolve().parents[1]
FOLDER_MARKS = ("system", "slow", "campaign")
ONE_WORKER = ("tests/unit/fit/",)
ALONE = ROOT / "tests/unit/runner"
"""Where `make test` looks for tests to run alone: to collect all others takes longer than half of these."""


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def pytest_configure(config):
    """Have every worker measure under locks of its own: nobody else's campaign is waited for.

    Tests whose timings matter are marked `alone` instead, and run when no other test does.
    """
    folder = tempfile.mkdtemp(prefix="perfcast-locks-")
    os.environ["PERFCAST_LOCKS"] = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(items):
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if folder in FOLDER_MARKS:
            item.add_marker(folder)
        if getattr(item.obj, "is_hypothesis_test", False):
            item.add_marker("examples")
        marks = {mark.name for mark in item.iter_markers()}
        if "alone" in marks and "slow" not in marks and ALONE not in item.path.parents:
            raise pytest.UsageError(f"{item.nodeid} is to run alone: move it to {ALONE}, or mark it slow")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Have one worker run all tests of a module, or of a folder whose modules share what takes long to make.

    (`--dist loadgroup` does not see the groups of marks under pytest 9.)
    """
    from xdist.scheduler import LoadFileScheduling

    class OneWorker(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return next((folder for folder in ONE_WORKER if file.startswith(folder)), file)

    return OneWorker(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """Fail a run in which a test was skipped that should have run here: set PERFCAST_NO_SKIPS.

    Tests on measured data may be skipped where that data is absent: it is not part of the project.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # A parallel worker: the run that started it looks.
        return
    skipped = [report for report in reporter.stats.get("skipped", []) if ABSENT not in str(report.longrepr)]
    if os.environ.get("PERFCAST_NO_SKIPS") and skipped and exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line(f"FAILED: {len(skipped)} tests were skipped although PERFCAST_NO_SKIPS is set")
