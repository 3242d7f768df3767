"""Rows of tables from elsewhere: what is left out, merged or doubted, each by its row and why."""

import numpy as np
import pandas as pd
import pytest

from perfcast.errors import DataError, UsageError
from perfcast.tables.dataset import import_table
from perfcast.tables.mapping import load_mapping
from perfcast.tables.reading import read_tables
from tests.unit.tables.test_imports import MAPPING, imported, problems, rows, write_mapping

TWO = {"metrics": MAPPING["metrics"] | {"power_mw": {"column": "mw", "unit": "mW"}}}


def named_by_size():
    table = rows()
    return table.assign(name=[f"{'abcd'[i % 4]}net{i}_{size}" for i, size in enumerate(table["size"])])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "is missing"),
        ("?", "is missing"),
        ("inf", "is infinite"),
        ("-32", "is not a size of an input"),
        ("1e30", "is not a size of an input"),
    ],
)
def test_invalid_size_excludes_its_row_only(tmp_path, value, problem):
    table = named_by_size().assign(width=rows()["size"]).astype({"width": object})
    table.loc[4, "width"] = value
    found = imported(tmp_path, table, input_size="width")
    assert problems(found) == [(6, "width", problem, "excluded")]
    assert found.dataset["input_size"].dtype.kind == "i"
    assert list(found.dataset["network"]) == [f"{'abcd'[i % 4]}net{i}" for i in range(16) if i != 4]


def test_sizes_in_names_may_be_integers_or_fractions(tmp_path):
    table = named_by_size().astype({"size": float})
    table.loc[4, ["size", "name"]] = [0.5, "anet4_0.5"]
    assert set(imported(tmp_path, table).dataset["network"]) == {f"{'abcd'[i % 4]}net{i}" for i in range(16)}


def test_name_that_ends_in_zero_stays_without_sizes(tmp_path):
    table = rows().assign(name=[f"net_{i}" for i in range(16)])
    assert "net_0" in set(imported(tmp_path, table, input_size=None).dataset["network"])


@pytest.mark.parametrize(("column", "change"), [("name", {}), ("group", {"family": {"column": "group"}})])
def test_rows_without_a_name_or_family_are_excluded(tmp_path, column, change):
    table = rows().assign(group=["g", "h"] * 8)
    table.loc[[1, 8], column] = ["?", ""]
    found = imported(tmp_path, table, **change)
    assert problems(found) == [(row, column, "is missing", "excluded") for row in (3, 10)]
    assert len(found.dataset) == 14


def test_text_too_long_for_a_pattern_is_excluded(tmp_path):
    table = rows()
    table.loc[2, "name"] = "a" * 1001
    assert problems(imported(tmp_path, table)) == [(4, "name", "is longer than 1,000 characters", "excluded")]


@pytest.mark.parametrize(
    ("value", "problem"), [("-5", "is negative"), ("1e308", "is out of range"), ("-2e30", "is out of range")]
)
def test_impossible_features_are_excluded_by_row(tmp_path, value, problem):
    table = rows().astype({"flops": object})
    table.loc[4, "flops"] = value
    found = imported(tmp_path, table)
    assert (6, "flops", problem, "excluded") in problems(found)
    assert found.problems["value"][0] == value
    assert len(found.dataset) == 15


def test_unknown_features_may_be_negative(tmp_path):
    found = imported(tmp_path, rows().assign(celsius=np.arange(-20.0, -4)), features=[*MAPPING["features"], "celsius"])
    assert problems(found) == []
    assert found.dataset["celsius"].min() == -20


@pytest.mark.parametrize("value", [1e31, 1e-31, 1e308])
def test_values_out_of_range_are_excluded(tmp_path, value):
    table = rows()
    table.loc[3, "ms"] = value
    assert problems(imported(tmp_path, table)) == [(5, "ms", "is out of range", "excluded")]


def test_row_without_a_value_keeps_the_one_that_has_it(tmp_path):
    table = rows()
    blank = table.iloc[[0]].assign(ms=np.nan)
    found = imported(tmp_path, pd.concat([blank, table]))
    assert problems(found) == [(2, "ms", "is missing", "excluded")]
    assert len(found.dataset) == 16
    assert found.dataset["latency_ms"].notna().all()


def test_rows_that_complement_each_other_are_merged(tmp_path):
    table = rows().assign(mw=np.linspace(1, 2, 16))
    first, second = table.iloc[[7]].assign(mw=np.nan), table.iloc[[7]].assign(ms=np.nan)
    found = imported(tmp_path, pd.concat([first, second, table.drop(7)]), **TWO)
    assert problems(found) == [
        (2, "mw", "is missing", "excluded"),
        (3, "", "has the features of an earlier row, and a value that it lacks", "added to that row"),
        (3, "ms", "is missing", "excluded"),
    ]
    merged = found.dataset.iloc[0]
    assert (merged["latency_ms"], merged["power_mw"]) == (table.loc[7, "ms"], table.loc[7, "mw"])
    assert len(found.dataset) == 16


def test_rows_may_contradict_in_one_metric_alone(tmp_path):
    table = rows().assign(mw=np.linspace(1, 2, 16))
    found = imported(tmp_path, pd.concat([table, table.iloc[[5]].assign(mw=9.0)]), **TWO)
    assert problems(found) == [
        (7, "mw", "is contradicted by a later row with the same features", "kept"),
        (18, "mw", "contradicts an earlier row with the same features", "excluded"),
    ]
    assert list(found.problems["value"].astype(float)) == [table.loc[5, "mw"], 9.0]
    assert found.dataset["power_mw"][5] == table.loc[5, "mw"]


def test_outliers_of_several_metrics_are_found(tmp_path):
    names = [f"m{i}" for i in range(10)]
    table = rows(30)
    random = np.random.default_rng(3)
    for place, name in enumerate(names):
        table[name] = (place + 1) * table["ms"] * random.lognormal(0, 0.02, 30)
        table.loc[[3 * place, 3 * place + 1, 3 * place + 2], name] *= 1e4
    metrics = {name: {"column": name, "unit": f"unit {name}"} for name in names}
    found = imported(tmp_path, table.drop(columns="ms"), metrics=metrics)
    flagged = {(row.row, row.column) for row in found.problems.itertuples()}
    wild = {(3 * place + 2 + more, name) for place, name in enumerate(names) for more in range(3)}
    assert flagged <= wild
    assert len(flagged) >= 27


@pytest.mark.parametrize("values", [{"b": np.nan}, {"b": 4.0, "c": 4.0}])
def test_metrics_may_be_empty_or_constant(tmp_path, values):
    metrics = {f"{name}_ms": {"column": name, "unit": "ms"} for name in ("ms", "b", "c")}
    table = rows().assign(b=rows()["ms"] * 2, c=rows()["ms"] * 3).assign(**values)
    found = imported(tmp_path, table, metrics=metrics)
    assert found.dataset["ms_ms"].notna().all()


def test_names_are_made_unique_among_existing_ones(tmp_path):
    table = rows(5).assign(name=["a", "a", "a#2", "a", "b"])
    assert list(imported(tmp_path, table).dataset["model"]) == ["a", "a#3", "a#2", "a#4", "b"]


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        (
            rows().assign(flops=np.inf),
            {},
            r"excluded: 16 rows where a feature is missing or infinite: 2, 3, 4 and 13 more",
        ),
        (
            rows(),
            {"only": {"layers": ["none"]}, "features": None},
            "excluded: 16 rows where layers is not none: 2, 3, 4 and 13 more",
        ),
        (rows().assign(kind="x"), {"one_hot": {"kind": {"values": ["a", "b"]}}}, "16 rows where a feature is missing"),
        (rows().assign(size=1, flops=1, layers=1), {}, "all features are the same in 1 row left"),
        (rows().head(0), {}, "there are no rows"),
    ],
)
def test_error_says_why_no_row_is_left(tmp_path, table, change, reason):
    with pytest.raises(DataError, match=reason) as caught:
        imported(tmp_path, table, **change)
    assert "\n" not in str(caught.value)


def test_dates_are_not_numbers(tmp_path):
    table = rows().assign(day=pd.date_range("2024-01-01", periods=16))
    table.to_parquet(tmp_path / "table.parquet")
    for features, columns in ((None, ("flops", "layers")), (["flops", "day"], None)):
        mapping = load_mapping(write_mapping(tmp_path, features=features))
        read = read_tables([tmp_path / "table.parquet"], mapping)
        if columns:
            assert import_table(read, mapping).features == columns
        else:
            with pytest.raises(UsageError, match=r"column 'day' holds what is not a number \(row 1: '2024-01-01"):
                import_table(read, mapping)


def test_markers_count_in_parquet_tables_too(tmp_path):
    table = rows().assign(kind="a", text="b").astype({"layers": float, "kind": "category", "text": object})
    table.loc[3, "layers"] = -1
    table["kind"] = table["kind"].cat.add_categories("?")
    table.loc[5, "kind"] = table.loc[6, "text"] = "?"
    table["lists"] = [np.arange(2)] * 16
    table.to_parquet(tmp_path / "table.parquet")
    mapping = load_mapping(write_mapping(tmp_path, missing=["?", "-1"]))
    read = read_tables([tmp_path / "table.parquet"], mapping)
    assert [list(np.flatnonzero(read[name].isna())) for name in ("layers", "kind", "text", "lists")] == [
        [3],
        [5],
        [6],
        [],
    ]


def test_unlearned_metrics_are_not_features(tmp_path):
    metrics = MAPPING["metrics"] | {"power_mw": {"column": "mw", "unit": "mW", "optional": True}}
    found = imported(tmp_path, rows().assign(mw=rows()["ms"] * 7), metrics=metrics, features=None)
    assert found.features == ("flops", "layers")
