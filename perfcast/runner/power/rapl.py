"""RAPL: energy counters of x86 processors, as Linux's powercap shows them.

https://docs.kernel.org/power/powercap/powercap.html: a folder per zone with `name`, `energy_uj` and
`max_energy_range_uj`, where the counter starts at 0 again.
"""

import os
import re

from perfcast.runner.clocks import perf_counter_ns
from perfcast.runner.power.base import AbsentError, PowerSource, plausible_w
from perfcast.runner.system_files import read_text, texts, under

NAMES = "/sys/class/powercap/intel-rapl:*/name"
COUNTED = re.compile(r"(?:package-\d{1,4}(?:-die-\d{1,4})?|dram)\Z")
"""Zones that add up: a package holds its cores and `uncore`, not its memory; `psys` holds them all."""
MICROJOULES = re.compile(r"\d{1,20}\Z")


class Rapl(PowerSource):
    """Processors and their memory, whatever runs on them."""

    name = "rapl"
    title = "RAPL"
    device_kinds = ("cpu",)

    def __init__(self, root="/"):
        super().__init__(root)
        zones = {os.path.dirname(path): name for path, name in texts(under(root, NAMES)).items()}
        zones = {folder: name for folder, name in zones.items() if COUNTED.match(name)}
        if not zones:
            raise AbsentError
        self.parts = ", ".join(sorted(zones.values()))
        self.ranges_uj = {folder: self.number(folder, "max_energy_range_uj") for folder in zones}
        self.read_uj()

    def during(self, act):
        before, start = self.read_uj(), perf_counter_ns()
        answer = act()
        after, end = self.read_uj(), perf_counter_ns()
        used_uj = sum(self.used_uj(folder, before[folder], after[folder]) for folder in before)
        return answer, plausible_w(used_uj * 1e3 / (end - start), self.title), 2

    def used_uj(self, folder, before, after):
        """Return what a counter went up by; it wraps around at its range, in an hour at 70 W."""
        return after - before if after >= before else after - before + self.ranges_uj[folder]

    def read_uj(self):
        energies = {folder: self.number(folder, "energy_uj") for folder in self.ranges_uj}
        for folder, energy in energies.items():
            if energy > self.ranges_uj[folder]:
                raise AbsentError("RAPL says %d uJ in %s, beyond its range" % (energy, os.path.basename(folder)))
        return energies

    @staticmethod
    def number(folder, file):
        text = read_text(os.path.join(folder, file))
        if text is None:
            raise AbsentError("RAPL: %s cannot be read, on most systems only by root" % file)
        if not MICROJOULES.match(text):
            raise AbsentError("RAPL says %r in %s" % (text[:40], file))
        return int(text)
