from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.dataset.build import SCHEMA
from perfcast.fit.evaluation import Evaluation
from perfcast.pages import Page, formatting
from perfcast.pages.embed import embedded_json, finite, packed, plot_text
from perfcast.pages.figures import GREY, category_styles
from perfcast.studies.prediction import campaign_figures, error_figures, figures, model_tables, series, tables, trust
from perfcast.studies.prediction.cautions import cautions
from perfcast.studies.prediction.drift import trend
from perfcast.studies.prediction.environments import environment_view
from perfcast.studies.prediction.inputs import MetricResult, read_inputs
from perfcast.studies.prediction.machine import drift_view, machine_notes
from perfcast.studies.prediction.page import report_page
from perfcast.studies.prediction.summary import headline, summary_lines
from perfcast.studies.study import Findings


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
    ("value", "text"), [(4072, "4,072"), (119.8e6, "119.8 × 10⁶"), (5.2e12, "5.2 × 10¹²"), (0.27e6, "0.27 × 10⁶")]
)
def test_integers_print_as_in_the_document(value, text):
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


def test_embedded_json_refuses_invalid_values():
    with pytest.raises(ValueError, match="JSON"):
        embedded_json(float("nan"))


def test_finite_names_missing_numbers():
    assert finite([1.23456789, np.nan, np.inf, None]) == [1.2346, None, None, None]


def test_plot_text_escapes_and_shortens():
    assert plot_text("<b>&") == "&lt;b&gt;&amp;"
    assert plot_text("x" * 99) == "x" * 59 + "…"


def test_synthetic_campaigns_are_valid_datasets(campaign):
    SCHEMA.validate(campaign.dataset)


def test_each_pattern_shows_its_clearest_example(data):
    examples = series.pattern_examples(data)
    rows = {texts(row)[0]: texts(row)[3:] for row in model_tables.patterns_table(data, examples).rows}
    assert {name: row[0] for name, row in rows.items()} == {
        "White noise": "25", "Sequential variation": "5", "High spikes": "5", "Low spikes": "5"
    }  # fmt: skip
    models = data.measured.set_index("label")
    spread = models["latency_std_ms"] / models["latency_mean_ms"]
    assert rows["High spikes"][1] == spread[models["pattern"] == "high_spikes"].idxmax()
    assert rows["White noise"][1] == spread[models["pattern"] == "white_noise"].idxmin()


def drawn(change=0.0, noise=0.01, count=200, seed=0):
    """Return visits over two hours whose calibration workload slows down by ``change`` in all."""
    draw = np.random.default_rng(seed)
    share = np.sort(draw.uniform(0, 1, count))
    at = pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(7200 * share, unit="s")
    values = 20 * (1 + change * share) * (1 + noise * draw.normal(size=count))
    return pd.DataFrame({"at": at, "calibration_ms": values, "temperature_c": np.nan, "cpu_mhz": 2000 - 300 * share})


@pytest.mark.parametrize(
    ("visits", "drifted", "said"),
    [
        (drawn(), False, "The machine did not drift"),
        (drawn(0.05), True, r"the calibration workload became (4|5)\.\d+ % slower"),
        (drawn(-0.05), True, "faster from the first visit to the last"),
        (drawn(0.005, 0.002), False, "too little to matter"),
        (drawn(0.5, count=9), False, "is unknown: fewer than 10 visits"),
        (drawn().head(0), False, "is unknown"),
    ],
)
def test_drift_of_the_machine_is_tested(visits, drifted, said):
    view = drift_view(visits)
    assert view.drifted is drifted
    assert re.search(said, view.sentence.replace(formatting.SPACE, " "))


def test_varying_load_is_not_drift():
    found = 0
    for seed in range(200):
        visits = drawn(seed=seed)
        disturbed = np.convolve(np.random.default_rng(seed).random(200) < 0.03, np.ones(10), "same") > 0
        found += drift_view(visits.assign(calibration_ms=visits["calibration_ms"] * (1 + 0.3 * disturbed))).drifted
    assert found <= 6


def test_trend_gives_the_size_of_a_change():
    visits = drawn()
    seconds = (visits["at"] - visits["at"].min()).dt.total_seconds().to_numpy()
    found = trend(seconds, visits["cpu_mhz"].to_numpy())
    assert found.change == pytest.approx(-300, rel=0.03)
    assert found.is_drift
    assert trend(seconds, np.full(200, 5.0)).p_value == 1
    assert trend(np.repeat([0.0, 3600.0], 100), np.arange(200.0)).change > 0
    assert trend(np.linspace(0, 59, 200), np.arange(200.0)) is None


def test_machine_notes_list_events_and_unknowns(data):
    notes = " ".join(machine_notes(data.dataset, series.visit_table(data.dataset))).replace(formatting.SPACE, " ")
    assert "it rose by 14" in notes
    assert "The median clock was 1,479 MHz, from 1,479 to 1,479, without a trend." in notes
    assert "throttled between the first and the last visit of 1 of 49 measurements" in notes
    assert "Other processes used 0.0500 CPUs (median" in notes
    assert "swapped" not in notes
    silent = data.dataset.assign(throttled=pd.NA, swapped_pages=3.0)
    notes = " ".join(machine_notes(silent, drawn()))
    assert "does not report throttling" in notes
    assert "does not report its temperature" in notes
    assert "Memory was swapped during visits of 49 measurements: these visits do not count" in notes


def test_trust_is_counted_with_its_reasons(data):
    rows = {texts(row)[0]: texts(row)[1:3] for row in trust.trust_table(data).rows}
    assert rows == {
        "trusted": ["30", "75.0 %"], "noisy": ["5", "12.5 %"], "rejected": ["5", "12.5 %"], "impossible": ["0", "0 %"]
    }  # fmt: skip
    doubtful = trust.doubtful_table(data).rows
    assert {row.keys["trust"] for row in doubtful} == {"noisy", "rejected"}
    assert len(doubtful) == 10
    assert "2 of 4 visits" in texts(doubtful[0])[-1]


def test_impossible_latency_has_its_reason(campaign):
    dataset = campaign.dataset.copy()
    dataset.loc[0, ["status", "reason"]] = ["impossible", "the device's best is 9 GFLOP/s"]
    data = read_inputs(*campaign.with_dataset(dataset).arguments(), "x")
    assert texts(trust.doubtful_table(data).rows[0])[1::6] == ["impossible", "the device's best is 9 GFLOP/s"]
    assert "1 impossible" in trust.trust_sentence(dataset)
    assert "the device's best is 9 GFLOP/s" in texts(model_tables.failed_table(data).rows[0])


def test_notes_on_samples_and_cost(data):
    notes = " ".join([*trust.trust_notes(data), *trust.cost_notes(data)]).replace(formatting.SPACE, " ")
    assert "In 10 of 40 models the published mean is more than 5 % away" in notes
    assert "for 5 of 40 models" in notes
    assert "10 samples of 5 models were slow for a recorded cause" in notes
    assert "46 of 46 measurements stopped early." in notes
    assert "Of the 13,800 inferences that it makes at most, 2,300 (16.7 %) were not needed" in notes
    assert "7 of 184 visits were disturbed." in notes
    steady = read_inputs(data.dataset.assign(protocol="published"), Evaluation(), {}, None, "x")
    assert "adaptive" not in " ".join(trust.cost_notes(steady))


def test_repeated_visits_are_counted_as_cost(data):
    repeated = read_inputs(data.dataset.assign(iterations=200), Evaluation(), {}, None, "x")
    assert "repeating visits cost" in trust.cost_notes(repeated)[-1]


def test_results_table_quotes_the_source_document(data):
    rows = [texts(row) for row in tables.results_table(data).rows]
    assert rows[0][:3] == ["jetson_nano", "40", "XGBoost"]
    assert rows[1] == ["Nano (document)", "1,016", "SVR", "92.44 %", "not reported", "SVR", "91.12 %", "not reported"]
    assert [row[3] for row in rows[1:]] == ["92.44 %", "88.09 %", "92.01 %"]
    assert [row[6] for row in rows[1:]] == ["91.12 %", "96.12 %", "93.57 %"]


def test_accuracy_is_that_of_the_named_algorithm(data):
    result = data.metrics[0]
    held_out = result.scheme(result.best_published(), "leave_one_family_out")["mape"]
    assert texts(tables.results_table(data).rows[0])[4] == f"{100 - held_out:.2f} %"


def test_ranges_table(data):
    rows = {texts(row)[0]: texts(row)[1:] for row in tables.ranges_table(data).rows}
    assert rows["Input size"] == ["128", "256", "32 – 2,400", "yes"]
    assert rows["# of hidden layers"][2] == "10 – 4,072"
    assert rows["# of filters per CONV layer"] == ["16", "4,096", "3 – 2,688", "reaches above"]
    assert rows["Filter size"][-1] == "not among this dataset's features"
    assert len(rows) == 13


def test_algorithms_table_marks_deployed_and_ends_in_baselines(data):
    rows = tables.algorithms_table(data.metrics[0]).rows
    assert [row.mark for row in rows] == ["", "", "", "", "own", *["muted"] * 3]
    assert texts(rows[-2])[1] == "–"
    assert (texts(rows[-1])[0], texts(rows[-1])[-1]) == ("Noise floor (measured again)", "1.10")


def test_intervals_are_shown_inside_and_outside_the_domain(data):
    table = tables.intervals_table(data.metrics[0])
    cells = {row.cells[0].text: [cell.text.replace("\u00a0", " ") for cell in row.cells[1:]] for row in table.rows}
    assert cells["Held-out families"] == ["34", "12.5", "91.0 %", "1.96"]
    assert cells["Held-out families, within the domain"][2] == "95.0 %"
    assert cells["Held-out families, outside the domain"] == ["0", "–", "–", "–"]
    assert cells["Held-out networks"][0] == "0", "this campaign was made before networks were left out"
    (plain,) = [cells for name, cells in cells.items() if name.startswith("Plain split conformal")]
    assert plain == ["–", "–", "42.0 %", "1.21"]
    assert tables.intervals_table(MetricResult("m", {})).rows == ()


@pytest.mark.parametrize(
    ("deployed", "line"),
    [
        ("svr", "by the published protocol is 96.00 % in the best random split, its median over all splits 90.00 %."),
        ("ensemble", "was not run for it; of those it was run for, the best is SVR with 96.00 %."),
    ],
)
def test_headline_quotes_the_published_protocol_only_if_run(deployed, line):
    published = {"best_accuracy": 96.0, "median_accuracy": 90.0}
    algorithms = {"svr": {"published": published}, "ensemble": {"published": None}}
    result = MetricResult("latency_ms", {"deployed": deployed, "algorithms": algorithms})
    assert line in " ".join(headline(result).lines).replace(formatting.SPACE, " ")


def test_group_errors_sort_sizes_as_numbers(data):
    errors = error_figures.deployed_errors(data, data.metrics[0], "unseen_input_size")
    errors = errors.assign(input_size=errors["input_size"].astype(str).replace("128", "96"))
    table = tables.group_errors_table(data.metrics[0], errors, "input_size", "Input size, px")
    assert [texts(row)[0] for row in table.rows] == ["96", "160", "192", "224", "256"]


def test_errors_skip_missing_values():
    rows = pd.DataFrame({"measured": [0.0, 10.0, 10.0], "predicted": [1.0, np.nan, 11.0]})
    assert list(error_figures.with_errors(rows)["ape"]) == pytest.approx([10.0])


def every_figure(data):
    visits = series.visit_table(data.dataset)
    yield from figures.pattern_figures(data, series.pattern_examples(data))
    yield figures.wall_process_figure(data)
    yield campaign_figures.interval_figure(data)
    yield campaign_figures.mean_figure(data)
    yield campaign_figures.reference_figure(data, visits)
    for column in ("temperature_c", "cpu_mhz"):
        yield campaign_figures.state_figure(data, visits, column)
    for result in data.metrics:
        yield from figures.importance_figures(result, data.evaluation.of_metric("feature_importance", result.metric))
        yield figures.repeatability_figure(result, series.replicate_pairs(data, result))
        yield error_figures.splits_figure(data, result)
        yield error_figures.family_figure(data, result)
        yield error_figures.sizes_figure(data, result)


def test_plotly_accepts_every_figure(data):
    found = list(every_figure(data))
    assert len(found) == 22
    for figure in found:
        assert not figure.missing
        go.Figure(data=list(figure.traces), layout=figure.layout)


def test_without_measurements_every_figure_says_why(campaign):
    failed = campaign.dataset[campaign.dataset["status"] != "measured"].assign(visits=0)
    evaluation = Evaluation(summary=campaign.evaluation.summary)
    data = read_inputs(failed, evaluation, {}, None, "x")
    assert all(figure.missing for figure in every_figure(data))


def test_families_differ_in_colour_or_symbol():
    styles = category_styles([f"family{number}" for number in range(25)])
    looks = [(style["color"], style["symbol"]) for style in styles.values()]
    assert len(set(looks[:24])) == 24
    assert set(looks[24:]) == {(GREY, "circle-open")}


def test_sample_browser_holds_every_measurement(data):
    browser = series.sample_browser(data)
    assert len(browser.series) == 46
    assert browser.left_out == 0
    assert sorted(browser.positions.values()) == list(range(46))
    assert [start for start, *_ in browser.series[0]["visits"]] == [0, 50, 100, 150]
    disturbed = browser.series[browser.positions[0]]["visits"]
    assert [flag for *_, flag in disturbed] == [0, 0, 1, 0]
    low, middle, high = browser.series[0]["judged"]
    assert low < middle < high
    assert {entry["trust"].partition(":")[0] for entry in browser.series} == {"trusted", "noisy", "rejected"}


def test_sample_browser_stays_within_its_size(data, monkeypatch):
    monkeypatch.setattr(series, "BUDGET", 20_000)
    browser = series.sample_browser(data)
    assert 0 < len(browser.series) < 46
    assert browser.left_out == 46 - len(browser.series)


def test_one_visit_is_not_marked():
    assert series.visit_starts({"round": [0, 0], "visit": [0, 0]}) == []
    assert series.visit_starts({"round": None, "visit": None}) == []


def test_replicate_pairs_are_those_of_the_noise_floor(data):
    pairs = series.replicate_pairs(data, data.metrics[1])
    assert len(pairs) == data.noise_floor["ram_run_peak_mb"]["pairs"] == 6
    assert pairs["percent"].median() == pytest.approx(data.noise_floor["ram_run_peak_mb"]["median"])
    assert texts(tables.noise_table(data).rows[0])[:2] == ["latency_ms", "6"]


def test_environments_are_flattened(data):
    rows = [texts(row) for row in environment_view(data).table.rows]
    assert ["machine › memory", "4,157 MB"] in rows
    assert ["machine › cpu", "Cortex-A57"] in rows
    assert rows[0] == ["machine › host", "nano-07"]


def test_summary_is_seven_lines(campaign):
    found = tuple(summary_lines(campaign.dataset, campaign.evaluation))
    lines = Findings(found, Page("x"), files={"predictor": Path("r/predictor")}).summary("r/report.html")
    assert len(lines) == 7
    assert lines[0] == "40 models measured in 8 families, 3 failed, 6 measured again"
    assert lines[1] == "trust: 30 of 40 models trusted (75.0 %), 5 noisy, 5 rejected, 0 impossible; no drift"
    assert lines[2].startswith("repeatability, median difference: latency 1.10 % (95th percentile 3.40 %)")
    assert lines[3] == "power: not measured: not asked for"
    assert (
        "17.3 % error on held-out families, the choice of algorithm included (95 % interval 13.9 – 22.6 %)" in lines[4]
    )
    assert "published best accuracy" in lines[4]
    assert lines[6] == "report: r/report.html; predictor: r/predictor"
    assert all("\n" not in line and formatting.SPACE not in line for line in lines)


def test_summary_without_a_predictor(campaign):
    dataset = campaign.dataset
    lines = summary_lines(dataset, Evaluation())
    assert lines[2].startswith("repeatability, median difference: latency 0.403 %")
    assert lines[4:] == ["errors: nothing was fitted"]
    unknown = dataset.copy()
    unknown.attrs = {}
    assert summary_lines(unknown, Evaluation())[2] == "repeatability: unknown, none of 6 repetitions is valid"
    once = unknown[unknown["replicate"] == 0]
    assert summary_lines(once, Evaluation())[2] == "repeatability: unknown, no model was measured twice"


def test_headline_warns_where_a_baseline_does_as_well(campaign):
    result = read_inputs(*campaign.arguments(), "x").metrics[0]
    algorithms = result.values["algorithms"]
    better = algorithms | {"flops_only": {"leave_one_family_out": {"mape": 1.0}}}
    poor = replace(result, values=result.values | {"algorithms": better, "interval_coverage": 0.5})
    assert len(headline(poor).warnings) == 2
    assert headline(result).warnings == ()


def test_headline_error_includes_algorithm_selection(campaign):
    result = read_inputs(*campaign.arguments(), "x").metrics[0]
    found = headline(result)
    assert found.error == formatting.percent(17.3)
    assert "held out of both training and the choice of algorithm" in found.lines[0]
    assert formatting.percent(17.3) in found.lines[0]
    assert found.lines[-1] == "Trained on 40 measurements; excluded: 3 not measured, 1 not above zero."
    assert formatting.percent(result.held_out()["mape"]) in found.lines[1]
    older = replace(result, values={key: value for key, value in result.values.items() if "chosen" not in key})
    assert headline(older).error == formatting.MISSING, "an error that flatters takes no one's place"


def test_a_noisy_campaign_is_said_before_any_number(campaign):
    noisy = campaign.dataset.assign(trust="noisy", disturbed_visits=campaign.dataset["visits"])
    lines = summary_lines(noisy, campaign.evaluation)
    assert lines[0].startswith("Most measurements are noisy: 0 of 40 measurements trusted, ")
    assert "measure again into another store (--config store=results/quiet)" in lines[0]
    page = report_page(noisy, campaign.evaluation, {}, None, target="nano").html()
    assert page.index("Most measurements are noisy") < page.index('class="big"')
    assert not cautions(campaign.dataset)


@pytest.mark.parametrize(
    ("stopped_by", "words"),
    [
        ("budget", "Provisional: the budget ended before 49 of 49 measurements were complete."),
        (
            "no_calm",
            "This machine did not become calm: disturbed visits of 49 of 49 measurements were not made up for.",
        ),
    ],
)
def test_what_ended_visits_early_is_said(campaign, stopped_by, words):
    assert cautions(campaign.dataset.assign(stopped_by=stopped_by))[0].startswith(words)


def test_a_first_pass_says_of_how_many_models(campaign):
    first = campaign.dataset.assign(stopped_by="budget")
    first.attrs["first_pass_of"] = 108
    assert [caution.split(",")[0] for caution in cautions(first)] == ["First pass: 43 of 108 models"]
