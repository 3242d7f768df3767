"""Inputs drawn from a seeded generator."""

import numpy as np

BYTES = 256


def shape_of(item, batch):
    """Return the whole shape of an input or output: the batch comes first, unless all of a batch share one."""
    return ([batch] if item.get("batched", True) else []) + item["shape"]


def draw_inputs(task, batch):
    """Return a random input of each shape: what networks see after preprocessing, 0 to 1.

    Integers are 0 or 1, or where the converter said of what they are an index, any; so are bytes.
    """
    generator = np.random.default_rng(task["seed"] + 1)
    return [as_type(item, generator.random(shape_of(item, batch), dtype=np.float32)) for item in task["inputs"]]


def other_inputs(task, batch):
    """Yield further inputs of the same shapes, unlike each other in sign, size and structure."""
    generator = np.random.default_rng(task["seed"] + 2)
    for make in (noise, zeros, wild, negative, ones, ramp):
        yield [as_type(item, make(generator, shape_of(item, batch))) for item in task["inputs"]]


def noise(generator, shape):
    return generator.random(shape, dtype=np.float32)


def negative(generator, shape):
    return -generator.random(shape, dtype=np.float32)


def zeros(_, shape):
    return np.zeros(shape, np.float32)


def ones(_, shape):
    return np.ones(shape, np.float32)


def ramp(_, shape):
    return np.linspace(0.0, 1.0, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def wild(generator, shape):
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(100.0)


def as_type(item, values):
    """Return values in an input's type; integers may be indices, of which only 0 and 1 are sure to exist.

    An input that is known to be an index has `below`, the number of rows that there are.
    """
    dtype = np.dtype(item["dtype"])
    if "below" in item:
        return np.minimum((np.abs(values) % 1 * item["below"]).astype(np.int64), item["below"] - 1).astype(dtype)
    if dtype == np.uint8:
        return (np.abs(values) * (BYTES - 1)).astype(np.int64).astype(dtype)
    if dtype.kind in "iub":
        return (np.abs(values) >= 0.5).astype(dtype)
    return values.astype(dtype, copy=False)
