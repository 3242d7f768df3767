"""Text tables: the same cells and lines as the `csv` module finds, however they are quoted and cut into parts."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import UsageError
from perfcast.tables.text_tables import ROW, Layout, text_parts

CELLS = st.text(st.sampled_from("ab1., ;\"\n\r\t'#\x00é"), max_size=5)
NAMES = ("x", "y", "z")


def read(folder, text, **options):
    path = folder / "table.csv"
    path.write_bytes(text.encode())
    rows = options.pop("rows", 3)
    layout = Layout(options.pop("names", NAMES), **{"has_header": False} | options)
    return pd.concat(text_parts(path, layout, rows), ignore_index=True)


def records(text, delimiter):
    """Return the line and the fields of each record, as the `csv` module finds them."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    found, begin = [], 1
    for fields in reader:
        if fields:
            found.append((begin, fields))
        begin = reader.line_num + 1
    return found


@given(
    st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=8)),
    st.sampled_from(",\t"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
    st.integers(1, 4),
)
def test_any_table_is_read_as_by_the_csv_module(tmp_path_factory, rows, delimiter, quoting, end, most):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    text = written.getvalue()
    expected = records(text, delimiter)
    names = NAMES[: len(expected[0][1])] if expected else NAMES
    folder = tmp_path_factory.mktemp("text")
    if len({len(fields) for _, fields in expected}) > 1:  # The writer leaves a lone carriage return without quotes.
        with pytest.raises(UsageError, match="cannot be read as a table: line"):
            read(folder, text, names=names, delimiter=delimiter, rows=most)
        return
    found = read(folder, text, names=names, delimiter=delimiter, rows=most)
    assert found[ROW].tolist() == [line for line, _ in expected]
    assert found[list(names)].to_numpy().tolist() == [fields for _, fields in expected]


def test_quotes_cost_only_their_part_the_csv_module(tmp_path):
    text = 'a,1,2\n"b\nb",3,4\nc,5,6\n\nd,7,8\n'
    for rows in (1, 2, 3, 100):
        found = read(tmp_path, text, rows=rows)
        assert found[ROW].tolist() == [1, 2, 4, 6]
        assert found["x"].tolist() == ["a", "b\nb", "c", "d"]


def test_numbers_are_read_where_they_are_asked_for(tmp_path):
    found = read(tmp_path, '1;"1,5";a\n2;;b\n', delimiter=";", as_text=False)
    assert found["y"].iloc[0] == 1.5
    assert found["y"].isna().tolist() == [False, True]


def test_decimal_commas_become_points_in_text_between_semicolons(tmp_path):
    found = read(tmp_path, "1,5;2,5 ms;a,b\n", delimiter=";")
    assert found[list(NAMES)].to_numpy().tolist() == [["1.5", "2.5 ms", "a,b"]]


@pytest.mark.parametrize("text", ["a,b,c\n1,2\n", "a,b,c\n1,2,3,4\n", 'a,b,c\n"1",2\n', "a,b,c\n \n"])
def test_a_line_with_other_fields_is_named(tmp_path, text):
    with pytest.raises(UsageError, match=r"table\.csv: cannot be read as a table: line 2 has \d fields?, the first 3"):
        read(tmp_path, text)
