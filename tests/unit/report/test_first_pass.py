"""The first pass: fitted with what takes little time, and shown in a folder of its own."""

from perfcast.config import default_of
from perfcast.fit.regressors import CHEAP
from perfcast.fit.stage import options_of
from perfcast.pipeline.first_pass import show_first
from perfcast.progress import quiet
from perfcast.storage import read_json

METRICS = {"latency_ms": {"column": "latency_ms", "unit": "ms"}}


def shown(dataset, folder):
    dataset.attrs |= {"first_pass_of": 108, "features": ["flops", "parameters"]}
    options = options_of(dataset, METRICS, default_of("config", "fit") | {"splits": 1}, jobs=1)
    return show_first(dataset, options, folder, str(folder / "store"), quiet)


def test_a_first_pass_is_fitted_and_shown(campaign, tmp_path):
    lines = shown(campaign.dataset.assign(stopped_by="budget"), tmp_path)
    assert lines[0].startswith("First pass: 43 of 108 models")
    assert (tmp_path / "summary.txt").read_text().splitlines() == lines
    assert "First pass: 43 of 108 models" in (tmp_path / "report.html").read_text()
    assert read_json(tmp_path / "evaluation/summary.json")["metrics"]["latency_ms"]["deployed"] in CHEAP
    assert (tmp_path / "predictor/manifest.json").is_file()


def test_a_first_pass_that_cannot_be_trained_on_says_why(campaign, tmp_path):
    dataset = campaign.dataset.copy()
    dataset.loc[dataset.index[5] :, ["latency_ms", "status"]] = [None, "unsupported"]
    (line,) = shown(dataset, tmp_path)
    assert line.startswith("no report of the first pass: 'latency_ms': all rows are of family 'densenet'")
    assert not (tmp_path / "report.html").exists()
