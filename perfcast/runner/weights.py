"""Weights drawn from a seeded generator, as a weightless graph says."""

import re

import numpy as np

ALIGNMENT_BYTES = 64


def draw(generator, shape, distribution, dtype):
    """Draw values of a shape from `normal(mean,std)` or `uniform(low,high)`."""
    match = re.match(r"^(normal|uniform)\(([-+.e0-9]+),([-+.e0-9]+)\)$", distribution)
    if not match:
        raise ValueError("unknown distribution of a weight: %r" % distribution)
    first, second = float(match.group(2)), float(match.group(3))
    values = aligned(shape)
    if match.group(1) == "normal":
        generator.standard_normal(out=values, dtype=np.float32)
        values *= np.float32(second)
    else:
        generator.random(out=values, dtype=np.float32)
        values *= np.float32(second - first)
    values += np.float32(first)
    return values.astype(dtype, copy=False)


def aligned(shape):
    """Return an uninitialised array of 32-bit floats that a runtime can take over without copying."""
    size = int(np.prod(shape, dtype=np.int64))
    room = np.empty(size + ALIGNMENT_BYTES // 4, np.float32)
    skip = -room.ctypes.data % ALIGNMENT_BYTES // 4
    return room[skip : skip + size].reshape(shape)
