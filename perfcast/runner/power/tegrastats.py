"""tegrastats: what Jetson boards print of themselves, power among it.

`VDD_IN 5080mW/5080mW` (Jetson Linux 35), `VDD_IN 4180/4180` (L4T 32) and `POM_5V_IN 1022/1022` (Jetson Nano): the
power now and its mean since the tool was started, in mW ("tegrastats Utility" in NVIDIA's guides for developers).
"""

import re
import shutil

from perfcast.runner.power.base import AbsentError, StreamedSource, plausible_w, wait_for_either
from perfcast.runner.power.ina3221 import INPUT_RAILS

INPUT = re.compile(r"(?:^|\s)(?:%s) (\d{1,9})(?:mW)?/\d{1,9}(?:mW)?(?=\s|$)" % "|".join(INPUT_RAILS))


class Tegrastats(StreamedSource):
    """The whole board, at its input, where the power monitor's files are not to be seen."""

    name = "tegrastats"
    title = "tegrastats"
    period_s = 0.1
    settling_s = 0.2
    block_s = 2.0

    def __init__(self, root="/"):
        super().__init__(root)
        self.parts = "the board's input"
        self.path = shutil.which("tegrastats")
        if self.path is None:
            raise AbsentError
        readings, problems = [], []
        with self.sampling(readings, problems):
            wait_for_either(readings, problems)
        if not readings:
            raise AbsentError(problems[0] if problems else "tegrastats prints nothing")

    def command(self):
        return [self.path, "--interval", "%d" % (self.period_s * 1000)]

    def watts_in(self, line):
        found = INPUT.findall(line)
        if len(found) != 1:
            raise AbsentError("tegrastats prints no power of the board's input: %r" % line.strip()[-60:])
        return plausible_w(int(found[0]) * 1e-3, self.title)
