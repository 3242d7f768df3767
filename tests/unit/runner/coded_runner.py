"""The runner, with a toolchain whose graphs are Python files that define `infer`: models that do as a test needs.

In the environment, CLOCK_GOES_BACK sets the time of day back by an hour at each look, and ALL_IS_CALM has no visit be
disturbed, however busy the machine is. UNFORKABLE has a runtime that does not survive a fork. COMPUTED_ON is JSON of
what the runtime says that it computes on.
"""

import itertools
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from perfcast.runner import calibration, campaign, schedule
from perfcast.runner.command import main
from perfcast.runner.toolchains import TOOLCHAINS
from perfcast.runner.toolchains.noop import NoopToolchain


class CodedToolchain(NoopToolchain):
    name = "coded"
    COMPUTES = "COMPUTED_ON" in os.environ

    def computed_on(self):
        return json.loads(os.environ.get("COMPUTED_ON", "null"))

    def preload(self):
        self.process = os.getpid()

    def __setstate__(self, values):
        self.__dict__.update(values)
        self.preload()

    def load(self, task):
        if "UNFORKABLE" in os.environ and self.process != os.getpid():
            raise RuntimeError("this runtime does not survive a fork")
        if task["program"] is None:
            return super().load(task)
        names = {"task": task}
        exec(Path(task["program"]).read_text(), names)
        return names["infer"]


def go_back():
    hours = itertools.count()
    now, utc = time.time(), time.gmtime
    time.time = lambda: now - 3600 * next(hours)
    time.gmtime = lambda seconds=None: utc(time.time() if seconds is None else seconds)


TOOLCHAINS["coded"] = CodedToolchain
# What a device can do at most is measured in tests of its own.
campaign.measure_peaks = lambda *_: {"flops_per_s": 1.0, "bytes_per_s": 1.0, "seconds": 0.0}
if "CLOCK_GOES_BACK" in os.environ:
    go_back()
if "ALL_IS_CALM" in os.environ:
    calibration.MIN_LIMIT = schedule.OTHERS_CPUS = float("inf")
main()
