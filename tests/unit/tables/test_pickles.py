"""Pickled frames: read without running anything, whatever a stranger put into them."""

import contextlib
import os
import pickle
import pickletools
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import UsageError
from perfcast.tables.pickled_frames import frame_from_pickle
from tests.measured import FOLDER, needs
from tests.unit.tables.forged_pickles import Call, Raw, array, dtype, forged, frame, index

PUBLISHED = FOLDER / "performance_tests"
TWO = np.array([[1, 2], [3, 4]], dtype="<i8")
SECONDS, MEGABYTES = 5, 64


def two(data=None, shape=(2, 2), kind="i8", order="<"):
    return array(shape, dtype(kind, order), TWO.tobytes() if data is None else data)


@needs(PUBLISHED)
def test_the_published_pickle_is_what_its_csv_says():
    found = frame_from_pickle((PUBLISHED / "TestResults.pickle").read_bytes())
    pd.testing.assert_frame_equal(found, pd.read_csv(PUBLISHED / "TestResults_from_pickle.csv"))


def test_a_frame_of_old_pandas_is_read():
    found = frame_from_pickle(forged(frame(["a", "b"], two())))
    pd.testing.assert_frame_equal(found, pd.DataFrame({"a": [1, 2], "b": [3, 4]}))


@pytest.mark.parametrize(
    ("kind", "order", "values"),
    [("f8", ">", [[0.5, 2.0], [3.0, 4.0]]), ("f4", "<", [[0.5, 2.0], [3.0, 4.0]]), ("b1", "|", [[1, 0], [0, 1]])],
)
def test_numbers_of_any_kind_and_byte_order_are_read(kind, order, values):
    data = np.array(values, dtype=order.replace("|", "") + kind).tobytes()
    found = frame_from_pickle(forged(frame(["a", "b"], two(data, kind=kind, order=order))))
    assert found["a"].tolist() == values[0]
    assert found["b"].tolist() == values[1]


def test_text_missing_values_and_a_named_index_are_read():
    cells = array((1, 2), dtype("O8", "|"), [b"x\xe9", None])
    found = frame_from_pickle(forged(frame(["a"], cells, rows=index(["p", "q"], "key"))))
    assert found["key"].tolist() == ["p", "q"]
    assert found["a"][0] == "xé"
    assert pd.isna(found["a"][1])


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_of_this_numpy_are_read_at_any_protocol(protocol):
    data = pickle.dumps(TWO, protocol)
    # The frame around it is forged; the array in it is numpy's own, without the start and the end of its pickle.
    inner = data[2:-1] if protocol >= 2 else data[:-1]
    if protocol == 4:
        inner = inner[9:]
    found = frame_from_pickle(forged(frame(["a", "b"], Raw(inner))))
    assert found["b"].tolist() == [3, 4]


class Attack:
    """Runs a command where it is unpickled."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


ATTACKS = {
    "os.system": pickle.dumps(Attack(os.system, "touch attacked")),
    "eval": pickle.dumps(Attack(eval, "open('attacked', 'w')")),
    "nested": pickle.dumps({"a": [Attack(os.path.join, Attack(eval, "open('attacked', 'w')"))]}, 0),
    "in a cell": forged(frame(["a"], array((1, 1), dtype("O8", "|"), [Call("posix system", ("touch attacked",))]))),
    "as data": forged(frame(["a", "b"], array((2, 2), dtype("i8"), Call("__builtin__ eval", ("1",))))),
    "by attribute": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__new__\x93.",
    "as a class": forged(Raw(b"(S'touch attacked'\nios\nsystem\n")),
    "as an instance": forged(Raw(b"(cos\nsystem\nS'touch attacked'\no")),
    "calls a value": forged(Raw(b"K\x01)R")),
    "calls an array": forged(Raw(b"cnumpy\nndarray\n)RK\x01\x85R")),
    "a state": forged(Raw(b"}}b")),
    "a second state": forged(Raw(b"cnumpy\nndarray\n)\x81}b}b")),
    "extension registry": forged(Raw(b"\x82\x01")),
    "large extension": forged(Raw(b"\x84\xff\xff\xff\x7f")),
    "persistent id": forged(Raw(b"P1\n")),
    "binary persistent id": forged(Raw(b"K\x01Q")),
    "out of band": b"\x80\x05\x97.",
    "unknown memo": forged(Raw(b"h\x07")),
    "far memo": forged(Raw(b"j\xff\xff\xff\xff")),
    "endless memo": forged(Raw(b"g99999999999999999999999999999999\n")),
    "nothing": b"",
    "only an end": b".",
    "no end": forged(1, end=b""),
    "below the mark": forged(Raw(b"K\x01(0")),
    "no mark": forged(Raw(b"t")),
    "two values": forged(Raw(b"K\x01K\x02")),
    "a set": pickle.dumps({1, 2}),
    "a number": pickle.dumps(1),
    "a series": forged(Raw(b"cpandas.core.series\nSeries\n)\x81")),
    "a large integer": forged(10**40),
    "long text of a number": b"L" + b"9" * 5000 + b"L\n.",
}


@pytest.mark.parametrize("data", ATTACKS.values(), ids=ATTACKS.keys())
def test_what_is_no_frame_is_refused_and_not_run(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        bounded(data)
    assert not list(tmp_path.iterdir())


def test_what_was_refused_is_named():
    with pytest.raises(UsageError, match=r"refers to posix\.system, which no table needs; nothing of it was run"):
        frame_from_pickle(ATTACKS["os.system"])


def bounded(data):
    """Read a pickle within bounds of time and memory."""
    tracemalloc.start()
    begin = time.process_time()
    try:
        return frame_from_pickle(data)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MEGABYTES * 2**20
        assert time.process_time() - begin < SECONDS


def laughs(depth, inner, make):
    """Return operations of a container that holds ten times one that holds ten times ... the ``inner`` one."""
    data = inner
    for level in range(depth):
        data += b"q" + bytes([level]) + b"0" + make(b"h" + bytes([level]))
    return Raw(data)


LISTS = laughs(40, b"K\x01", lambda recall: b"](" + 10 * recall + b"e")
TUPLES = laughs(40, b"K\x01", lambda recall: b"(" + 10 * recall + b"t")
HUGE = 10**10

BOMBS = {
    "10 GB of bytes": forged(frame(["a"], two(b"", (1, HUGE), "i1"))),
    "10 GB of objects": forged(frame(["a"], array((1, HUGE), dtype("O8", "|"), []))),
    "10 GB without a state": forged(
        Call("numpy.core.multiarray _reconstruct", (Raw(b"cnumpy\nndarray\n"), (HUGE,), b"b"))
    ),
    "10 GB of a bytearray": forged(Call("__builtin__ bytearray", (HUGE,))),
    "negative sizes": forged(frame(["a"], two(b"", (-1, -HUGE), "i1"))),
    "many dimensions": forged(frame(["a"], two(b"", (1,) * 50, "i1"))),
    "wide text": forged(frame(["a"], two(b"", (1, 1), "S1000000000"))),
    "a record": forged(frame(["a"], two(b"", (1, 1), "V8"))),
    "many rows": forged(frame(["a"], two(b"", (1, 0), "i8"), rows=Raw(b"K\x01"))),
    "many columns": forged(
        frame(["a", "b"], two(), places=Call("__builtin__ slice", (0, HUGE, 1)), rows=index(["p"] * 3))
    ),
    "lists as cells": forged(frame(["a"], array((1, 1), dtype("O8", "|"), [LISTS]))),
    "lists as data": forged(frame(["a"], array((1, 10), dtype("O8", "|"), LISTS))),
    "tuples as a key": forged(Raw(b"}" + TUPLES.data + b"K\x01s")),
    "tuples as a shape": forged(frame(["a"], two(b"", TUPLES))),
    "tuples as names": forged(frame([TUPLES], two())),
    "memo": forged(Raw(b"".join(b"r" + (2**32 - 1 - place).to_bytes(4, "little") for place in range(50_000)))),
    "itself": forged(Raw(b"]q\x00h\x00a")),
    "two columns of one name": forged(frame(["a", "a"], two())),
    "a column twice": forged(frame(["a", "b"], two(), places=array((2,), dtype("i8"), np.array([0, 0]).tobytes()))),
    "a step of zero": forged(frame(["a", "b"], two(), places=Call("__builtin__ slice", (0, 2, 0)))),
    "other data": forged(frame(["a", "b"], two(b"short"))),
    "wide characters": forged(frame(["a", "b"], two("\u20ac" * 32))),
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_what_would_grow_is_refused_in_bounded_time_and_memory(data):
    with pytest.raises(UsageError):
        bounded(data)


def test_one_piece_of_data_cannot_stand_for_too_many_arrays(monkeypatch):
    size = 2**20
    first = Raw(b"T" + size.to_bytes(4, "little") + b"x" * size + b"q\x05")
    again = [Raw(b"h\x05")] * 99
    blocks = [
        {
            "values": array((1, size), dtype("i1"), data),
            "mgr_locs": array((1,), dtype("i8"), place.to_bytes(8, "little")),
        }
        for place, data in enumerate([first, *again])
    ]
    data = forged(frame([f"c{place}" for place in range(100)], blocks))
    monkeypatch.setattr("perfcast.tables.pickled_frames.MAX_BUILT_BYTES", 50 * size)
    with pytest.raises(UsageError, match="would need more than 50 MiB"):
        frame_from_pickle(data)


def test_too_many_operations_are_refused(monkeypatch):
    monkeypatch.setattr("perfcast.tables.pickles.MAX_OPERATIONS", 1000)
    with pytest.raises(UsageError, match="more than 1,000 operations"):
        frame_from_pickle(forged(Raw(b"N" * 2000)))


def test_too_much_data_is_refused(monkeypatch):
    monkeypatch.setattr("perfcast.tables.pickles.MAX_BYTES", 1000)
    with pytest.raises(UsageError, match="save it as CSV"):
        frame_from_pickle(b"N" * 2000)


@pytest.mark.parametrize("text", [rb"'\p'", rb"'\777'", rb"'\x4'", rb"'\'", b"'\xc3'"])
def test_text_with_a_wrong_escape_is_refused(text):
    with pytest.raises(UsageError, match="is not a complete pickle"):
        frame_from_pickle(b"S" + text + b"\n.")


SOUND = forged(frame(["a", "b"], two()))
OPERATIONS = [operation.code.encode("latin-1") for operation in pickletools.opcodes]


def frame_or_refusal(data):
    with contextlib.suppress(UsageError):
        assert isinstance(bounded(data), pd.DataFrame)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_refused(data):
    frame_or_refusal(data)


@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.binary(max_size=6)), max_size=60))
def test_any_operations_are_a_frame_or_refused(parts):
    frame_or_refusal(b"\x80\x02" + b"".join(code + rest for code, rest in parts) + b".")


PLACES = st.integers(0, len(SOUND) - 1)
EDITS = st.tuples(PLACES, st.sampled_from(["change", "remove", "insert", "repeat"]), st.binary(min_size=1, max_size=8))


@given(st.lists(EDITS, min_size=1, max_size=4))
def test_a_damaged_frame_is_a_frame_or_refused(edits):
    data = SOUND
    for place, kind, piece in edits:
        if kind == "change":
            data = data[:place] + piece + data[place + len(piece) :]
        elif kind == "remove":
            data = data[:place] + data[place + len(piece) :]
        elif kind == "insert":
            data = data[:place] + piece + data[place:]
        else:
            data = data[:place] + data[place // 2 : place] + data[place:]
    frame_or_refusal(data)
