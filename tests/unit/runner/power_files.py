"""Power sources as files below a folder."""

import time
from pathlib import Path

from perfcast.runner.power.rapl import Rapl

POWERCAP = "sys/class/powercap"
PACKAGE = f"{POWERCAP}/intel-rapl:0/energy_uj"
RANGE_UJ = 262_143_328_850
"""Of the package of an Intel processor."""
WATTS = 20


def write_zone(device, zone, name, energy_uj, range_uj=RANGE_UJ):
    device.write(f"{POWERCAP}/{zone}/name", name)
    device.write(f"{POWERCAP}/{zone}/energy_uj", energy_uj)
    device.write(f"{POWERCAP}/{zone}/max_energy_range_uj", range_uj)


class DrawingRapl(Rapl):
    """Of processors that draw `WATTS`: a counter advances whenever it is read, and each block begins at its end."""

    def __init__(self, root):
        self.start = time.monotonic()
        super().__init__(root)

    def during(self, act):
        self.start = time.monotonic()
        return super().during(act)

    def read_uj(self):
        used = int((time.monotonic() - self.start) * WATTS * 1e6)
        for folder, range_uj in self.ranges_uj.items():
            Path(folder, "energy_uj").write_text(f"{(range_uj - 1000 + used) % range_uj}\n")
        return super().read_uj()
