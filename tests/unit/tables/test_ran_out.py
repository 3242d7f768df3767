"""Rows that ran out of memory: lower bounds of memory, no values of anything else, and none dropped silently."""

import pandas as pd
import pytest

from perfcast.errors import UsageError
from perfcast.fit.options import FitOptions, Metric
from perfcast.fit.training_data import training_data
from tests.unit.tables.test_imports import imported, problems, rows

METRICS = {"latency_ms": {"column": "ms", "unit": "ms"}, "memory_mb": {"column": "mb", "unit": "MiB"}}
UNKNOWN = "is unknown: it ran out of memory"


def measured_and_ran_out():
    table = rows().assign(batch=[1, 2, 4, 8] * 4, oom=[False, False, False, True] * 4, name="net")
    table["name"] = [f"{'abcd'[i // 4]}net" for i in range(16)]
    table[["size", "flops", "layers"]] = table.groupby("name")[["size", "flops", "layers"]].transform("first")
    table["mb"] = 100.0 + 1e-6 * table["flops"] * table["batch"]
    table.loc[table["oom"], ["ms", "mb"]] = None
    return table


def read(tmp_path, table, **changes):
    given = {"oom": {"column": "oom"}, "metrics": METRICS, "factors": {"batch": "batch"}} | changes
    return imported(tmp_path, table, **given)


def test_each_row_that_ran_out_is_listed(tmp_path):
    found = read(tmp_path, measured_and_ran_out())
    expected = [
        (row, column, UNKNOWN, done)
        for row in (5, 9, 13, 17)
        for column, done in (("mb", "used as a lower bound"), ("ms", "excluded"))
    ]
    assert problems(found) == expected
    assert list(found.dataset["status"]) == (["measured"] * 3 + ["out_of_memory"]) * 4


def test_lower_bound_is_what_the_model_needed_for_fewer_samples(tmp_path):
    dataset = read(tmp_path, measured_and_ran_out()).dataset
    options = FitOptions(("size", "flops", "layers"), {"memory_mb": Metric("memory_mb", "MiB")})
    data = training_data(dataset, options.metrics["memory_mb"], options)
    at_four = dataset.loc[dataset["batch"] == 4, "memory_mb"]
    assert list(data.censored.bounds) == list(at_four)
    assert (len(data), data.excluded["not_measured"]) == (12, 0)
    of_two = data.take(range(6))
    assert list(of_two.censored.models) == ["anet", "bnet"]


def test_time_of_a_run_that_ran_out_is_not_bounded(tmp_path):
    dataset = read(tmp_path, measured_and_ran_out()).dataset
    options = FitOptions(("size", "flops", "layers"), {"latency_ms": Metric("latency_ms", "ms")})
    assert len(training_data(dataset, options.metrics["latency_ms"], options).censored) == 0


@pytest.mark.parametrize(
    ("texts", "oom"),
    [
        (("yes, it did", "ok"), {"column": "oom", "values": ["yes, it did"]}),
        (("TRUE", "0"), {"column": "oom"}),
        (("1", ""), {"column": "oom"}),
    ],
)
def test_marks_are_booleans_or_named_texts(tmp_path, texts, oom):
    table = measured_and_ran_out().astype({"oom": object})
    table["oom"] = [texts[0] if out else texts[1] for out in table["oom"]]
    assert (read(tmp_path, table, oom=oom).dataset["status"] == "out_of_memory").sum() == 4


def test_mark_of_other_text_is_refused(tmp_path):
    table = measured_and_ran_out().astype({"oom": object})
    table.loc[3, "oom"] = "killed"
    with pytest.raises(UsageError, match="column 'oom': 'killed' must be true or false, as what marks rows"):
        read(tmp_path, table)


def test_column_of_marks_is_no_feature(tmp_path):
    with pytest.raises(UsageError, match="features: 'oom' is the column of oom"):
        read(tmp_path, measured_and_ran_out(), features=["size", "flops", "oom"])


def test_value_of_a_run_that_ran_out_is_not_trained_on(tmp_path):
    table = measured_and_ran_out()
    table.loc[3, "mb"] = 1e6
    assert read(tmp_path, table).dataset["memory_mb"].max() < 1e5


def test_row_with_the_features_of_another_is_listed(tmp_path):
    table = measured_and_ran_out()
    twins = table.iloc[[2, 3]].assign(oom=True, ms=None, mb=None)
    found = read(tmp_path, pd.concat([table, twins], ignore_index=True))
    assert list(found.dataset["status"]) == (["measured"] * 3 + ["out_of_memory"]) * 4
    other = (18, "", "ran out of memory, unlike a row with the same features", "excluded")
    assert {other, (19, "", "repeats an earlier row", "excluded")} <= set(problems(found))
