"""INA3221: the power monitor of Jetson boards, on files that two drivers write.

L4T 32 (kernel 4.9) has `iio:device*/rail_name_<n>` and `in_power<n>_input` in mW; later kernels have
`hwmon*/in<n>_label`, `in<n>_input` in mV and `curr<n>_input` in mA
(https://docs.kernel.org/hwmon/ina3221.html, and "Power Monitor" in NVIDIA's guides for Jetson Linux developers).
"""

import os
import re

from perfcast.runner.power.base import AbsentError, PolledSource, plausible_w
from perfcast.runner.system_files import read_text, texts, under

DRIVERS = "/sys/bus/i2c/drivers/ina3221*/*/"
RAIL_NAMES = DRIVERS + "iio:device*/rail_name_*"
LABELS = DRIVERS + "hwmon/hwmon*/in*_label"
INPUT_RAILS = ("VDD_IN", "POM_5V_IN")
"""Rails of all that a board takes in. Where none is, as on AGX boards, rails that overlap are not added up."""
NUMBER = re.compile(r"\d{1,9}\Z")


class Ina3221(PolledSource):
    """The whole board, at its input."""

    name = "ina3221"
    title = "INA3221"
    period_s = 0.05
    settling_s = 0.2
    block_s = 2.0

    def __init__(self, root="/"):
        super().__init__(root)
        rails = texts(under(root, RAIL_NAMES), under(root, LABELS))
        if not rails:
            raise AbsentError
        inputs = [path for path, name in rails.items() if name in INPUT_RAILS]
        if not inputs:
            named = ", ".join(sorted(set(rails.values())))[:100]
            raise AbsentError("INA3221 has no rail of the board's input, only %r" % named)
        folder, file = os.path.split(inputs[0])
        self.parts = rails[inputs[0]]
        number = re.sub(r"\D", "", file)
        names = ("in_power%s_input",) if file.startswith("rail_name_") else ("in%s_input", "curr%s_input")
        self.paths = [os.path.join(folder, name % number) for name in names]
        self.read_w()

    def read_w(self):
        """Return mW as W, or the product of mV and mA."""
        values = [self.number(path) for path in self.paths]
        watts = values[0] * 1e-3 if len(values) == 1 else values[0] * values[1] * 1e-6
        return plausible_w(watts, self.title)

    @staticmethod
    def number(path):
        text = read_text(path)
        if text is None or not NUMBER.match(text):
            raise AbsentError("INA3221 says %r in %s" % (text and text[:40], os.path.basename(path)))
        return int(text)
