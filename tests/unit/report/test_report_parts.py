from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.report import Evaluation, error_figures, figures, formatting, series, summary_lines, tables
from perfcast.report.contexts import context_view
from perfcast.report.embed import embedded_json, finite, packed, plot_text
from perfcast.report.inputs import read_inputs
from perfcast.report.patterns import pattern_scores


@pytest.fixture(scope="module")
def data(campaign):
    return read_inputs(*campaign.arguments(), "jetson_nano")


def texts(row):
    return [cell.text.replace(formatting.SPACE, " ") for cell in row.cells]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.012345, "0.0123"), (9.996, "10.0"), (12.34, "12.3"), (99.96, "100"), (123.4, "123"),
     (12345.6, "12,346"), (-1.5, "-1.50"), (None, "–"), (float("nan"), "–"), ("x", "–"), (3e-7, "3.00e-07")],
)  # fmt: skip
def test_number(value, text):
    assert formatting.number(value) == text


@given(st.floats(1e-4, 1e9))
def test_number_keeps_three_digits(value):
    assert float(formatting.number(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("value", "text"),
    [(4072, "4,072"), (119.8e6, "119.8 × 10⁶"), (5.2e12, "5.2 × 10¹²"), (0.27e6, "0.27 × 10⁶")],
)
def test_whole_prints_as_the_document_does(value, text):
    assert formatting.whole(value).replace(formatting.SPACE, " ") == text


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=300))
def test_packed_samples_are_close(values):
    entry = packed(values)
    steps = np.frombuffer(base64.b64decode(entry["steps"]), "<u2")
    back = entry["low"] + (entry["high"] - entry["low"]) * steps / 65535
    assert back == pytest.approx(values, abs=(max(values) - min(values)) / 1e5 + max(values) * 1e-6)


def test_packing_nothing_gives_nothing():
    assert packed([]) is None
    assert packed([np.nan]) is None


@given(st.text())
def test_embedded_json_has_no_markup(text):
    assert not set(embedded_json({text: text})) & set("<>&\u2028\u2029")


def test_embedded_json_refuses_what_json_cannot_say():
    with pytest.raises(ValueError, match="JSON"):
        embedded_json(float("nan"))


def test_finite_names_missing_numbers():
    assert finite([1.23456789, np.nan, np.inf, None]) == [1.2346, None, None, None]


def test_plot_text_escapes_and_shortens():
    assert plot_text("<b>&") == "&lt;b&gt;&amp;"
    assert plot_text("x" * 99) == "x" * 59 + "…"


def test_patterns_of_the_document():
    draw = np.random.default_rng(3)
    noise = 10 * draw.normal(1, 0.01, 200)
    assert set(pattern_scores(noise)) == {"noise"}
    spiked = noise.copy()
    spiked[[20, 90]] *= 4
    assert set(pattern_scores(spiked)) == {"high"}
    dipped = noise.copy()
    dipped[[20, 90]] /= 2
    assert set(pattern_scores(dipped)) == {"low"}
    assert set(pattern_scores(np.r_[noise[:120], noise[120:] * 1.2])) == {"sequential"}
    assert pattern_scores(noise[:5]) == {}
    assert pattern_scores(np.zeros(50)) == {}


@given(st.integers(0, 10_000), st.floats(0.001, 0.1))
def test_white_noise_is_no_sequence(seed, deviation):
    assert "sequential" not in pattern_scores(np.random.default_rng(seed).normal(10, 10 * deviation, 200))


def test_results_table_quotes_the_document_beside_the_target(data):
    rows = [texts(row) for row in tables.results_table(data).rows]
    assert rows[0][:3] == ["jetson_nano", "40", "XGBoost"]
    assert rows[1] == [
        "Nano (document)",
        "1,016",
        "SVR",
        "92.44 %",
        "not reported",
        "SVR",
        "91.12 %",
        "not reported",
    ]
    assert [row[3] for row in rows[1:]] == ["92.44 %", "88.09 %", "92.01 %"]
    assert [row[6] for row in rows[1:]] == ["91.12 %", "96.12 %", "93.57 %"]


def test_honest_accuracy_is_of_the_algorithm_beside_it(data):
    result = data.metrics[0]
    honest = result.scheme(result.best_published(), "leave_one_family_out")["mape"]
    assert texts(tables.results_table(data).rows[0])[4] == f"{100 - honest:.2f} %"


def test_ranges_table(data):
    rows = {texts(row)[0]: texts(row)[1:] for row in tables.ranges_table(data).rows}
    assert rows["Input size"] == ["128", "256", "32 – 2,400", "yes"]
    assert rows["# of hidden layers"][2] == "10 – 4,072"
    assert rows["# of filters per CONV layer"] == ["16", "4,096", "3 – 2,688", "reaches above"]
    assert rows["Filter size"][-1] == "not among this dataset's features"
    assert len(rows) == 13


def test_algorithms_table_marks_the_deployed_and_lists_baselines_last(data):
    rows = tables.algorithms_table(data.metrics[0]).rows
    assert [row.mark for row in rows] == ["", "", "", "", "own", "reference", "reference"]
    assert texts(rows[-1])[1] == "–"


def test_group_errors_sort_sizes_as_numbers(data):
    errors = error_figures.deployed_errors(data, data.metrics[0], "unseen_input_size")
    errors = errors.assign(input_size=errors["input_size"].astype(str).replace("128", "96"))
    table = tables.group_errors_table(data.metrics[0], errors, "input_size", "Input size, px")
    assert [texts(row)[0] for row in table.rows] == ["96", "160", "192", "224", "256"]


def test_errors_leave_out_what_has_none():
    rows = pd.DataFrame({"measured": [0.0, 10.0, 10.0], "predicted": [1.0, np.nan, 11.0]})
    assert list(error_figures.with_errors(rows)["ape"]) == pytest.approx([10.0])


def every_figure(data):
    patterns = series.found_patterns(data)
    yield from figures.pattern_figures(data, patterns)
    yield figures.wall_process_figure(data)
    yield figures.reference_figure(data)
    for result in data.metrics:
        yield from figures.ranking_figures(result, data.evaluation.of_metric("ranking", result.metric))
        yield figures.repeatability_figure(result, series.replicate_pairs(data, result))
        yield error_figures.splits_figure(data, result)
        yield error_figures.family_figure(data, result)
        yield error_figures.sizes_figure(data, result)


def test_plotly_accepts_every_figure(data):
    found = list(every_figure(data))
    assert len(found) == 18
    for figure in found:
        assert not figure.missing
        go.Figure(data=list(figure.traces), layout=figure.layout)


def test_without_measurements_every_figure_says_why(campaign):
    failed = campaign.dataset[campaign.dataset["verdict"] != "measured"]
    evaluation = Evaluation(summary=campaign.evaluation.summary)
    data = read_inputs(failed, evaluation, {}, None, "x")
    assert all(figure.missing for figure in every_figure(data))


def test_many_families_share_colours_only_with_another_symbol():
    styles = figures.family_styles([f"family{number}" for number in range(25)])
    looks = [(style["color"], style["symbol"]) for style in styles.values()]
    assert len(set(looks[:20])) == 20
    assert set(looks[20:]) == {(figures.GREY, "circle-open")}


def test_sample_browser_holds_every_measurement(data):
    browser = series.sample_browser(data)
    assert len(browser.series) == 46
    assert browser.left_out == 0
    assert sorted(browser.positions.values()) == list(range(46))
    assert [start for start, _, _ in browser.series[0]["visits"]] == [0, 50, 100, 150]


def test_sample_browser_stays_in_its_budget(data, monkeypatch):
    monkeypatch.setattr(series, "BUDGET", 20_000)
    browser = series.sample_browser(data)
    assert 0 < len(browser.series) < 46
    assert browser.left_out == 46 - len(browser.series)


def test_one_visit_is_not_marked():
    assert series.visit_starts({"round": [0, 0], "visit": [0, 0]}) == []
    assert series.visit_starts({"round": None, "visit": None}) == []


def test_replicate_pairs(data):
    pairs = series.replicate_pairs(data, data.metrics[1])
    assert len(pairs) == 6
    first = pairs.iloc[0]
    assert first["percent"] == pytest.approx(
        abs(first["first"] - first["again"]) / (first["first"] + first["again"]) * 200
    )


def test_contexts_flatten_nested_facts(data):
    rows = [texts(row) for row in context_view(data).table.rows]
    assert ["machine › memory", "4,157 MB"] in rows
    assert ["machine › cpu", "Cortex-A57"] in rows
    assert rows[0] == ["machine › host", "nano-07"]


def test_summary_is_five_lines(campaign):
    lines = summary_lines(campaign.dataset, campaign.evaluation, report="r/report.html", predictor="r/predictor")
    assert len(lines) == 5
    assert lines[0] == "40 models measured in 8 families, 3 failed, 6 measured again"
    assert lines[1].startswith("repeatability, median difference: latency 1.10 % (95th percentile 3.40 %)")
    assert (
        "17.3 % error on families left out, the choice of algorithm included (95 % interval 13.9 – 22.6 %)" in lines[2]
    )
    assert "published best accuracy" in lines[2]
    assert lines[4] == "report: r/report.html; predictor: r/predictor"
    assert all("\n" not in line and formatting.SPACE not in line for line in lines)


def test_summary_without_a_predictor(campaign):
    lines = summary_lines(campaign.dataset, Evaluation(), report="report.html", predictor=None)
    assert lines[1:] == [
        "repeatability: unknown, no replicates",
        "errors: nothing was fitted",
        "report: report.html; no predictor was fitted",
    ]


def test_headline_warns_where_a_baseline_does_as_well(campaign):
    from perfcast.report.summary import headline

    result = read_inputs(*campaign.arguments(), "x").metrics[0]
    algorithms = result.values["algorithms"]
    better = algorithms | {"flops_only": {"leave_one_family_out": {"mape": 1.0}}}
    poor = replace(result, values=result.values | {"algorithms": better, "interval_coverage": 0.5})
    assert len(headline(poor).warnings) == 2
    assert headline(result).warnings == ()


def test_headline_is_the_error_that_the_choice_of_algorithm_is_part_of(campaign):
    from perfcast.report.summary import headline

    result = read_inputs(*campaign.arguments(), "x").metrics[0]
    found = headline(result)
    assert found.error == formatting.percent(17.3)
    assert "left out of both learning and the choice of algorithm" in found.lines[0]
    assert formatting.percent(17.3) in found.lines[0]
    assert formatting.percent(result.honest()["mape"]) in found.lines[1]
    older = replace(result, values={key: value for key, value in result.values.items() if "chosen" not in key})
    assert headline(older).error == formatting.MISSING, "an error that flatters takes no one's place"
