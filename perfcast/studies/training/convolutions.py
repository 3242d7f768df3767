"""Networks of one convolution, or of two in a row, recognised by the features of a dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.network.records import FLOAT_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

FEATURES = (
    *("input_size", "input_pixels", "macs", "conv_macs", "conv_layers", "bn_layers", "fc_layers"),
    *("kernel_size_min", "kernel_size_max", "filters_min", "filters_max", "mean_mac_positions"),
)
"""Columns of a dataset that a convolution is recognised by."""
_POSITIVE = tuple(name for name in FEATURES if name not in ("bn_layers", "fc_layers"))
_MAX_CONVOLUTIONS = 2
"""More cannot be told from the largest and the smallest kernel."""


@dataclass(frozen=True, order=True)
class Setting:
    """What stays the same while the kernel changes.

    Attributes:
        height, width: of the image, in pixels.
        channels, filters: going in, coming out.
        positions: pixels of the output.
    """

    height: int
    width: int
    channels: int
    filters: int
    positions: int

    def __str__(self) -> str:
        stride = round(math.sqrt(self.height * self.width / self.positions))
        strided = f", stride {stride}" if stride > 1 else ""
        return f"{self.channels} channels in, {self.filters} out, {self.height}×{self.width} pixels{strided}"


@dataclass(frozen=True, order=True)
class Convolution:
    """One convolution with a square kernel, or two in a row.

    Attributes:
        setting: channels and sizes.
        kernels: sides of the kernels, in pixels, the larger one first.
    """

    setting: Setting
    kernels: tuple[int, ...]

    def __str__(self) -> str:
        return " then ".join(f"{kernel}×{kernel}" for kernel in self.kernels)

    def macs(self, *, trained: bool) -> int:
        """Return the multiply-accumulates of one image; ``trained``: forward and backward."""
        each = [self.setting.positions * weights for weights in self._weights()]
        return _passes(each, trained=trained)

    def moved_bytes(self, batch: int, *, trained: bool) -> int:
        """Return the bytes that a batch moves at least: each pass of a convolution moves images and weights once."""
        setting = self.setting
        pixels = (setting.height * setting.width * setting.channels, setting.positions * setting.filters)
        inputs = (pixels[0], pixels[1])[: len(self.kernels)]
        each = [
            FLOAT_BYTES * (batch * (before + pixels[1]) + weights)
            for before, weights in zip(inputs, self._weights(), strict=True)
        ]
        return _passes(each, trained=trained)

    def _weights(self) -> list[int]:
        before = (self.setting.channels, self.setting.filters)
        return [
            kernel**2 * channels * self.setting.filters
            for kernel, channels in zip(self.kernels, before[: len(self.kernels)], strict=True)
        ]


def _passes(each: list[int], *, trained: bool) -> int:
    """Return what the passes over convolutions in a row take, from what one pass over each of them takes.

    Forward; backward the gradient of the weights, and of a second convolution that of its input: the image is not
    trained.
    """
    return 2 * sum(each) + sum(each[1:]) if trained else sum(each)


def convolution_of(row: Mapping[str, Any]) -> Convolution | None:
    """Return what a model is by its features (`FEATURES`), None of one that is more than one or two convolutions."""
    if not all(math.isfinite(row[name]) for name in FEATURES) or min(row[name] for name in _POSITIVE) < 1:
        return None
    if row["bn_layers"] or row["fc_layers"] or row["conv_macs"] != row["macs"]:
        return None
    count, filters = int(row["conv_layers"]), int(row["filters_max"])
    kernels = (int(row["kernel_size_max"]), int(row["kernel_size_min"]))[:count]
    if count > _MAX_CONVOLUTIONS or row["filters_min"] != filters or row["input_pixels"] % row["input_size"]:
        return None
    if count == 1 and row["kernel_size_min"] != kernels[0]:
        return None
    height, positions = int(row["input_size"]), round(row["mean_mac_positions"])
    behind = sum(kernel**2 * filters for kernel in kernels[1:])
    channels = (row["macs"] / (positions * filters) - behind) / kernels[0] ** 2
    if channels < 1 or channels != round(channels):
        return None
    setting = Setting(height, int(row["input_pixels"]) // height, round(channels), filters, positions)
    return Convolution(setting, kernels)
