"""How far processes that run the same network differ, and how far visits to one of them do.

    PYTHONPATH=. python benchmarks/processes.py [--processes N]

Of each network so many processes are loaded and visited in turns. Printed are standard deviations in %: between the
processes' medians, and between visits to one process; and the fastest and the slowest process. Visits that the
calibration workload finds disturbed are left out. The machine must do nothing else.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from forked_networks import exported_elsewhere, latency_ns, opened, warm_toolchain

from perfcast.bench.target import available_cpus
from perfcast.export.artifacts import ArtifactStore
from perfcast.runner.calibration import Calibration, UsualCalibration
from perfcast.runner.schedule import is_disturbed

MODELS = """synthetic,basic_model,64,conv_layers=2;filter_size=5;filters=32;strides=1
synthetic,basic_model,64,conv_layers=4;filter_size=3;filters=32;strides=1
synthetic,basic_model,128,conv_layers=6;filter_size=3;filters=16;strides=1
keras_applications,MobileNet,96,alpha=0.5
keras_applications,MobileNetV3Small,128,
keras_applications,MobileNet,224,
keras_applications,EfficientNetB0,128,
keras_applications,DenseNet121,128,
keras_applications,ResNet50,96,
"""
VISITS = 6


def medians_of(children, calibration, usual):
    """Return an array (processes, visits) of latencies in ms, NaN where a visit was disturbed."""
    medians = np.full((len(children), VISITS), np.nan)
    for visit in range(VISITS):
        for number, child in enumerate(children):
            before = calibration.time_ns()
            latency = latency_ns(child) * 1e-6
            around = {"before_ns": before, "after_ns": calibration.time_ns()}
            if not is_disturbed(around, usual.limit_after(around), None, 0):
                medians[number, visit] = latency
    return medians


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--processes", type=int, default=12)
    arguments = parser.parse_args()
    threads = available_cpus()
    toolchain = warm_toolchain(threads)
    calibration = Calibration(threads)
    usual = UsualCalibration(calibration)
    print(f"{'model':28}{'between %':>10}{'within %':>10}{'fastest ms':>12}{'slowest ms':>12}{'calm visits':>13}")
    with tempfile.TemporaryDirectory() as folder:
        artifacts = ArtifactStore(Path(folder))
        for export in exported_elsewhere(MODELS, Path(folder)):
            children = [opened(toolchain, artifacts, export) for _ in range(arguments.processes)]
            medians = medians_of(children, calibration, usual)
            for child in children:
                child.end()
            known = medians[np.isfinite(medians).any(axis=1)]
            each = np.nanmedian(known, axis=1)
            within = np.nanmedian(np.nanstd(np.log(known), axis=1))
            print(
                f"{export.spec.model:28}{100 * np.std(np.log(each)):10.1f}{100 * within:10.1f}{each.min():12.3f}"
                f"{each.max():12.3f}{np.isfinite(medians).sum():13}"
            )


if __name__ == "__main__":
    main()
