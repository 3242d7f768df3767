"""The runner, on a machine that draws power, with RAPL counters below the folder that FAKE_RAPL names."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from perfcast.runner import campaign, power
from perfcast.runner.command import main
from tests.unit.runner.power_files import DrawingRapl


class RaplElsewhere(DrawingRapl):
    def __init__(self, root="/"):
        super().__init__(os.environ["FAKE_RAPL"])


power.SOURCES["rapl"] = RaplElsewhere
# What a device can do at most is measured in tests of its own.
campaign.measure_peaks = lambda *_: {"flops_per_s": 1.0, "bytes_per_s": 1.0, "seconds": 0.0}
main()
