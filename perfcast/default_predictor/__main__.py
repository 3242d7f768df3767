"""Take over a target's results as what perfcast brings."""

from __future__ import annotations

import sys
from pathlib import Path

from perfcast.dataset.columns import SAMPLE_LISTS, VISIT_LISTS
from perfcast.dataset.reading import read_dataset
from perfcast.default_predictor import DATASET, PREDICTOR
from perfcast.fit.persistence.folder import load_predictor, save_predictor
from perfcast.storage import write_table


def take_over(results: Path) -> None:
    """Copy the dataset, without its samples, and the predictor of a target's ``results``.

    Raises:
        PredictorError: there is no sound predictor.
    """
    predictor = load_predictor(results / "predictor")
    dataset = read_dataset(results / "dataset.parquet")
    samples = [name for name in (*SAMPLE_LISTS, *VISIT_LISTS) if name in dataset]
    write_table(DATASET, dataset.drop(columns=samples))
    save_predictor(predictor, PREDICTOR)


if __name__ == "__main__":
    take_over(Path(sys.argv[1]))
