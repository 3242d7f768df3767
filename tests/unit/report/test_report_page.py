from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from campaigns import HOSTILE, SCHEMES

from perfcast.errors import DataError
from perfcast.fit.evaluation import Evaluation
from perfcast.pages import Page, write_page
from perfcast.studies.prediction.page import report_page

pytestmark = pytest.mark.heavy


class Reader(HTMLParser):
    """Collects what a browser would build: tags with attributes, text, and the content of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += data + " "

    def embedded(self, name: str):
        ids = [attrs.get("id") for tag, attrs in self.tags if tag == "script"]
        return json.loads(self.scripts[ids.index(f"data-{name}")])


@pytest.fixture(scope="module")
def page(campaign):
    return report_page(*campaign.arguments(), target="jetson_nano").html()


@pytest.fixture(scope="module")
def read(page):
    return Reader(page)


def varied(campaign):
    """The campaign under one thread as well, where everything takes twice as long."""
    dataset, predictions = campaign.dataset, campaign.evaluation.predictions
    slow = dataset.assign(threads=1, latency_ms=2 * dataset["latency_ms"])
    evaluation = replace(
        campaign.evaluation,
        predictions=pd.concat([predictions.assign(threads=4), predictions.assign(threads=1)], ignore_index=True),
    )
    return replace(campaign, dataset=pd.concat([dataset, slow], ignore_index=True), evaluation=evaluation)


def render(campaign, **keywords):
    return Reader(report_page(*campaign.arguments(), target="jetson_nano", **keywords).html())


def test_every_section_has_a_heading_and_content(read):
    sections = [attrs["id"] for tag, attrs in read.tags if tag == "section"]
    assert sections == [
        "answer",
        "results",
        "errors",
        "features",
        "trust",
        "samples",
        "repeatability",
        "models",
        "environment",
    ]
    assert sum(tag == "h1" for tag, _ in read.tags) == 1
    assert "40 models measured in 8 families, 3 failed, 6 measured again" in read.text


def test_page_loads_nothing_from_outside(read):
    for _, attributes in read.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), (name, value)


def test_plotly_is_inlined_once_and_the_page_is_small(page):
    assert page.count("plotly.js v") == 1
    assert len(page.encode()) < 6_000_000


def test_tables_have_captions_and_figures_have_labels(read):
    tags = [tag for tag, _ in read.tags]
    assert tags.count("table") == tags.count("caption") > 10
    plots = [attributes for _, attributes in read.tags if attributes.get("class") == "plot"]
    assert len(plots) == 26
    assert all(plot["role"] == "img" and len(plot["aria-label"] or "") > 20 for plot in plots)
    assert len({plot["id"] for plot in plots}) == len(plots)


def test_every_static_plot_has_its_data(read):
    wanted = {attrs["data-figure"] for _, attrs in read.tags if "data-figure" in attrs}
    assert wanted == set(read.embedded("figures"))


def test_predictions_of_all_algorithms_are_embedded(read):
    predicted = read.embedded("predicted")
    assert set(predicted) == {"latency_ms", "ram_mb"}
    assert all(set(schemes) == set(SCHEMES) for schemes in predicted["latency_ms"]["choices"].values())
    deployed = predicted["latency_ms"]["choices"]["xgboost"]["leave_one_family_out"]
    assert len(deployed["predicted"]) == len(deployed["lower"]) == len(predicted["latency_ms"]["names"]) == 40
    assert "lower" not in predicted["latency_ms"]["choices"]["poly"]["random_folds"]


def test_hostile_names_become_text_everywhere(campaign, hostile):
    clean, dirty = render(campaign), render(hostile)
    assert Counter(tag for tag, _ in clean.tags) == Counter(tag for tag, _ in dirty.tags)
    handlers = [name for _, attributes in dirty.tags for name in attributes if name.startswith("on")]
    assert not handlers
    for name in HOSTILE[:5]:
        assert name in dirty.text


def test_hostile_names_stay_inside_json_and_hover_text(hostile):
    read = render(hostile)
    for name in ("figures", "predicted", "samples"):
        raw = json.dumps(read.embedded(name), ensure_ascii=False)
        source = read.scripts[[a.get("id") for t, a in read.tags if t == "script"].index(f"data-{name}")]
        assert "<" not in source
        assert "<script" not in raw
        assert "<img" not in raw
    names = read.embedded("predicted")["latency_ms"]["names"]
    assert "%{x}&lt;b&gt;bold&lt;/b&gt;&amp;amp;" in names


def test_names_cannot_reorder_the_text_around_them(hostile):
    read = render(hostile)
    assert "\u202e" not in json.dumps(read.embedded("predicted"), ensure_ascii=False)


def test_title_target_and_settings_are_escaped(campaign):
    read = render(campaign, title="<b>title</b> & co")
    assert ("b", {}) not in read.tags
    assert "<b>title</b> & co" in read.text


def test_without_evaluation_the_page_says_so(campaign):
    read = render(replace(campaign, evaluation=Evaluation(), manifest=None))
    assert "Nothing was fitted for this target" in read.text
    assert read.embedded("predicted") == {}
    assert "40 models measured" in read.text


def test_with_every_model_failed_the_page_says_why(campaign):
    failed = campaign.dataset[campaign.dataset["status"] != "measured"]
    read = render(replace(campaign.with_dataset(failed), evaluation=Evaluation(), manifest=None))
    assert "No model was measured" in read.text
    assert "killed by the kernel at 3.9 GB while loading" in read.text
    assert "No samples: no model was measured." in read.text


def test_an_empty_dataset_still_gives_a_page(campaign):
    read = render(replace(campaign.with_dataset(campaign.dataset.iloc[:0]), evaluation=Evaluation()))
    assert "The dataset holds no model." in read.text


def test_without_replicates_the_noise_floor_is_unknown(campaign):
    dataset = campaign.dataset[campaign.dataset["replicate"] == 0]
    summary = json.loads(json.dumps(campaign.evaluation.summary))
    for metric in summary["metrics"].values():
        metric["repeatability_percent"] = None
    read = render(replace(campaign.with_dataset(dataset), evaluation=replace(campaign.evaluation, summary=summary)))
    assert "No model was measured twice" in read.text
    assert "Repeatability is unknown" in read.text


def test_one_metric_only(campaign):
    summary = {"metrics": {"latency_ms": campaign.evaluation.summary["metrics"]["latency_ms"]}}
    read = render(replace(campaign, evaluation=replace(campaign.evaluation, summary=summary)))
    assert set(read.embedded("predicted")) == {"latency_ms"}
    assert "Memory (RAM): predicted against measured" not in read.text


def test_a_summary_without_numbers_gives_a_page(campaign):
    summary = {"metrics": {"latency_ms": {"unit": "ms", "column": "latency_mean_ms", "deployed": "svr"}}}
    read = render(replace(campaign, evaluation=Evaluation(summary=summary)))
    assert "Its error on held-out families was not evaluated" in read.text
    assert "The published protocol was not run for this metric." in read.text


def test_a_value_that_is_not_positive_gives_a_page(campaign):
    dataset = campaign.dataset.copy()
    dataset.loc[dataset.index[0], "ram_run_peak_mb"] = -0.4
    assert "the choice of algorithm included" in render(campaign.with_dataset(dataset)).text


def test_several_environments_warn_and_are_compared(campaign):
    dataset = campaign.dataset.copy()
    dataset.loc[dataset.index[:10], "environment"] = "e" * 64
    environments = campaign.environments | {"e" * 64: campaign.environments["c" * 64] | {"kernel": "6.1.0-other"}}
    read = render(replace(campaign.with_dataset(dataset), environments=environments))
    assert "2 different environments. Numbers from them compare only as far" in read.text
    assert "6.1.0-other" in read.text
    before, after = (
        sum(attributes.get("class") == "warn" for _, attributes in page.tags) for page in (render(campaign), read)
    )
    assert after == before + 1


def test_settings_that_failed_are_reported(campaign):
    environment = campaign.environments["c" * 64]
    refused = environment | {"settings": environment["settings"] | {"refused": "governor: <no> such setting & co"}}
    read = render(replace(campaign, environments={"c" * 64: refused}))
    assert "Settings that the target asks for could not be applied: governor: <no> such setting & co." in read.text


def test_page_shows_trust_reasons_and_machine_drift(read):
    assert "30 of 40 models trusted (75.0\u00a0%), 5 noisy, 5 rejected, 0 impossible" in read.text
    assert "2 of 4 visits <differ> & spread the interval to 4%" in read.text
    assert "The machine did not drift" in read.text
    assert "of: inference alone" in read.text


def test_missing_environment_is_named(campaign):
    assert (
        "cccccccccccc of 49 measurements is missing from the store" in render(replace(campaign, environments={})).text
    )


def test_varied_factors_are_columns_filters_and_labels(campaign):
    several = varied(campaign)
    read = render(several)
    assert "80 measurements of 40 models under 2 values of threads in 8 families" in read.text
    assert "60 of 80 measurements trusted" in read.text
    selects = [attributes.get("data-key") for tag, attributes in read.tags if tag == "select"]
    assert "threads" in selects
    assert {attributes["data-threads"] for _, attributes in read.tags if "data-threads" in attributes} == {"1", "4"}
    predicted = read.embedded("predicted")["latency_ms"]
    assert len(predicted["names"]) == len(set(predicted["names"])) == 80
    assert {name.partition(" · ")[2] for name in predicted["names"]} == {"threads 1", "threads 4"}
    assert len(predicted["choices"]["xgboost"]["leave_one_family_out"]["predicted"]) == 80
    assert any("densenet101_128 · threads 1" in part for part in read.text.split("\n"))


def test_a_dataset_without_its_columns_is_refused(campaign):
    with pytest.raises(DataError, match=r"no column latency_ms, trust$"):
        render(campaign.with_dataset(campaign.dataset.drop(columns=["latency_ms", "trust"])))


def test_written_page_replaces_the_file(tmp_path):
    path = tmp_path / "new" / "report.html"
    write_page(path, Page("old"))
    write_page(path, Page("new é"))
    assert "<h1><bdi>new é</bdi></h1>" in path.read_text(encoding="utf-8")
    assert list(path.parent.iterdir()) == [path]


def test_only_the_most_frequent_environments_are_columns(campaign):
    digests = [f"{number:064d}" for number in range(20)]
    dataset = campaign.dataset.assign(environment=[digests[at % 20] for at in range(len(campaign.dataset))])
    environments = dict.fromkeys(digests, campaign.environments["c" * 64])
    read = render(replace(campaign.with_dataset(dataset), environments=environments))
    assert "Only the 6 environments with the most measurements are shown." in read.text


def test_repeatability_is_shown_without_a_fit(campaign):
    read = render(replace(campaign, evaluation=Evaluation(), manifest=None))
    assert {"repeatability-latency_ms", "repeatability-ram_mb"} <= set(read.embedded("figures"))
