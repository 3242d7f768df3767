from __future__ import annotations

from dataclasses import replace

import pytest
from browser import check_page, find_chromium

from perfcast.fit.evaluation import Evaluation
from perfcast.pages import write_page
from perfcast.studies.prediction.page import report_page
from tests.unit.report.campaigns import HOSTILE, make_campaign, rename_models

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="needs chromium or google-chrome on the PATH")

CHOOSE = """(async () => {
  const seen = [];
  const change = (item, value) => { item.value = value; item.dispatchEvent(new Event('change')); };
  const note = () => document.getElementById('sample-note').textContent;
  change(document.getElementById('sample-model'), '7');
  seen.push(note());
  document.getElementById('sample-next').click();
  seen.push(note());
  change(document.querySelector('[data-predicted-algorithm]'), 'flops_only');
  change(document.querySelector('[data-predicted-scheme]'), 'random_folds');
  seen.push(document.querySelector('[data-predicted-note]').textContent);
  return seen;
})()"""
SORT = """(() => {
  const table = document.getElementById('all-models');
  const head = [...table.tHead.rows[0].cells].find((cell) => cell.textContent.startsWith('Mean'));
  const column = head.cellIndex;
  const orders = ['ascending', 'descending'].map((order) => {
    head.firstElementChild.click();
    return [head.getAttribute('aria-sort') === order, [...table.tBodies[0].rows].map((row) => row.cells[column].textContent)];
  });
  const narrow = (controls, what, value) => {
    const input = controls.querySelector(what);
    input.value = value;
    input.dispatchEvent(new Event('input'));
    return controls.querySelector('span').textContent;
  };
  const [doubtful, all] = ['doubtful-models', 'all-models'].map((id) => document.querySelector(`[data-filters="${id}"]`));
  const counts = [narrow(all, 'input', 'VGG'), narrow(all, '[data-key=trust]', 'noisy'), narrow(doubtful, '[data-key=trust]', 'rejected')];
  return [...orders, counts];
})()"""  # noqa: E501
TOOLS = """(() => [...document.querySelectorAll('.modebar-btn')].map((button) => button.dataset.title))()"""


def written(tmp_path, campaign):
    path = tmp_path / "report.html"
    write_page(path, report_page(*campaign.arguments(), target="jetson_nano"))
    return path


def test_page_is_drawn_fits_and_responds(tmp_path):
    path = written(tmp_path, make_campaign())
    check = check_page(path, (1280, 400), scripts=(CHOOSE, SORT, TOOLS))
    assert check.faults() == []
    assert [width.plots for width in check.widths] == [26, 26]
    chosen, sorted_models, tools = check.answers
    assert "200 kept samples, estimated" in chosen[0]
    assert chosen[0] != chosen[1]
    assert "40 models" in chosen[2]
    (up_marked, up), (down_marked, down), counts = sorted_models
    assert up_marked
    assert down_marked
    measured = [float(text) for text in up if text != "–"]
    assert measured == sorted(measured)
    assert up[-3:] == down[-3:] == ["–"] * 3
    assert counts == ["8 of 43 shown", "5 of 43 shown", "5 of 10 shown"]
    assert not [title for title in tools if "cloud" in (title or "").lower()]


def test_hostile_names_run_nothing(tmp_path):
    campaign = rename_models(make_campaign(), HOSTILE)
    shown = """[...document.querySelectorAll('.legendtext')].map((item) => item.textContent)"""
    check = check_page(written(tmp_path, campaign), (1280, 400), scripts=(shown,))
    assert check.faults() == []
    assert "<script>alert(1)</script>" in check.answers[0]
    assert "%{x}<b>bold</b>&amp;" in check.answers[0]


def test_pages_with_missing_parts_are_whole(tmp_path):
    campaign = make_campaign()
    failed = campaign.dataset[campaign.dataset["status"] != "measured"]
    for part in (
        replace(campaign, evaluation=Evaluation(), manifest=None),
        replace(campaign.with_dataset(failed), evaluation=Evaluation(), environments={}),
        replace(campaign, evaluation=Evaluation(summary=campaign.evaluation.summary)),
    ):
        assert check_page(written(tmp_path, part), (400,)).faults() == []


def test_defective_page_is_detected(tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        '<html data-drawn="yes"><body><div class="plot" id="lost"></div><div style="width:2000px">wide</div>'
        '<img src="http://localhost:1/x.png"></body></html>'
    )
    check = check_page(path, (400,))
    faults = " ".join(check.faults())
    assert "plot lost is not drawn" in faults
    assert "px too wide" in faults
    assert "http://localhost:1/x.png" in faults
