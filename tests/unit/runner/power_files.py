"""Power sources as files below a folder."""

import contextlib
import threading
import time

POWERCAP = "sys/class/powercap"
PACKAGE = f"{POWERCAP}/intel-rapl:0/energy_uj"
RANGE_UJ = 262_143_328_850
"""Of the package of an Intel processor."""


def write_zone(device, zone, name, energy_uj, range_uj=RANGE_UJ):
    device.write(f"{POWERCAP}/{zone}/name", name)
    device.write(f"{POWERCAP}/{zone}/energy_uj", energy_uj)
    device.write(f"{POWERCAP}/{zone}/max_energy_range_uj", range_uj)


@contextlib.contextmanager
def drawing(root, watts, range_uj):
    """Have the counter of a package advance, from just below its range on, as at so many watts."""
    path, ended, start = root / PACKAGE, threading.Event(), time.monotonic()

    def advance():
        while not ended.wait(0.002):
            energy = range_uj - 1000 + int((time.monotonic() - start) * watts * 1e6)
            beside = path.with_name("beside")
            beside.write_text(f"{energy % range_uj}\n")
            beside.replace(path)

    thread = threading.Thread(target=advance)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
