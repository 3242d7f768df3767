"""Files that tables from elsewhere come in: where each row stands, and what is refused in one line."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from perfcast.errors import UsageError
from perfcast.tables.mapping import load_mapping
from perfcast.tables.reading import read_tables
from tests.unit.tables.test_imports import imported, problems, rows, write_mapping


def read(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_tables([path], load_mapping(write_mapping(folder)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,size,flops,layers,ms\nx,1,2,3,4,\ny,1,2,3,4,\n", "line 2 has 6 fields, the first 5"),
        ("name,size,flops,layers,ms\n0,x,1,2,3,4\n1,y,1,2,3,4\n", "line 2 has 6 fields, the first 5"),
        ('name,size,flops,layers,ms\n"x\ny",1,2,3,4\n\nz,1,2\n', "line 5 has 3 fields, the first 5"),
        ("name,size,flops,layers,ms,size\nx,1,2,3,4,5\n", "'size' names two columns; rename one"),
        ("name,size,flops,layers,ms,__row__\nx,1,2,3,4,5\n", "'__row__' is a reserved name"),
        ("\n\n", "is empty"),
        ('name,size,flops,layers,ms\n"x"y,1,2,3,4\n', "cannot be read as a table"),
    ],
)
def test_row_with_a_wrong_number_of_fields_is_refused(tmp_path, content, message):
    with pytest.raises(UsageError, match=f"table.csv: .*{message}"):
        read(tmp_path, "table.csv", content)


def packed(name):
    text = rows().to_csv(index=False).encode()
    if name.endswith("gz"):
        data = gzip.compress(text)
        return data[:60] + bytes(40) + data[100:]
    return b"junk " * 100


@pytest.mark.parametrize("ending", ["csv.gz", "csv.bz2", "csv.zip", "csv.xz", "csv.tar", "csv.zst", "tar.gz"])
def test_damaged_or_unknown_compression_is_refused(tmp_path, ending):
    with pytest.raises(UsageError, match=rf"table\.{ending}: cannot be read") as caught:
        read(tmp_path, f"table.{ending}", packed(ending))
    assert "\n" not in str(caught.value)


def test_compressed_table_is_read(tmp_path):
    text, found = rows().to_csv(index=False).encode(), io.BytesIO()
    with tarfile.open(fileobj=found, mode="w") as archive:
        member = tarfile.TarInfo("table.csv")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    assert len(read(tmp_path, "table.csv.tar", found.getvalue())) == 16


def test_rows_are_the_lines_of_the_file(tmp_path):
    table = rows().assign(note="").astype({"flops": object})
    table.loc[0, "note"] = "one\ntwo\nthree"
    table.loc[3, "flops"] = "?"
    lines = table.to_csv(index=False).split("\n")
    lines.insert(4, "")
    found = imported(tmp_path, "\n".join(lines))
    (line,) = np.flatnonzero(["?" in each for each in lines])
    assert problems(found) == [(line + 1, "", "a feature is missing or infinite", "excluded")]


def test_a_row_of_commas_is_a_row_and_an_empty_line_is_none(tmp_path):
    found = imported(tmp_path, rows().to_csv(index=False) + ",,,,\n\n\n")
    assert problems(found) == [(18, column, "is missing", "excluded") for column in ("name", "size")]


def test_columns_without_a_name_do_not_matter(tmp_path):
    text = "\n".join(f"{line},," for line in rows().to_csv(index=False).splitlines())
    assert len(imported(tmp_path, text).dataset) == 16
