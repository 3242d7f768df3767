"""NVML: the power of NVIDIA's cards, as `nvidia-smi` prints it.

`power.draw` is a mean over the last second on most cards since Ampere; `power.draw.instant`, of later drivers, is not
(`nvidia-smi --help-query-gpu`).
"""

import re
import shutil

from perfcast.runner.journal import SettingError
from perfcast.runner.power.base import AbsentError, StreamedSource, plausible_w
from perfcast.runner.settings import run

FIELDS = ("power.draw.instant", "power.draw")
FORMAT = "--format=csv,noheader,nounits"
WATTS = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*\Z")


class Nvml(StreamedSource):
    """One card: its GPU and memory."""

    name = "nvml"
    title = "NVML"
    device_kinds = ("gpu",)
    period_s = 0.1
    settling_s = 1.0
    block_s = 2.0

    def __init__(self, root="/"):
        super().__init__(root)
        if shutil.which("nvidia-smi") is None:
            raise AbsentError
        self.parts, said = self.first_known()
        cards = said.split("\n")
        if len(cards) > 1:
            raise AbsentError("NVML: there are %d cards, and which of them computes is not known" % len(cards))
        self.watts_in(cards[0])

    @staticmethod
    def first_known():
        """Return the first of the fields that the driver has, and what it says of it; a line per card."""
        for field in FIELDS:
            try:
                said = run("nvidia-smi", "--query-gpu=" + field, FORMAT)
            except SettingError as error:
                reason = str(error)
            else:
                if WATTS.match(said.split("\n")[0]) or field == FIELDS[-1]:
                    return field, said
        raise AbsentError("NVML: %s" % reason)

    def command(self):
        loop = "--loop-ms=%d" % (self.period_s * 1000)
        return [shutil.which("nvidia-smi"), "--query-gpu=" + self.parts, FORMAT, loop]

    def watts_in(self, line):
        found = WATTS.match(line)
        if not found:
            raise AbsentError("NVML says %r" % line.strip()[:40])
        return plausible_w(float(found.group(1)), self.title)
