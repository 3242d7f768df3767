"""What tables `perfcast study scaling` reads, and what it says of those that it cannot use."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import UsageError
from perfcast.studies.scaling import cells
from perfcast.studies.scaling.columns import Choices
from perfcast.studies.scaling.numbers import times_in
from perfcast.studies.scaling.observations import observe
from tests.unit.simulated_scaling import DOCUMENT, combinations, power_law


@pytest.fixture
def document():
    """A table as the document's: 48 combinations, total and mean times in s."""
    table = combinations(DOCUMENT).astype(int)
    total = np.exp(power_law(table))
    return table.assign(TotalTime=total, MeanTime=total / 10)


def written(folder, table, name="times.csv", **options):
    path = folder / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".json":
        table.to_json(path, orient="records")
    elif path.suffix == ".xlsx":
        table.to_excel(path, index=False)
    else:
        table.to_csv(path, **{"index": False, **options})
    return path


def one(path, **choices):
    (found,) = observe(path, Choices(**choices))
    return found


def columns_of(observations):
    return [factor.column for factor in observations.factors]


@pytest.mark.parametrize(
    "name", ["times.csv", "times.csv.gz", "times.txt", "times.parquet", "times.json", "times.xlsx"]
)
def test_the_documents_table_is_read_whatever_the_file(tmp_path, document, name):
    found = one(written(tmp_path, document, name))
    assert columns_of(found) == ["Layers", "BatchSize", "ConvSize"]
    assert (found.label, found.seen, found.time, found.total) == ("times", 48, "MeanTime", "TotalTime")
    assert found.has_unit
    assert found.cells["inputs"].eq(2000).all()
    assert np.allclose(found.cells.sort_values(columns_of(found))["time"], document["MeanTime"])


def test_headings_with_spaces_and_an_index_column_are_the_same(tmp_path, document):
    names = {"BatchSize": "Batch Size", "ConvSize": "Convolution Size", "MeanTime": "Mean Time"}
    found = one(written(tmp_path, document.rename(columns=names), index=True))
    assert columns_of(found) == ["Layers", "Batch Size", "Convolution Size"]
    assert [factor.role for factor in found.factors] == ["layers", "batch", "filter_size"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_found(tmp_path, document, separator):
    assert len(one(written(tmp_path, document, sep=separator)).cells) == 48


def test_decimal_commas_are_read_where_semicolons_separate(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Layers;MeanTime\n4;0,5\n6;1,5\n8;2,5\n")
    assert sorted(one(path).cells["time"]) == [0.5, 1.5, 2.5]


def test_long_names_are_cut(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"{'size' * 100};took\x1b_ms\n4;5\n6;7\n8;9\n")
    found = one(path)
    assert len(found.factors[0].label) < 70
    assert found.time == "took�_ms"


def test_a_sweeps_dataset_is_parted_by_family_and_rejected_rows_are_left_out(tmp_path):
    table = combinations({"layers": (4, 6, 8), "filter_size": (3, 5), "training_batch": (1, 16)})
    table = table.assign(batch=table["training_batch"], mean_s=np.exp(table["layers"]), total_s=1.0, accuracy=0.9)
    table = table.assign(
        status="trusted", evaluation_inputs=500, data_source="digits", samples_s=[[1.0, 2.0]] * len(table)
    )
    both = pd.concat([table.assign(family="text"), table.assign(family="images")], ignore_index=True)
    both.loc[0, ["status", "mean_s"]] = ["rejected", 1e9]
    both.loc[1, ["status", "mean_s"]] = ["timed_out", np.nan]
    both.loc[2, "status"] = "noisy"
    images, text = observe(written(tmp_path, both, "sweep.parquet"), Choices())
    assert (images.label, text.label) == ("sweep · images", "sweep · text")
    assert (images.seen, text.seen) == (12, 10)
    assert columns_of(text) == ["layers", "filter_size", "batch"]
    notes = " ".join(text.notes)
    assert "2 not measured, or rejected" in notes
    assert "1 of 22 times are of noisy measurements" in notes
    assert "training batch size (they vary along with another factor)" in notes
    assert text.cells["inputs"].eq(500).all()


def test_a_results_folder_gives_factors_and_features(tmp_path):
    random = np.random.default_rng(0)
    table = combinations({"batch": (1, 4, 16), "threads": (1, 2), "macs": (1e6, 1e7, 1e8)})
    table = table.assign(model="a", measurement=range(len(table)), latency_ms=random.uniform(1, 2, len(table)))
    table = table.assign(toolchain="tensorflow", clock_mhz=np.nan, parameters=3 * table["macs"], status="measured")
    (tmp_path / "local").mkdir()
    found = one(written(tmp_path / "local", table, "dataset.parquet").parent)
    assert found.label == "local"
    assert columns_of(found) == ["threads", "batch", "parameters"]
    assert found.cells["time"].between(1e-3, 2e-3).all()
    assert found.cells["inputs"].eq(found.cells["batch"]).all()
    assert "they vary along with another factor" in " ".join(found.notes)
    assert "clock" not in " ".join(found.notes)


def test_a_table_of_ones_own_is_read_by_the_columns_named(tmp_path):
    table = combinations({"width": (8, 16, 32), "depth": (2, 4)}).assign(took=5.0, comment="x", other_ms=1.0)
    path = written(tmp_path, table)
    found = one(path, time="took", factors=("width",), unit="ms")
    assert columns_of(found) == ["width"]
    assert found.cells["time"].eq(0.005).all()
    plain = one(path)
    assert (plain.time, columns_of(plain)) == ("other_ms", ["width", "depth"])
    assert "Columns without numbers are not used: comment" in " ".join(plain.notes)
    unknown = one(path, time="took")
    assert not unknown.has_unit
    assert "Nothing says which unit took has; --unit does." in unknown.notes


def test_times_with_units_of_their_own_are_converted(tmp_path):
    table = pd.DataFrame({"size": [1, 2, 3, 4, 5], "time": ["1 ms", "0.002 s", "3000us", "4", "fast"]})
    found = one(written(tmp_path, table))
    assert sorted(found.cells["time"]) == [0.001, 0.002, 0.003]
    notes = " ".join(found.notes)
    assert "1 with something else than a number in time ('fast')" in notes
    assert "1 with no unit in time, beside times with one" in notes
    assert "3 times carry their unit, and were converted" in notes


def test_times_of_one_combination_that_differ_as_s_and_ms_do_are_noticed(tmp_path):
    table = pd.DataFrame({"size": [1, 1, 2, 2], "time_s": [0.1, 100.0, 0.2, 0.2]})
    assert "mixed units?" in " ".join(one(written(tmp_path, table)).notes)


@pytest.mark.parametrize(
    ("change", "choices", "words"),
    [
        (lambda t: t.drop(columns=["MeanTime", "TotalTime"]), {}, "has no column of times among Layers"),
        (lambda t: t.assign(MeanTime=np.nan, TotalTime=np.nan), {}, "no row has a time in MeanTime; 48 with no value"),
        (lambda t: t.assign(MeanTime=-1.0), {}, "no row has a time in MeanTime; 48 with no positive MeanTime"),
        (lambda t: t.assign(MeanTime="x"), {}, "column MeanTime holds no numbers; name that of the times with --time"),
        (
            lambda t: t.assign(Layers=4, BatchSize=1, ConvSize=3),
            {},
            "no factor varies (layers, batch size, filter size)",
        ),
        (lambda t: t.head(0), {}, "no row has a time in MeanTime; it has no rows"),
        (lambda t: t, {"time": "Time"}, "no column Time, which --time names; it has Layers, BatchSize"),
        (lambda t: t, {"factors": ("depth",)}, "no column depth, which --factors names"),
        (lambda t: t[["MeanTime"]].assign(note="x"), {"time": "MeanTime"}, "no column of numbers besides the times"),
    ],
)
def test_a_table_without_use_is_refused_in_one_line(tmp_path, document, change, choices, words):
    path = written(tmp_path, change(document))
    with pytest.raises(UsageError) as error:
        observe(path, Choices(**choices))
    assert str(error.value).startswith(f"{path}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_row_with_a_field_too_many_or_too_few_is_named_by_its_line(tmp_path):
    path = tmp_path / "x.csv"
    for row in ("6,1,2", "6"):
        path.write_text(f"Layers,MeanTime\n4,1\n{row}\n")
        with pytest.raises(UsageError, match=r"x\.csv: cannot be read as a table: line 3 has . fields?, the first 2"):
            observe(path, Choices())


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x00\xff\xfe", b"a,b\n1,2,3\n1\n", b"PAR1"])
def test_a_file_that_is_no_table_is_refused(tmp_path, content):
    for name in ("x.csv", "x.parquet"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            UsageError, match=r"cannot be read as a table|is empty|is not UTF-8 text|no column|no row|no factor"
        ):
            observe(tmp_path / name, Choices())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="there is no such file"):
        observe(tmp_path / "none.csv", Choices())


def test_one_level_missing_values_and_dictionaries_leave_the_rest(tmp_path, document):
    table = document.assign(ConvSize=3, Notes=[{"a": 1}] * 48)
    table["Layers"] = table["Layers"].astype(float)
    table.loc[0, "Layers"] = np.nan
    found = one(written(tmp_path, table, "t.parquet"))
    assert columns_of(found) == ["Layers", "BatchSize"]
    notes = " ".join(found.notes)
    assert "filter size (of one level only" in notes
    assert "Rows left out: 1 without a value of a factor" in notes
    named = one(tmp_path / "t.parquet", factors=("Layers", "Notes"))
    assert columns_of(named) == ["Layers"]
    assert "hold something else than numbers: Notes" in " ".join(named.notes)
    as_text = table.assign(Notes=table["Notes"].map(json.dumps))
    assert columns_of(one(written(tmp_path, as_text))) == ["Layers", "BatchSize"]


def test_text_within_a_factor_is_left_out_and_shown(tmp_path, document):
    table = document.astype({"Layers": object})
    table.loc[3, "Layers"] = "\x1b[31mfour"
    found = one(written(tmp_path, table))
    assert found.seen == 47
    assert "1 with something else than a number in Layers ('�[31mfour')" in " ".join(found.notes)


def test_many_rows_are_added_up_and_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "MAX_ROWS", 1000)
    monkeypatch.setattr("perfcast.studies.scaling.reading.PIECE", 3000)
    random = np.random.default_rng(0)
    table = pd.DataFrame({"size": random.integers(1, 6, 20_000), "time_ms": random.uniform(1, 2, 20_000)})
    found = one(written(tmp_path, table))
    assert found.seen == 20_000
    assert len(found.rows) <= 1000
    assert found.rows["size"].value_counts().nunique() == 1
    exact = table.groupby("size")["time_ms"].mean() / 1000
    assert np.allclose(found.cells.set_index("size")["time"].sort_index(), exact)
    assert "20,000 rows were added up by combination" in " ".join(found.notes)


def test_too_many_combinations_are_sampled_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "MAX_CELLS", 100)
    monkeypatch.setattr("perfcast.studies.scaling.reading.PIECE", 500)
    random = np.random.default_rng(0)
    table = pd.DataFrame({"size": np.tile(np.arange(1000), 3), "time_ms": random.uniform(1, 2, 3000)})
    found = one(written(tmp_path, table))
    assert 20 < len(found.cells) <= 100
    assert found.cells["count"].eq(3).all()
    assert "a random" in " ".join(found.notes)


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.floats(),
            st.text(max_size=8),
            st.tuples(st.floats(0, 1e6), st.sampled_from(["ns", "us", "ms", "s", "min", "h"])).map(
                lambda pair: f"{pair[0]} {pair[1]}"
            ),
        ),
        max_size=20,
    )
)
def test_any_column_becomes_numbers_or_is_counted(values):
    found = times_in(pd.Series(values, dtype=object), None)
    assert len(found.values) == len(values)
    assert not (found.wrong & ~np.isnan(found.values)).any()
    assert not (found.bare & ~np.isnan(found.values)).any()
    assert "\n" not in found.example


@given(
    st.floats(1e-6, 1e6),
    st.sampled_from([("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("min", 60), ("h", 3600)]),
)
def test_a_time_with_a_unit_is_that_many_seconds(value, unit):
    found = times_in(pd.Series([f"{value!r}{unit[0]}", f" {value!r} {unit[0]} "]), 1.0)
    assert np.allclose(found.values, value * unit[1], rtol=1e-12)
