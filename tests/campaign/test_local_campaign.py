"""What `make run` does, with the sheet, the protocol and the splits that it really uses."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from tests.system.report.browser import check_page


@pytest.mark.timeout(3000)
def test_local_campaign_gives_a_report_and_a_predictor(root, tmp_path):
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local"]
    command += ["--snakefile", str(root / "Snakefile"), "--directory", str(tmp_path)]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    results = tmp_path / "results/local"
    dataset = pd.read_parquet(results / "dataset.parquet")
    first = dataset[dataset["replicate"] == 0]
    assert (first["status"] == "measured").all()
    sources = first["source"].value_counts()
    assert sources["keras_applications"] >= 24
    assert sources["synthetic"] >= 24
    assert sources["dense"] >= 1
    assert first[first["source"] == "keras_applications"]["family"].nunique() >= 8
    assert first["visits"].between(3, 12).all()
    assert (first["wall_samples_ms"].map(len) == 11 * first["visits"]).all()
    assert (first["warmup_samples_ms"].map(len) == first["visits"]).all()
    assert (first["trust"] != "rejected").mean() > 0.9
    assert check_page(results / "report.html").faults() == []
    metrics = json.loads((results / "evaluation/summary.json").read_text())["metrics"]
    for name in ("latency_ms", "ram_mb"):
        errors = {a: v["leave_one_family_out"]["mape"] for a, v in metrics[name]["algorithms"].items()}
        assert errors[metrics[name]["deployed"]] < errors["flops_only"]
        assert errors[metrics[name]["deployed"]] < errors["nearest_neighbour"]
