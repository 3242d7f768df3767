"""IDX files as tests need them."""

import gzip
import struct


def idx_bytes(values, kind=0x08):
    """Return the content of an IDX file of these bytes."""
    head = bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return head + values.tobytes()


def write_part(folder, name, images, labels, packed=True):
    """Write images and labels as the part `train` or `t10k` of a data set."""
    for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
        content = idx_bytes(values)
        path = folder / f"{name}-{kind}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)
