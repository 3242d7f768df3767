"""Names and patterns in mappings: none stands for two things, none takes forever."""

import pytest

from perfcast.errors import UsageError
from tests.unit.tables.test_imports import MAPPING, imported, rows

METRIC = {"column": "ms", "unit": "ms"}
TAKEN = ["model", "family", "network", "input_size", "replicate", "status", "target"]


@pytest.mark.parametrize("name", [*TAKEN, "flops"])
@pytest.mark.parametrize("listed", [True, False])
def test_metric_with_a_taken_name_is_refused(tmp_path, name, listed):
    change = {} if listed else {"features": None}
    with pytest.raises(UsageError, match=f"metrics: '{name}' is (a reserved name|the name of a feature)"):
        imported(tmp_path, rows(), metrics={name: METRIC}, **change)


@pytest.mark.parametrize("name", [*TAKEN, "latency_ms"])
@pytest.mark.parametrize("listed", [True, False])
def test_feature_with_a_taken_name_is_refused(tmp_path, name, listed):
    features = [*MAPPING["features"], name] if listed else None
    with pytest.raises(UsageError, match=f"'{name}' is (a reserved name|the name of a feature)") as caught:
        imported(tmp_path, rows().assign(**{name: range(16)}), features=features)
    assert "\n" not in str(caught.value)


def test_feature_named_like_an_encoded_one_is_refused(tmp_path):
    table = rows().assign(kind=["a", "b"] * 8).assign(**{"kind=a": range(16)})
    with pytest.raises(UsageError, match="'kind=a' names two columns"):
        imported(tmp_path, table, features=["flops", "kind=a"], one_hot={"kind": {"values": ["a", "b"]}})


@pytest.mark.parametrize("features", [["input_size", "flops", "layers"], None])
def test_input_size_may_have_its_own_name(tmp_path, features):
    table = rows().rename(columns={"size": "input_size"})
    found = imported(tmp_path, table, input_size="input_size", features=features)
    assert found.features == tuple(features or ["flops", "layers"])
    assert list(found.dataset["input_size"]) == list(table["input_size"])
    assert found.dataset.columns.is_unique


def test_mapping_without_features_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"mapping\.yaml: features: is empty, and there is no one_hot"):
        imported(tmp_path, rows(), features=[])


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "^([a-z]+_?)*$", "^(?:a?){2,99}$"])
def test_pattern_with_exponential_time_is_refused(tmp_path, pattern):
    with pytest.raises(UsageError, match=r"family\.pattern: repeats a group that repeats or has alternatives itself"):
        imported(tmp_path, rows(), family={"column": "name", "pattern": pattern})


@pytest.mark.parametrize("pattern", ["^(basic_model|[A-Za-z]+)", "^([a-z]{3}){1,3}", "^([a-z]+)?", r"^(?:[ab]|cc)"])
def test_pattern_without_nested_repeats_is_accepted(tmp_path, pattern):
    assert len(imported(tmp_path, rows(), family={"column": "name", "pattern": pattern}).dataset) == 16
