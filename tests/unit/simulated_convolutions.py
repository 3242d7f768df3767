"""Datasets of convolutions whose times follow a known law, and a profile of operations."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

BATCHES = (4, 32)
WORKLOADS = ("inference", "forward_backward")
KERNELS = tuple(range(1, 12))
CHANNELS, SIZE = 32, 64


@dataclass(frozen=True)
class Law:
    """How long a convolution takes.

    Attributes:
        turn: side of the kernel at which the exponent changes.
        before, beyond: exponents of the side.
        batch: exponent of the batch size; 1 for images that are never cheaper.
        backward: how many times as long forward and backward take.
        stacked: time of 5×5 followed by 3×3, relative to 7×7.
        noise: standard deviation of the logarithm of a measurement.
    """

    turn: float = 5.0
    before: float = 1.2
    beyond: float = 2.8
    batch: float = 1.0
    backward: float = 2.0
    stacked: float = 0.8
    noise: float = 0.01

    def log_ms(self, kernel: int, workload: str, batch: int) -> float:
        """The logarithm of the time of a run with a single kernel."""
        side = np.log(kernel)
        bend = np.log(self.turn)
        growth = self.before * side + (self.beyond - self.before) * max(0.0, side - bend)
        return growth + self.batch * np.log(batch) + (np.log(self.backward) if workload != "inference" else 0.0)


def holds(found, turn):
    """Tell whether the interval of a break holds a place; levels that went through logarithms are off by rounding."""
    return found.low * (1 - 1e-9) <= turn <= found.high * (1 + 1e-9)


def dataset(law: Law = Law(), chance=None, *, target="board", batches=BATCHES, workloads=WORKLOADS, repeated=True):
    """Return a dataset of all kernels and of 5×5 followed by 3×3; two kernels in five are measured twice."""
    chance = chance if chance is not None else np.random.default_rng(0)
    rows = []
    for workload in workloads:
        for batch in batches:
            for kernels in (*((side,) for side in KERNELS), (5, 3)):
                log_ms = law.log_ms(kernels[0] if len(kernels) == 1 else 7, workload, batch)
                log_ms += np.log(law.stacked) if len(kernels) > 1 else 0.0
                for replicate in range(2 if repeated and sum(kernels) % 5 < 2 else 1):
                    time_ms = float(np.exp(log_ms + law.noise * chance.standard_normal()))
                    rows.append(_row(kernels, workload, batch, time_ms, law.noise) | {"replicate": replicate})
    return pd.DataFrame(rows).assign(target=target)


def _row(kernels, workload, batch, time_ms, noise):
    positions = SIZE * SIZE
    return {
        "model": f"convolution_{'_then_'.join(map(str, kernels))}_{SIZE}",
        "workload": workload,
        "batch": batch,
        "threads": 2,
        "status": "measured",
        "trust": "trusted",
        "latency_ms": time_ms,
        "latency_low_ms": time_ms * np.exp(-1.96 * noise),
        "latency_high_ms": time_ms * np.exp(1.96 * noise),
        "peak_flops_per_s": 1e12,
        "peak_bytes_per_s": 1e11,
        "input_size": SIZE,
        "input_pixels": positions,
        "macs": positions * CHANNELS**2 * sum(side**2 for side in kernels),
        "conv_macs": positions * CHANNELS**2 * sum(side**2 for side in kernels),
        "conv_layers": len(kernels),
        "bn_layers": 0,
        "fc_layers": 0,
        "kernel_size_min": min(kernels),
        "kernel_size_max": max(kernels),
        "filters_min": CHANNELS,
        "filters_max": CHANNELS,
        "mean_mac_positions": float(positions),
    }


def memory(**changed):
    """Return the memory of a run over time, as `perfcast profile --memory` writes it."""
    table = pd.DataFrame(
        {
            "phase": ["load", "load", "first step", "steps", "steps"],
            "at_s": [0.0, 0.1, 0.2, 0.3, 0.4],
            "resident_mb": [0.0, 50.0, 180.0, 120.0, 150.0],
        }
    )
    about = {"model": "mobilenet_224", "target": "board", "toolchain": "tensorflow", "toolchain_version": "2"}
    use = {"device": "x", "workload": "inference", "optimizer": "", "threads": 2, "batch": 8}
    return table.assign(**(about | use | changed))


def split(**changed):
    """Return what a training step holds at its peak, as `perfcast profile --split` writes it."""
    table = pd.DataFrame(
        {
            "layer": ["conv", "conv", "dense"],
            "kind": ["activations", "weights", "workspace"],
            "size_mb": [70.0, 20.0, 5],
        }
    )
    peak = {"peak_layer": "dense", "peak_operation": "backward", "allocator_mb": 100.0}
    return (
        memory()
        .iloc[:1]
        .drop(columns=["phase", "at_s", "resident_mb"])
        .merge(table.assign(**peak), "cross")
        .assign(**changed)
    )


def profile(**changed):
    """Return a profile as `perfcast profile` writes it: 8 ms of operations in a step of 10 ms."""
    table = pd.DataFrame(
        {
            "operation": ["Conv2D", "FusedBatchNormV3", "Conv2D", "<b>Odd"],
            "layer": ["conv1", "bn1", "conv2", ""],
            "calls": [1.0, 1.0, 1.0, 2.0],
            "time_ms": [4.0, 1.0, 2.0, 1.0],
        }
    )
    about = {"model": "net_224", "target": "board", "toolchain": "tensorflow", "toolchain_version": "2", "device": "x"}
    use = {"workload": "training_step", "optimizer": "sgd", "threads": 2, "batch": 8}
    step = {"steps": 15, "step_ms": 9.0, "traced_ms": 10.0, "busy_ms": 7.0}
    return table.assign(**(about | use | step | changed))
