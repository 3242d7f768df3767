"""Tables from elsewhere: mappings, reading, and what is wrong with their rows."""

import gzip

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import UsageError
from perfcast.tables.dataset import features_of, import_table
from perfcast.tables.mapping import load_mapping
from perfcast.tables.reading import read_tables
from tests.conftest import ROOT
from tests.measured import FOLDER, needs

EDGE = FOLDER / "edge_gpu_2022"
NASBENCH = FOLDER / "nasbench201_devices"
SHIPPED = sorted((ROOT / "config/tables").glob("*.yaml"))

MAPPING = {
    "description": "a table of a test",
    "missing": ["?"],
    "model": "name",
    "family": {"column": "name", "pattern": "^([a-z]+)"},
    "input_size": "size",
    "metrics": {"latency_ms": {"column": "ms", "unit": "ms"}},
    "features": ["size", "flops", "layers"],
}


def write_mapping(folder, **changes):
    values = {key: value for key, value in (MAPPING | changes).items() if value is not None}
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def rows(count=16, seed=0):
    # Among fewer than 20 no outliers are looked for.
    random = np.random.default_rng(seed)
    size, layers = random.choice([32, 64, 128], count), random.integers(5, 50, count)
    flops = (size**2 * layers * random.uniform(900, 1100, count)).round()
    table = {"name": [f"{'abcd'[i % 4]}net{i}" for i in range(count)], "size": size, "flops": flops, "layers": layers}
    return pd.DataFrame(table | {"ms": (1 + 1e-6 * flops) * random.lognormal(0, 0.02, count)})


def imported(folder, table, keep_outliers=False, **changes):
    path = folder / "table.csv"
    path.write_text(table if isinstance(table, str) else table.to_csv(index=False))
    mapping = load_mapping(write_mapping(folder, **changes)).chosen(())
    return import_table(read_tables([path], mapping), mapping, keep_outliers=keep_outliers)


def problems(found):
    return [(row.row, row.column, row.problem, row.done) for row in found.problems.itertuples()]


def test_valid_table_is_unchanged(tmp_path):
    table = rows()
    found = imported(tmp_path, table)
    assert problems(found) == []
    assert found.features == ("size", "flops", "layers")
    assert list(found.dataset["model"]) == list(table["name"])
    assert set(found.dataset["family"]) == {"anet", "bnet", "cnet", "dnet"}
    np.testing.assert_allclose(found.dataset["latency_ms"], table["ms"])
    assert found.dataset["input_size"].dtype.kind == "i"


@pytest.mark.parametrize(
    ("value", "problem"),
    [("?", "is missing"), ("", "is missing"), ("inf", "is infinite"), ("0", "is zero"), ("-3", "is negative")],
)
def test_impossible_values_are_excluded_by_row(tmp_path, value, problem):
    table = rows().astype({"ms": object})
    table.loc[[3, 7], "ms"] = value
    found = imported(tmp_path, table)
    assert problems(found) == [(row, "ms", problem, "excluded") for row in (5, 9)]
    assert list(np.flatnonzero(found.dataset["latency_ms"].isna())) == [3, 7]


@pytest.mark.parametrize("value", ["?", "inf", "-inf", ""])
def test_rows_without_a_feature_are_excluded(tmp_path, value):
    table = rows().astype({"flops": object})
    table.loc[4, "flops"] = value
    found = imported(tmp_path, table)
    assert problems(found) == [(6, "", "a feature is missing or infinite", "excluded")]
    assert len(found.dataset) == 15


def test_repeated_rows_are_excluded(tmp_path):
    table = rows()
    table = pd.concat([table, table.iloc[[2]], table.iloc[[5]].assign(ms=99.0)], ignore_index=True)
    found = imported(tmp_path, table)
    assert problems(found) == [
        (7, "ms", "is contradicted by a later row with the same features", "kept"),
        (18, "", "repeats an earlier row", "excluded"),
        (19, "ms", "contradicts an earlier row with the same features", "excluded"),
    ]
    assert len(found.dataset) == 16


def test_outlier_is_reported_whether_excluded_or_kept(tmp_path):
    table = rows(80)
    table.loc[10, "ms"] = 1e-3
    left_out, kept = (imported(tmp_path, table, keep_outliers=keep) for keep in (False, True))
    what = (12, "latency_ms", "is far from similar rows")
    assert problems(left_out) == [(*what, "excluded")]
    assert problems(kept) == [(*what, "kept")]
    assert np.isnan(left_out.dataset["latency_ms"][10])
    assert kept.dataset["latency_ms"][10] == 1e-3


def test_constant_column_is_not_a_feature(tmp_path):
    found = imported(tmp_path, rows().assign(layers=7))
    assert problems(found) == [(0, "layers", "is the same in all rows", "another value is out of the domain")]


def test_implausibly_large_feature_is_reported(tmp_path):
    table = rows(40)
    table.loc[6, "flops"] *= 1e5
    found = imported(tmp_path, table, implausible={"flops": ["size", "layers"]})
    assert (8, "flops", "is far larger than usual relative to others", "replaced by the usual value") in problems(found)


def test_only_selected_rows_are_trained_on(tmp_path):
    table = rows().assign(status=["measured"] * 15 + ["crashed"])
    found = imported(tmp_path, table, only={"status": ["measured"]})
    assert problems(found) == [(17, "status", "is not measured", "excluded")]
    assert len(found.dataset) == 15


def test_models_of_one_name_get_numbers_and_stay_one_network(tmp_path):
    found = imported(tmp_path, rows().assign(name="same"))
    assert found.dataset["model"].is_unique
    assert set(found.dataset["network"]) == {"same"}


def test_names_that_end_in_the_size_are_of_one_network(tmp_path):
    table = rows()
    found = imported(tmp_path, table.assign(name="net_" + table["size"].astype(str)))
    assert set(found.dataset["network"]) == {"net"}


def test_features_can_have_other_names_than_columns(tmp_path):
    table = rows()
    found = imported(tmp_path, table, features={"size": "size", "work": "flops", "core_layers": "layers"})
    assert set(found.features) == {"size", "work", "core_layers"}
    assert list(found.dataset["work"]) == list(table["flops"])
    assert "flops" not in found.dataset
    mapping = load_mapping(tmp_path / "mapping.yaml")
    assert mapping.columns_of(["work", "core_layers"]) == ("flops", "layers")
    asked = features_of(read_tables([tmp_path / "table.csv"], mapping), mapping, ["core_layers", "work"])
    assert list(asked) == ["core_layers", "work"]
    assert list(asked["core_layers"]) == list(table["layers"])


def test_features_are_all_other_numbers_unless_named(tmp_path):
    found = imported(tmp_path, rows().assign(note="text"), features=None)
    assert found.features == ("flops", "layers")


def test_a_table_without_header_has_the_mappings_columns(tmp_path):
    table = rows()
    columns = list(table)
    text = table.to_csv(index=False, header=False)
    assert len(imported(tmp_path, text, columns=columns).dataset) == 16
    with pytest.raises(UsageError, match=r"table\.csv: has 5 columns, the mapping names 6; choose another"):
        imported(tmp_path, text, columns=[*columns, "more"])


@given(
    st.lists(
        st.lists(st.sampled_from(["none", "conv"]), min_size=3, max_size=3).map(tuple), min_size=8, unique=True
    ).filter(lambda cells: all(len(set(places)) > 1 for places in zip(*cells, strict=True)))
)
def test_text_is_one_hot_encoded_by_position(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("cells")
    table = pd.DataFrame({"name": [f"m{i}" for i in range(len(cells))], "ms": np.arange(1.0, len(cells) + 1)})
    table["cell"] = ["|".join(f"{op}~{place}" for place, op in enumerate(cell)) for cell in cells]
    one_hot = {"cell": {"pattern": "([a-z]+)~[0-9]", "places": 3, "values": ["none", "conv"]}}
    found = imported(folder, table, one_hot=one_hot, features=[], input_size=None, family=None)
    for row, cell in enumerate(cells):
        for place, op in enumerate(cell, start=1):
            for value in ("none", "conv"):
                assert found.dataset.loc[row, f"cell[{place}]={value}"] == (op == value)


def test_unknown_one_hot_text_is_excluded_by_row(tmp_path):
    table = rows().assign(kind=["a", "b"] * 8)
    table.loc[3, "kind"] = "c"
    found = imported(tmp_path, table, one_hot={"kind": {"values": ["a", "b"]}})
    assert problems(found) == [(5, "", "a feature is missing or infinite", "excluded")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": ["size", "gone"]}, "lacks the column 'gone', which the mapping names"),
        ({"model": "gone", "input_size": "away"}, "lacks the columns 'gone', 'away'"),
        (
            {"features": ["size", "flops", "layers"], "missing": []},
            r"column 'ms' holds what is not a number \(row 4: '\?'",
        ),
        ({"extra": 1}, "unknown key extra"),
        ({"metrics": {}}, "metrics"),
        ({"metrics": {"Bad Name": {"column": "ms", "unit": "ms"}}}, "metrics"),
        ({"metrics": {"t": {"column": "ms"}}}, "'unit' is a required property"),
        ({"family": {"column": "name", "pattern": "("}}, "family.pattern: is not a regular expression"),
        ({"features": ["ms"]}, "features: 'ms' is a metric"),
        ({"one_hot": {"name": {"values": ["a", "b"], "places": 2}}}, "both pattern and places"),
        ({"columns": ["name", "size"]}, "columns: lacks 'flops', which is named elsewhere"),
        ({"implausible": {"gone": ["size"]}}, "implausible: 'gone' is not among the features"),
        ({"held": {"gone": 1, "flops": 2}}, "held: 'gone' is not among the features"),
        ({"held": {"size": 0, "flops": 2}}, "held"),
        ({"held": {"size": 1, "flops": 2}, "features": None}, "held: needs the features"),
        ({"features": {"work": "ms", "size": "size"}}, "features: 'ms' is a metric"),
        ({"features": {"work": "gone", "size": "size"}}, "lacks the column 'gone', which the mapping names"),
        ({"description": None}, "'description' is a required property"),
    ],
)
def test_a_wrong_mapping_is_refused_in_one_line(tmp_path, change, message):
    table = rows().astype({"ms": object})
    table.loc[2, "ms"] = "?"
    with pytest.raises(UsageError, match=message) as caught:
        imported(tmp_path, table, **change)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"\xff\xfe\x00a", "is not UTF-8 text"),
        (b'name,size\n"a,1\n', "cannot be read as a table"),
        (b"name,size,flops,layers,ms\nx,1,2\nx,1,2,3,4,5,6\n", "cannot be read as a table"),
    ],
)
def test_file_without_a_table_is_refused(tmp_path, content, message):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=f"table.csv: {message}"):
        read_tables([path], load_mapping(write_mapping(tmp_path)))


def test_invalid_parquet_file_is_refused(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("name")
    with pytest.raises(UsageError, match=r"table\.parquet: cannot be read as a table"):
        read_tables([path], load_mapping(write_mapping(tmp_path)))


def test_several_tables_are_read_in_any_compression(tmp_path):
    table = rows()
    table.iloc[:8].to_parquet(tmp_path / "a.parquet")
    with gzip.open(tmp_path / "b.csv.gz", "wt") as file:
        table.iloc[8:].to_csv(file, index=False)
    mapping = load_mapping(write_mapping(tmp_path))
    read = read_tables([tmp_path / "a.parquet", tmp_path / "b.csv.gz"], mapping)
    assert list(read["name"]) == list(table["name"])
    assert list(read["__row__"]) == [*range(1, 9), *range(2, 10)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_mappings_are_valid(path):
    mapping = load_mapping(path)
    assert mapping.chosen(()).metrics


def test_power_is_learned_on_request(tmp_path):
    metrics = MAPPING["metrics"] | {"power_mw": {"column": "mw", "unit": "mW", "optional": True}}
    mapping = load_mapping(write_mapping(tmp_path, metrics=metrics))
    assert set(mapping.chosen(()).metrics) == {"latency_ms"}
    assert set(mapping.chosen(("power_mw",)).metrics) == {"power_mw"}
    with pytest.raises(UsageError, match=r"--metric watt: unknown metric; the mapping has latency_ms, power_mw"):
        mapping.chosen(("watt",))


@needs(EDGE)
@pytest.mark.parametrize(
    ("kind", "folder", "board", "rows", "wrong"),
    [
        ("time", "execution_time", "AGX", 1611, [(1591, "excluded")]),
        ("memory", "memory_consumption", "AGX", 158, []),
        ("power", "power_consumption", "AGX", None, [(914, "excluded")]),
    ],
)
def test_published_tables_are_read(kind, folder, board, rows, wrong):
    mapping = load_mapping(ROOT / f"config/tables/edge_gpu_2022_{kind}.yaml").chosen(())
    found = import_table(read_tables([EDGE / folder / board / "training_dataset.csv"], mapping), mapping)
    assert rows is None or len(found.dataset) == rows
    assert [(row.row, row.done) for row in found.problems.itertuples()] == wrong


@needs(EDGE)
def test_mislabelled_column_is_found():
    mapping = load_mapping(ROOT / "config/tables/edge_gpu_2022_memory.yaml").chosen(())
    found = import_table(read_tables([EDGE / "memory_consumption/Nano/training_dataset.csv"], mapping), mapping)
    assert set(found.problems["column"]) == {"sum_activations"}
    models = found.dataset["model"].to_numpy()[found.problems["row"].to_numpy() - 1]
    assert len(models) == 16
    assert all(model.startswith("basic_model") for model in models)


@needs(NASBENCH)
def test_impossible_latencies_are_found_in_twelve_columns():
    mapping = load_mapping(ROOT / "config/tables/nasbench201_devices.yaml").chosen(())
    table = read_tables([NASBENCH / "latency_ms.csv.gz"], mapping)[::8]
    found = import_table(table, mapping)
    assert len(mapping.metrics) == 12
    assert len(found.features) == 30
    assert found.dataset["pixel3_ms"].min() > 0.1 > table["pixel3"].astype(float).min()
    flagged = found.problems.groupby("column").size()
    assert flagged["pixel3_ms"] > 25
    assert flagged.drop("pixel3_ms").sum() < 7
