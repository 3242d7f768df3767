"""Which part of the calibration workload is slow when a model is: sums, or threads that wake each other up.

    PYTHONPATH=. python benchmarks/calibration.py [--seconds N]

Four networks, each in a process of its own, take turns; around each turn both parts of the calibration workload are
timed in another process. Printed: how slow each part is while a model is slow (20% above its tenth percentile), as a
median, and the correlation of the logarithms. It needs a machine that does nothing else.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from forked_networks import exported_elsewhere, latency_ns, opened, warm_toolchain

from perfcast.bench.target import available_cpus
from perfcast.export.artifacts import ArtifactStore
from perfcast.runner.calibration import Calibration

MODELS = """keras_applications,DenseNet121,128,
keras_applications,EfficientNetB0,128,
keras_applications,MobileNet,224,
keras_applications,ResNet50,96,
"""
SLOW = 1.2


class Sums(Calibration):
    """The calibration workload without what the threads do together."""

    def hand_over(self, index):
        pass


class WakeUps(Calibration):
    """The calibration workload without what each thread does alone."""

    def __init__(self, threads):
        super().__init__(threads)
        self.cached = [rows[:1] for rows in self.cached]
        self.streamed = [rows[:1] for rows in self.streamed]


def watch(children, witnesses, seconds):
    """Return by model an array (turns, 1 + witnesses) of times in ns; a witness's is the mean of before and after."""
    rows = {model: [] for model in children}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for model, child in children.items():
            before = [witness.time_ns() for witness in witnesses]
            latency = latency_ns(child)
            after = [witness.time_ns() for witness in witnesses]
            rows[model].append([latency, *np.mean([before, after], axis=0)])
    return {model: np.array(times) for model, times in rows.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=100.0)
    arguments = parser.parse_args()
    threads = available_cpus()
    toolchain = warm_toolchain(threads)
    witnesses = [Sums(threads), WakeUps(threads)]
    with tempfile.TemporaryDirectory() as folder:
        artifacts, exports = ArtifactStore(Path(folder)), exported_elsewhere(MODELS, Path(folder))
        children = {export.spec.model: opened(toolchain, artifacts, export) for export in exports}
        times = watch(children, witnesses, arguments.seconds)
        for child in children.values():
            child.end()
    print(f"{'model':24}{'turns':>7}{'slow':>6}{'latency':>9}{'sums':>7}{'wake-ups':>10}{'correlations':>18}")
    for model, rows in times.items():
        relative = rows / np.quantile(rows, 0.1, axis=0)
        slow = relative[:, 0] > SLOW
        latency, sums, wake_ups = np.median(relative[slow], axis=0) if slow.any() else (np.nan,) * 3
        related = np.corrcoef(np.log(relative).T)[0, 1:]
        print(
            f"{model:24}{len(rows):7}{slow.sum():6}{latency:9.2f}{sums:7.2f}{wake_ups:10.2f}"
            f"{related[0]:9.2f}{related[1]:9.2f}"
        )


if __name__ == "__main__":
    main()
