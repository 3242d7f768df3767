"""The study `prediction`: what it takes and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.studies.study import Findings, Option, Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from perfcast.fit.evaluation import Evaluation

_PROBLEMS = "problems.csv"


def _run(paths: Sequence[Path], options: Mapping[str, Any]) -> Findings:
    from perfcast.studies.prediction.summary import metric_lines
    from perfcast.studies.results import read_results, results_folder

    folder = results_folder(paths[0])
    dataset = read_results(paths[0], ("model", "family"))
    evaluation, manifest = _fitted(folder)
    if (folder / _PROBLEMS).is_file():
        from perfcast.studies.prediction.imported import imported_page, imported_sentence

        problems = _problems(folder / _PROBLEMS)
        page = imported_page(dataset, problems, evaluation, manifest, target=folder.resolve().name)
        lines = [imported_sentence(dataset, problems), *metric_lines(evaluation)]
    else:
        from perfcast.studies.prediction.page import report_page
        from perfcast.studies.prediction.summary import summary_lines

        environments = _environments(dataset, options["store"] or folder.resolve().parent / "store")
        page = report_page(dataset, evaluation, environments, manifest, target=folder.resolve().name)
        lines = summary_lines(dataset, evaluation)
    return Findings(tuple(lines), page, files={} if manifest is None else {"predictor": folder / "predictor"})


def _fitted(folder: Path) -> tuple[Evaluation, dict[str, Any] | None]:
    """Return the evaluation and the predictor's manifest in a folder of results; empty where nothing was fitted."""
    from perfcast.fit.evaluation import Evaluation, read_evaluation
    from perfcast.storage import read_json

    if not (folder / "evaluation").is_dir():
        return Evaluation(), None
    try:
        return read_evaluation(folder / "evaluation"), read_json(folder / "predictor" / "manifest.json")
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder}: its evaluation cannot be read ({error}); run the workflow again") from error


def _problems(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(path, dtype={"value": "str"}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); run the workflow again") from error


def _environments(dataset: pd.DataFrame, store: str | Path) -> dict[str, dict[str, Any]]:
    """Return the environments of a dataset that the store holds; the page names those that it does not hold."""
    from pathlib import Path

    from perfcast.bench.record import MeasurementStore

    found = MeasurementStore(Path(store))
    digests = dataset["environment"].dropna().unique() if "environment" in dataset else ()
    return {digest: found.environment(digest) for digest in digests if found.environments.has(digest)}


STUDY = Study(
    summary="Report on a target's measurements and predictor.",
    help=(
        "Report on a target from its RESULTS, the folder that the workflow wrote: what was measured and how far it can "
        "be trusted, how large the errors of all algorithms are, which features matter."
    ),
    inputs=("RESULTS",),
    run=_run,
    options=(
        Option(
            "store",
            "Store of measurements, to read the environments from; null for the folder `store` next to RESULTS.",
            {"type": ["string", "null"]},
        ),
    ),
)
