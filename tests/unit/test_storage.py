import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import StoreError
from perfcast.storage import canonical_json, digest_of_json, read_json, replacing, write_json, write_table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_failed_write_leaves_only_the_old_file(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        _write_half(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def _write_half(target):
    with replacing(target) as aside:
        aside.write_text("half")
        raise RuntimeError


def test_folders_are_created_and_files_world_readable(tmp_path):
    write_json(tmp_path / "a" / "b.json", [1])
    assert (tmp_path / "a" / "b.json").stat().st_mode & 0o777 == 0o644


@given(JSON)
def test_canonical_json_keeps_values_in_sorted_keys(value):
    assert json.loads(canonical_json(value)) == value
    if isinstance(value, dict):
        assert digest_of_json(dict(reversed(list(value.items())))) == digest_of_json(value)


def test_nan_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_invalid_json_is_one_line_with_the_file(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"x\.json") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("ending", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_tables_are_written_by_file_extension(tmp_path, ending, read):
    table = pd.DataFrame({"model": ["a", "b"], "flops": [1, 2]})
    write_table(tmp_path / f"t.{ending}", table)
    pd.testing.assert_frame_equal(read(tmp_path / f"t.{ending}"), table)
