"""The first pass: a first predictor and report, of the first shard's models, while the others still wait.

It is measured under a budget, and its visits are kept: the shard's own job goes on after them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from perfcast.bench.target import Replicates
from perfcast.dataset.measured import measured_dataset
from perfcast.errors import DataError
from perfcast.pages import write_page
from perfcast.storage import write_table, write_text
from perfcast.studies.registry import find_study
from perfcast.studies.results import DATASET

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from perfcast.bench.campaign import Campaign
    from perfcast.export.exports import Export
    from perfcast.fit.options import FitOptions
    from perfcast.progress import Progress

BUDGET_S = 60.0
"""Of the three minutes until the first predictions, exporting, starting the runtime and fitting take the rest."""

SPLITS = 10
"""Random splits of the published protocol, whose spread is of interest later."""


def measure_first(campaign: Campaign, exports: list[Export], of: int, progress: Progress) -> pd.DataFrame:
    """Measure exports under the first pass's budget, each once; return their dataset.

    Args:
        campaign: the whole one.
        exports: of the first shard.
        of: how many models there are in all.
        progress: shows how far it is.
    """
    once = replace(campaign.target, replicates=Replicates(0.0, 0))
    first = replace(campaign, target=once, budget_s=min(BUDGET_S, campaign.budget_s or BUDGET_S))
    keys = first.measure(exports, progress, "first pass")
    table = measured_dataset(campaign.measurements, campaign.artifacts, keys)
    table.attrs["first_pass_of"] = of
    return table


def show_first(dataset: pd.DataFrame, options: FitOptions, folder: Path, store: str, progress: Progress) -> list[str]:
    """Fit a dataset, and write all of a target's results to a folder; return the summary's lines.

    A dataset that cannot be trained on, such as one of models that failed, has one line, which says why: the others,
    which are measured next, may be enough.
    """
    # scikit-learn sets environment variables, which a runner that is started later would inherit.
    from perfcast.fit.regressors import CHEAP
    from perfcast.fit.stage import FitFolders, learn

    write_table(folder / DATASET, dataset)
    quick = replace(options, algorithms=options.algorithms or list(CHEAP), splits=min(SPLITS, options.splits))
    try:
        learn(dataset, quick, FitFolders(folder / "evaluation", folder / "predictor"), progress)
    except DataError as error:
        return [f"no report of the first pass: {error}"]
    study = find_study("prediction")
    findings = study.run([folder], study.chosen({"store": store}))
    write_page(folder / "report.html", findings.page)
    lines = findings.summary(folder / "report.html")
    write_text(folder / "summary.txt", "\n".join(lines) + "\n")
    return lines
