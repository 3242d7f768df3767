"""The power of a visit: at rest before it, and under load after its samples, so that no reading disturbs a sample."""

import sys
import time

from perfcast.runner.power.base import AbsentError


class Meter:
    """Reads one source around visits; what it cannot read is None, and said once."""

    def __init__(self, source):
        self.source = source
        self.has_said = False

    def idle_w(self):
        """Return the power of the device while nothing is asked of it, in W."""
        found = self.during(lambda: time.sleep(self.source.duration_s))
        return found and found[1]

    def under_load(self, process, idle_w):
        """Return the power while a model runs without pause, as a visit has it; None where either is unknown."""
        found = idle_w and self.during(lambda: process.repeat(self.source.duration_s))
        if not found:
            return None
        repeated, mean_w, readings = found
        return {"idle_w": idle_w, "mean_w": mean_w, "readings": readings, **repeated}

    def during(self, act):
        try:
            return self.source.during(act)
        except AbsentError as absent:
            if not self.has_said:
                print("power is not measured at all visits: %s" % absent, file=sys.stderr)
            self.has_said = True
            return None
