"""Predictors of published measurements against the published errors, and what their intervals promise."""

import numpy as np
import pandas as pd
import pytest

from perfcast.fit.evaluation import read_evaluation
from perfcast.fit.measures import clustered_interval, mape
from tests.conftest import ROOT
from tests.measured import FOLDER, needs
from tests.unit.test_cli import run

DATA = FOLDER / "edge_gpu_2022"
BOARDS = ("AGX", "TX2", "Nano")
FOLDERS = {"time": "execution_time", "memory": "memory_consumption"}
PUBLISHED_BEST = {"time": 9.0, "memory": 5.3}
"""Mean over the boards of the best published error at input sizes that were not seen, in %."""


@pytest.fixture(scope="module", params=FOLDERS)
def fitted(request, tmp_path_factory):
    """Return the kind of metric, and of each board the predictor's folder and predictions for unseen input sizes."""
    kind, folder = request.param, tmp_path_factory.mktemp("fitted")
    mapping = ("--mapping", ROOT / f"config/tables/edge_gpu_2022_{kind}.yaml")
    boards = {}
    for board in BOARDS:
        tables = DATA / FOLDERS[kind] / board
        answer = run("fit", tables / "training_dataset.csv", *mapping, "--out", folder / board)
        assert answer.exit_code == 0, answer.output
        out = folder / f"{board}.csv"
        asked = ("--predictor", folder / board, "--out", out)
        answer = run("predict", tables / "test_dim1.csv", *mapping, *asked)
        assert answer.exit_code == 0, answer.output
        boards[board] = folder / board, pd.read_csv(out)
    return kind, boards


@needs(DATA)
def test_error_at_unseen_sizes_is_below_published(fitted):
    kind, boards = fitted
    column = "latency_ms" if kind == "time" else "memory_mb"
    errors = {}
    for board, (_, found) in boards.items():
        measured = pd.to_numeric(found[column], errors="coerce")
        known = (measured > 0).to_numpy()
        errors[board] = mape(measured[known].to_numpy(), found.loc[known, "prediction"].to_numpy())
        inside = (found["lower"] <= measured) & (measured <= found["upper"])
        assert inside[known].mean() > 0.8
        assert found["in_domain"].mean() > 0.95
    assert np.mean(list(errors.values())) < PUBLISHED_BEST[kind], errors


@needs(DATA)
def test_interval_coverage_holds_on_unseen_families(fitted):
    _, boards = fitted
    held, families, plain = [], [], 0.0
    for board, (folder, _) in boards.items():
        evaluation = read_evaluation(folder / "evaluation")
        ((_, metric),) = evaluation.summary["metrics"].items()
        rows = evaluation.predictions.query("scheme == 'leave_one_family_out' and algorithm == @metric['deployed']")
        held.append((rows["lower"] <= rows["measured"]) & (rows["measured"] <= rows["upper"]))
        families.append(board + rows["family"])
        plain += metric["split_conformal"]["coverage"] * len(rows)
    held, families = pd.concat(held).to_numpy(dtype=float), pd.concat(families).to_numpy()
    assert len(held) >= 300
    low, high = clustered_interval(held, families, seed=0)
    assert low <= 0.9 <= high, (low, held.mean(), high)
    assert 0.85 < held.mean() < 0.95
    assert plain / len(held) < held.mean() - 0.05, "rows of unseen families are not like rows held out by chance"
