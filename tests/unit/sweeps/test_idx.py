"""IDX files: what is written is read back, and whatever a header says is refused in one line without harm."""

import gzip
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perfcast.errors import UsageError
from perfcast.sweeps.data.idx import MAX_BYTES, read_idx
from tests.measured import FOLDER, needs
from tests.unit.sweeps.idx_files import idx_bytes

IMAGES = FOLDER / "mnist_test/mnist_t10k-images-idx3-ubyte.gz"
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


def refused(path, dimensions=3):
    with pytest.raises(UsageError) as caught:
        read_idx(path, dimensions)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@given(SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)), st.booleans())
def test_what_is_written_is_read_back(folder, values, packed):
    path = folder / "values"
    content = idx_bytes(values)
    path.write_bytes(gzip.compress(content) if packed else content)
    assert np.array_equal(read_idx(path, values.ndim), values)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read_or_refused_in_one_line(folder, content, packed):
    path = folder / "any"
    path.write_bytes(gzip.compress(content) if packed else content)
    message = refusal(path)
    if message is None:
        assert read_idx(path, 1).ndim == 1
    else:
        assert message.startswith(f"{path}: ")
        assert len(message.splitlines()) == 1


def refusal(path):
    """Return why a file is refused, None where it is read."""
    try:
        read_idx(path, 1)
    except UsageError as error:
        return str(error)


@given(SHAPES, st.data())
def test_each_way_to_cut_or_extend_a_file_is_refused(folder, shape, data):
    path, values = folder / "cut", np.zeros(shape, np.uint8)
    whole = idx_bytes(values)
    for content in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\0"):
        path.write_bytes(content)
        refused(path, values.ndim)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin with the magic number"),
        (b"\1\0\x08\3", "does not begin with the magic number"),
        (idx_bytes(np.zeros((1, 2, 3), np.uint8), kind=0x0D), "of type 0x0d, not unsigned bytes"),
        (idx_bytes(np.zeros(3, np.uint8)), "it has 1 dimensions, not 3"),
        (b"\0\0\x08\3" + b"\xff" * 12, "bytes, of at most"),
        (b"\0\0\x08\3" + struct.pack(">3I", MAX_BYTES, 1, 1), "but only 0 follow"),
        (b"\0\0\x08\3" + struct.pack(">3I", 0, 28, 28), "it is empty"),
        (b"\0\0\x08\3\0\0", "its header is cut off"),
        (idx_bytes(np.zeros((1, 2, 3), np.uint8)) + b"x", "says 6 bytes, but more follow"),
    ],
)
def test_a_hostile_header_is_refused(tmp_path, content, message, packed):
    path = tmp_path / "hostile"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert message in refused(path)


def test_a_damaged_archive_is_refused(tmp_path):
    whole = gzip.compress(idx_bytes(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)))
    for content in (whole[:-9], whole[:12] + b"\xff" * 9 + whole[21:], b"\x1f\x8b"):
        (tmp_path / "damaged").write_bytes(content)
        refused(tmp_path / "damaged")


def test_an_archive_that_grows_without_end_takes_no_memory(tmp_path):
    path = tmp_path / "bomb"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"\0\0\x08\1" + struct.pack(">I", 10))
        for _ in range(20):
            file.write(bytes(1 << 20))
    assert "but more follow" in refused(path, 1)


def test_a_missing_file_is_refused(tmp_path):
    assert "cannot be read (No such file" in refused(tmp_path / "none")
    assert "cannot be read (Is a directory" in refused(tmp_path)


@needs(IMAGES)
def test_the_images_of_mnist_are_read():
    images = read_idx(IMAGES, 3)
    assert images.shape == (10_000, 28, 28)
    assert math.isclose(images.mean(), 33.79, abs_tol=0.01)
