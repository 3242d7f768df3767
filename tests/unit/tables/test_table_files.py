"""Files of tables: the same rows from each kind, part by part, and one line for each that cannot be read."""

import gzip
import json
import zipfile

import pandas as pd
import pytest

from perfcast.errors import UsageError
from perfcast.tables.files import table_parts
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW
from tests.unit.tables.forged_pickles import array, dtype, forged, frame

ROWS = pd.DataFrame({"name": ["x", "y", "z"], "Time (ms)": [1.5, 2.0, 3.0]})


def write(folder, kind):
    path = folder / f"table{kind}"
    if kind == ".csv":
        path.write_text(ROWS.to_csv(index=False))
    elif kind == ".csv.gz":
        path.write_bytes(gzip.compress(ROWS.to_csv(index=False).encode()))
    elif kind == ".tsv":
        path.write_text(ROWS.to_csv(index=False, sep="\t"))
    elif kind == ".parquet":
        ROWS.to_parquet(path)
    elif kind == ".xlsx":
        ROWS.to_excel(path, index=False)
    elif kind == ".json":
        path.write_text(json.dumps(ROWS.to_dict("records")))
    elif kind == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS.to_dict("records")))
    else:
        values = array((2, 3), dtype("O8", "|"), ["x", "y", "z", 1.5, 2.0, 3.0])
        path.write_bytes(forged(frame(["name", "Time (ms)"], values)))
    return path


@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".tsv", ".parquet", ".xlsx", ".json", ".jsonl", ".pickle"])
def test_each_kind_of_file_holds_the_same_rows(tmp_path, kind):
    path = write(tmp_path, kind)
    found = pd.concat(table_parts(path, rows=2), ignore_index=True)
    assert found["name"].tolist() == ["x", "y", "z"]
    assert found["Time (ms)"].astype(float).tolist() == [1.5, 2.0, 3.0]
    first = 2 if kind in (".csv", ".csv.gz", ".tsv") else 1
    assert found[ROW].tolist() == [first, first + 1, first + 2]
    assert set(found[TABLE]) == {str(path)}


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_long_tables_come_in_parts(tmp_path, kind):
    assert [len(part) for part in table_parts(write(tmp_path, kind), rows=2)] == [2, 1]


def test_columns_of_lists_are_a_table(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(ROWS.to_dict("list")))
    (found,) = table_parts(path)
    assert found["name"].tolist() == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("table.docx", b"", "not a table of a known kind; known are .csv"),
        ("table", b"", "not a table of a known kind"),
        ("table.csv", b"a,b\n1,2,3\n", "line 2 has 3 fields, the first 2"),
        ("table.csv", b"", "is empty"),
        ("table.csv", b"a,a\n1,2\n", "'a' names two columns"),
        ("table.csv", b"a\n\xff\xfe\n", "is not UTF-8 text"),
        ("table.csv.gz", b"not packed", "cannot be read"),
        ("table.parquet", b"PAR1", "cannot be read as a table"),
        ("table.xlsx", b"PK", "cannot be read"),
        ("table.json", b"{", "cannot be read as a table"),
        ("table.json", b"[1, 2]", "write a list of mappings"),
        ("table.json", b"[]", "write a list of mappings"),
        ("table.json", b'{"a": [1], "b": [1, 2]}', "columns must be lists of one length"),
        ("table.json", b"[" * 100_000, "nested too deeply"),
        ("table.pickle", b"cos\nsystem\n(S'x'\ntR.", "refers to os.system"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words) as refused:
        list(table_parts(tmp_path / name))
    assert str(refused.value).startswith(str(tmp_path / name))
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="there is no such file"):
        list(table_parts(tmp_path / "table.csv"))


def test_an_excel_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("perfcast.tables.files.MAX_WHOLE_BYTES", 10_000)
    path = tmp_path / "table.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 1_000_000)
    with pytest.raises(UsageError, match="unpacks to more than"):
        list(table_parts(path))
