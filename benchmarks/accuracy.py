"""Errors of all algorithms on published measurements: boards by metrics by kinds of validation, coverage and width.

    python benchmarks/accuracy.py FOLDER [--board NAME]... [--metric NAME]...

FOLDER holds `execution_time/<board>/training_dataset.csv` and so on. Random CNNs are held out in five folds, all other
networks trained on, and then all at once; the other columns are the evaluation of `perfcast fit`. No test table is
read.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from perfcast.fit.evaluate import evaluate
from perfcast.fit.fitting import train
from perfcast.fit.measures import mape
from perfcast.fit.options import ALGORITHMS, SCHEMES, FitOptions, Metric
from perfcast.fit.splits import grouped_folds
from perfcast.fit.training_data import training_data
from perfcast.tables.dataset import import_table
from perfcast.tables.mapping import load_mapping
from perfcast.tables.reading import read_tables

MAPPINGS = Path(__file__).parents[1] / "config/tables"
FOLDERS = {"time": "execution_time", "memory": "memory_consumption", "power": "power_consumption"}
BOARDS = ("AGX", "TX2", "Nano")
RANDOM = "basic_model"


def read(folder, metric, board):
    """Return the imported table and the options to learn from it."""
    mapping = load_mapping(MAPPINGS / f"edge_gpu_2022_{metric}.yaml").chosen(())
    imported = import_table(read_tables([folder / FOLDERS[metric] / board / "training_dataset.csv"], mapping), mapping)
    metrics = {name: Metric(name, entry.unit) for name, entry in mapping.metrics.items()}
    return imported, FitOptions(imported.features, metrics, splits=0, jobs=2, implausible=mapping.implausible)


def random_cnns(imported, options, algorithm, folds):
    """Return the MAPE on random CNNs held out in so many folds: with one, none of them is trained on."""
    (metric,) = options.metrics.values()
    table = training_data(imported.dataset, metric, options)
    random = np.flatnonzero(table.families == RANDOM)
    networks = table.networks[random]
    tested = [fold.test for fold in grouped_folds(networks, folds, seed=0)] if folds > 1 else [slice(None)]
    prediction = np.empty(len(random))
    with threadpool_limits(limits=1):
        for test in tested:
            learned = np.setdiff1d(np.arange(len(table)), random[test])
            rows = table.take(learned)
            trained = train(algorithm, rows, rows.families, options.seed)
            prediction[test] = trained.predict(table.take(random[test])).values
    return mape(table.target[random], prediction)


def show(folder, metric, board):
    """Print the errors on one table."""
    started = time.perf_counter()
    imported, options = read(folder, metric, board)
    ((_, found),) = evaluate(imported.dataset, options).summary["metrics"].items()
    took = time.perf_counter() - started
    print(f"\n{metric}, {board}: {found['models']} rows of {found['families']} families, evaluated in {took:.0f} s")
    print("| | random CNNs | all random CNNs |", " | ".join(scheme.replace("_", " ") for scheme in SCHEMES), "|")
    print("|---|---|---|" + "---|" * len(SCHEMES))
    errors = {}
    for algorithm in ALGORITHMS:
        schemes = [found["algorithms"][algorithm][scheme]["mape"] for scheme in SCHEMES]
        errors[algorithm] = [*(random_cnns(imported, options, algorithm, folds) for folds in (5, 1)), *schemes]
        mark = " (deployed)" if algorithm == found["deployed"] else ""
        print(f"| {algorithm}{mark} | {' | '.join(f'{error:.1f}' for error in errors[algorithm])} |", flush=True)
    low, high = found["interval_coverage_low"], found["interval_coverage_high"]
    plain = found["split_conformal"]
    print(
        f"90% intervals on families held out: hold {found['interval_coverage']:.1%} ({low:.0%} to {high:.0%}), width "
        f"{found['interval_width_factor']:.2f}; "
        f"plain split conformal: {plain['coverage']:.1%}, {plain['width_factor']:.2f}"
    )
    for name, part in (found["schemes"] | found["domain"]).items():
        if part:
            shown = f"{part['models']} rows, MAPE {part['mape']:.1f}%, hold {part['coverage']:.1%}"
            print(f"  {name}: {shown}, width {part['width_factor']:.2f}")
    return found["deployed"], errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", action="append")
    parser.add_argument("--metric", action="append")
    arguments = parser.parse_args()
    for metric in arguments.metric or FOLDERS:
        boards = [show(arguments.folder, metric, board) for board in arguments.board or BOARDS]
        means = np.mean([errors[deployed] for deployed, errors in boards], axis=0)
        print(f"\n{metric}, deployed, mean over boards:", *(f"{mean:.2f}" for mean in means))


if __name__ == "__main__":
    main()
