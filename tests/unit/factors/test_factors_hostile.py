"""Bad test results: a clear message, and the rest of the page."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from perfcast.cli import main
from perfcast.errors import UsageError
from perfcast.studies.factors.analysis import analyse
from perfcast.studies.factors.page import factors_page, summary
from perfcast.studies.factors.published import published_claims
from perfcast.studies.factors.results import collect
from perfcast.studies.factors.roles import Asked, find_roles
from perfcast.studies.factors.source import read_source
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW
from tests.unit.factors.simulated import simulated


def page_of(table, **asked):
    rows = table.assign(**{ROW: np.arange(1, len(table) + 1), TABLE: "table.csv"})
    results = collect([rows], find_roles(rows, Asked(**asked)))
    found = analyse(results, suggestions=3, keep_outliers=False)
    page = factors_page(found, published_claims(found))
    printed = [line for line in summary(found, published_claims(found), "") if isinstance(line, str)]
    return found, page, " ".join(printed)


@pytest.fixture(scope="module")
def table():
    return simulated(1)[0]


def test_a_metric_without_values_costs_only_itself(table):
    found, page, printed = page_of(table.assign(memory_mb=np.nan))
    assert "memory has no value that can be used" in printed
    assert [each.metric.column for each in found.metrics] == ["time_ms"]
    assert len(page.sections) == 8


def test_units_in_cells_are_converted_and_listed(table):
    texts = [f"{value:.6g} ms" for value in table["time_ms"]]
    texts[3] = f"{table['time_ms'][3] / 1000:.9g} s"
    texts[4] = "soon"
    found, _, printed = page_of(table.assign(time_ms=texts))
    assert "converted: 1 row where time_ms has another unit than the column: table.csv 4" in printed
    assert "excluded: 1 row where time_ms is not a number: table.csv 5" in printed
    assert found.results.rows["time_ms"].dropna().tolist() == pytest.approx(table["time_ms"].drop(4).tolist(), rel=1e-4)


def test_mixed_units_without_a_mark_are_suspected(table):
    mixed = table["time_ms"].where(table.index % 2 == 0, table["time_ms"] / 1000)
    _, _, printed = page_of(table.assign(time_ms=mixed))
    assert "are units mixed?" in printed


def test_one_level_is_no_factor(table):
    found, page, _ = page_of(table.assign(device="only"))
    assert "device" not in found.results.roles.factors
    assert ("device", "only in all") in page.facts


def test_no_factor_at_all(table):
    _found, page, printed = page_of(table[["time_ms", "memory_mb"]])
    assert "nothing to compare" in printed
    assert len(page.sections) == 8


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_rows(table, count):
    _, page, _ = page_of(table.head(count))
    assert len(page.sections) == 8


def test_a_column_of_mappings_is_left_aside_and_named(tmp_path, table):
    rows = table.head(20).assign(settings=[{"a": number} for number in range(20)])
    path = tmp_path / "table.json"
    path.write_text(json.dumps(rows.to_dict("records")))
    answer = CliRunner().invoke(main, ["study", "factors", str(path)], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    assert "settings holds mappings or lists, not one value per row" in answer.output


def test_a_metric_of_mappings_has_no_value(table):
    _, _, printed = page_of(table.assign(memory_mb=[{"a": 1}] * len(table)), metrics=("time_ms", "memory_mb"))
    assert "memory has no value that can be used" in printed


def test_rows_with_a_missing_level_are_listed(table):
    found, _, printed = page_of(table.assign(device=table["device"].where(table.index != 7, None)))
    assert "device is missing or not of its kind: table.csv 8" in printed
    assert found.results.total == len(table) - 1


@pytest.mark.parametrize("value", [0, -1, np.inf, np.nan, 1e300])
def test_impossible_values_are_listed(table, value):
    found, _, _ = page_of(table.assign(time_ms=table["time_ms"].where(table.index != 7, value)))
    assert found.results.problems["row"].tolist() == [8]


def test_names_cannot_become_markup_or_control_a_terminal(table):
    names = table["network"].map({"A": "<script>x</script>", "B": "\x1b[31mred"})
    found, page, _printed = page_of(table.assign(network=names))
    html = page.html()
    assert "\x1b" not in html
    assert "<script>x</script>" not in html
    assert len(found.metrics) == 3


def test_values_without_any_noise(table):
    exact = table.assign(time_ms=100.0 / table["threads"], memory_mb=50.0)
    found, _, _ = page_of(exact)
    effects = {effect.factor: effect for effect in found.metrics[0].model.effects}
    assert effects["threads"].ratio == pytest.approx(0.25)


def test_a_long_table_is_aggregated(monkeypatch, tmp_path, table):
    monkeypatch.setattr("perfcast.tables.files.PART_ROWS", 1000)
    monkeypatch.setattr("perfcast.studies.factors.results.SAMPLE_ROWS", 500)
    many = pd.concat([table] * 60, ignore_index=True)
    many["time_ms"] *= np.exp(0.01 * np.random.default_rng(0).standard_normal(len(many)))
    many.to_csv(tmp_path / "table.csv", index=False)
    results = read_source([tmp_path / "table.csv"], Asked()).results
    assert results.total == len(many)
    assert len(results.rows) == 500
    moments = results.moments["time_ms"]
    assert moments["mean"] == pytest.approx(many["time_ms"].mean())
    assert moments["std"] == pytest.approx(many["time_ms"].std())
    cells = results.cells["time_ms"]
    assert cells.count.tolist() == [60] * len(table)
    assert np.sqrt(cells.run_variance) == pytest.approx(0.01, rel=0.05)


def test_too_many_combinations_are_refused(monkeypatch, table):
    monkeypatch.setattr("perfcast.studies.factors.results.MAX_CONDITIONS", 10)
    with pytest.raises(UsageError, match="more than 10 combinations; name fewer with --factors"):
        page_of(table)


def test_tables_to_merge_are_bounded(monkeypatch, tmp_path, table):
    monkeypatch.setattr("perfcast.studies.factors.source.MAX_MERGED_ROWS", 10)
    for name in ("a.csv", "b.csv"):
        table.to_csv(tmp_path / name)
    with pytest.raises(UsageError, match="has more than 10 rows; merge the tables before"):
        read_source([tmp_path / "a.csv", tmp_path / "b.csv"], Asked())


CELLS = st.one_of(
    st.none(), st.integers(-5, 5), st.floats(), st.text(max_size=5), st.booleans(), st.just("3 ms"), st.just("1 s")
)


@given(
    st.lists(st.tuples(st.sampled_from("AB"), CELLS, st.sampled_from([1, 2, 4]), CELLS, CELLS), min_size=1, max_size=15)
)
# An example takes half a second, and making it smaller takes minutes.
@settings(phases=[Phase.explicit, Phase.reuse, Phase.generate], max_examples=settings().max_examples // 3)
def test_any_cells_make_a_page_or_one_line(rows):
    frame = pd.DataFrame(rows, columns=["network", "build", "threads", "Time (ms)", "Memory (MB)"], dtype=object)
    try:
        _, page, _ = page_of(frame)
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert len(page.sections) == 8
