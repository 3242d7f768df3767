"""The first pass: fitted with what takes little time, and shown in a folder of its own."""

from perfcast.config import default_of
from perfcast.fit.stage import options_of
from perfcast.pipeline.first_pass import ALGORITHMS, show_first
from perfcast.progress import quiet
from perfcast.storage import read_json


def test_a_first_pass_is_fitted_and_shown(campaign, tmp_path):
    dataset = campaign.dataset.assign(stopped_by="budget")
    dataset.attrs |= {"first_pass_of": 108, "features": ["flops", "parameters"]}
    metrics = {"latency_ms": {"column": "latency_ms", "unit": "ms"}}
    options = options_of(dataset, metrics, default_of("config", "fit") | {"splits": 1}, jobs=1)
    lines = show_first(dataset, options, tmp_path, str(tmp_path / "store"), quiet)
    assert lines[0].startswith("First pass: 43 of 108 models")
    assert (tmp_path / "summary.txt").read_text().splitlines() == lines
    assert "First pass: 43 of 108 models" in (tmp_path / "report.html").read_text()
    assert read_json(tmp_path / "evaluation/summary.json")["metrics"]["latency_ms"]["deployed"] in ALGORITHMS
    assert (tmp_path / "predictor/manifest.json").is_file()
