"""Test results from several tables: merged on what names a row, and every row that does not fit is listed."""

import pandas as pd
import pytest

from perfcast.errors import UsageError
from perfcast.studies.factors.roles import Asked
from perfcast.studies.factors.source import read_source

INFO = "TestId,device,threads\n1,a,1\n2,a,2\n3,b,1\n4,b,2\n"
TIMES = "TestId,Time (ms)\n1,10\n2,6\n3,20\n4,11\n"


def read(folder, *tables, **asked):
    paths = []
    for number, text in enumerate(tables):
        path = folder / f"table{number}.csv"
        path.write_text(text)
        paths.append(path)
    return read_source(paths, Asked(**asked)).results


def problems(results):
    rows = results.problems.sort_values(["table", "row"])
    return [
        (path[-5], row, column, problem)
        for path, row, column, problem in rows[["table", "row", "column", "problem"]].itertuples(index=False)
    ]


def test_tables_are_merged_on_the_column_that_they_share(tmp_path):
    results = read(tmp_path, INFO, TIMES)
    assert results.roles.id == "TestId"
    assert results.rows["Time (ms)"].tolist() == [10, 6, 20, 11]
    assert results.problem_count == 0


def test_semicolons_and_decimal_commas_are_read(tmp_path):
    results = read(tmp_path, "TestId;device;Time (ms)\n1;a;10,5\n2;a;6\n3;b;20,25\n4;b;11 ms\n")
    assert results.rows["Time (ms)"].tolist() == [10.5, 6, 20.25, 11]


def test_unmatched_rows_are_listed_in_both_tables(tmp_path):
    results = read(tmp_path, INFO + "9,b,4\n", TIMES + "8,5\n")
    assert [(place, row) for place, row, *_ in problems(results)] == [("0", 6), ("1", 6)]
    assert all("has no row of this id in" in what for *_, what in problems(results))
    assert results.total == 4


def test_repeated_and_contradicting_rows_are_listed(tmp_path):
    results = read(tmp_path, INFO, TIMES + "2,6\n3,25\n")
    assert problems(results) == [
        ("1", 4, "TestId", "is contradicted by a later row with this id"),
        ("1", 6, "TestId", "repeats an earlier row"),
        ("1", 7, "TestId", "contradicts an earlier row with this id"),
    ]
    assert results.rows["Time (ms)"].tolist() == [10, 6, 20, 11]


def test_values_that_differ_between_tables_are_listed(tmp_path):
    results = read(tmp_path, INFO, "TestId,threads,Time (ms)\n1,1,10\n2,4,6\n3,1.0,20\n4,2,11\n")
    ((place, row, column, what),) = problems(results)
    assert (place, row, column) == ("1", 3, "threads")
    assert "whose value counts" in what


def test_ids_are_the_same_however_they_are_written(tmp_path):
    results = read(tmp_path, INFO, "TestId,Time (ms)\n1.0,10\n2,6\n 3 ,20\n4,11\n")
    assert results.total == 4


def test_tables_of_the_same_columns_are_put_below_each_other(tmp_path):
    table = "device,threads,Time (ms)\n"
    results = read(tmp_path, f"{table}a,1,10\na,2,6\n", f"{table}b,1,20\nb,2,11\n")
    assert results.total == 4


def test_a_row_that_is_twice_in_one_table_is_listed(tmp_path):
    whole = "TestId,device,Time (ms)\n" + "".join(f"{n},{'ab'[n % 2]},{n + 10}\n" for n in range(10))
    results = read(tmp_path, f"{whole}3,b,13\n")
    assert [what for *_, what in problems(results)] == ["repeats an earlier row"]
    assert results.total == 10


@pytest.mark.parametrize(
    ("tables", "asked", "words"),
    [
        ((INFO, "Number,Time (ms)\n1,10\n"), {}, "no column is in all of them; name it with --id"),
        ((INFO, "Number,Time (ms)\n1,10\n"), {"id": "TestId"}, "there is no column 'TestId' to merge on"),
        ((INFO, "TestId,Time (ms)\n7,10\n"), {}, "no row is in all tables"),
        (("a,b,x\n1,2,3\n", "a,b,Time (ms)\n1,2,3\n"), {}, "several could be: a, b; name it with --id"),
        ((INFO,), {}, "no column has a unit of time or memory"),
        ((TIMES,), {"metrics": ("Memory",)}, "--metrics: there is no column 'Memory'; there are TestId, Time"),
        ((TIMES,), {"factors": ("Time (ms)", "x")}, "--factors: there is no column 'x'"),
        (("a,Time (ms)\n",), {}, "has no rows"),
    ],
)
def test_what_cannot_be_merged_is_refused_in_one_line(tmp_path, tables, asked, words):
    with pytest.raises(UsageError) as refused:
        read(tmp_path, *tables, **asked)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_datasets_and_tables_do_not_mix(tmp_path):
    (tmp_path / "table.csv").write_text(TIMES)
    pd.DataFrame({"model": ["m"], "latency_ms": [1.0]}).to_parquet(tmp_path / "dataset.parquet")
    with pytest.raises(UsageError, match="not a dataset of perfcast, as others are"):
        read_source([tmp_path / "dataset.parquet", tmp_path / "table.csv"], Asked())
