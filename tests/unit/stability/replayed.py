"""Traces of measurements, kept as files, whose undisturbed latency is known.

    python -m tests.unit.stability.replayed

makes the generated ones again; a recorded one is added with `save`. The truth of a recorded one is what the same model
took on the same machine while nothing disturbed it.
"""

import gzip
import json
from pathlib import Path

import numpy as np

from perfcast.stability import Series
from tests.unit.stability.campaigns import QUIET, Machine, Model, campaign

FOLDER = Path(__file__).parent / "traces"
BUSY = Machine()
GENERATED = {
    "quiet": (Model(), QUIET, {}),
    "busy": (Model(), BUSY, {}),
    "busy_without_causes": (Model(latency_ms=40.0), Machine(counts=False), {}),
    "busy_most_of_the_time": (Model(latency_ms=8.0), Machine(busy=0.7), {"visits": 10}),
    "busy_in_short_phases": (Model(latency_ms=25.0), Machine(phases=(0.1, 3.0)), {"visits": 10}),
    "busy_with_high_spikes": (Model(latency_ms=15.0, spikes=0.1), BUSY, {}),
    "busy_with_low_spikes": (Model(latency_ms=20.0, lows=0.1), BUSY, {}),
    "busy_autocorrelated": (Model(noise=0.03, memory=0.6), BUSY, {}),
    "busy_slow_model": (Model(latency_ms=1200.0), BUSY, {}),
    "busy_fast_model": (Model(latency_ms=0.4, noise=0.04), BUSY, {"visits": 10}),
    "busy_long_warmup": (Model(warmup=15), BUSY, {}),
    "published_with_spikes": (Model(spikes=0.1), QUIET, {"visits": 1, "repeats": 0}),
}


def never_calm(folder):
    """Return the names of models and the series of a campaign in which calm was rare, in the order of measuring."""
    with gzip.open(folder / "measurements.jsonl.gz", "rt") as file:
        records = [json.loads(line) for line in file]
    for record in records:
        for visit in record["visits"]:
            # They were called disturbed by the fastest calibration ever seen.
            visit |= {"calibration": visit.pop("reference"), "disturbed": False}
    return [record["model"] for record in records], [Series.of_record(record) for record in records]


def pairs_of(models, values):
    """Return the first and the second value of each model that has two; ``values`` are in the order of ``models``."""
    by_model = {}
    for model, value in zip(models, values, strict=True):
        by_model.setdefault(model, []).append(value)
    return zip(*(pair for pair in by_model.values() if len(pair) == 2), strict=True)


def save(name, series, truth_ms):
    """Write a trace: times in ns as whole numbers, so that it stays small."""
    visits = [visit for visit in series.visits if visit in series.calibration_ms]
    causes = {f"cause_{key}": values.astype(np.int64) for key, values in series.causes.items()}
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        FOLDER / f"{name}.npz",
        truth_ms=truth_ms,
        wall_ns=np.round(series.wall_ms * 1e6).astype(np.int64),
        visit=series.visit.astype(np.int16),
        discarded=series.discarded,
        disturbed=np.array(sorted(series.disturbed.intersection(series.visits)), np.int16),
        calibration_visit=np.array(visits, np.int16),
        calibration_ns=np.array([series.calibration_ms[visit] * 1e6 for visit in visits], np.int64),
        **causes,
    )


def load(path):
    """Return the series of a trace, and its undisturbed latency in ms."""
    with np.load(path) as kept:
        series = Series(
            wall_ms=kept["wall_ns"] * 1e-6,
            visit=kept["visit"].astype(int),
            discarded=kept["discarded"],
            causes={key[6:]: kept[key].astype(float) for key in kept.files if key.startswith("cause_")},
            disturbed=frozenset(kept["disturbed"].tolist()),
            calibration_ms=dict(
                zip(kept["calibration_visit"].tolist(), (kept["calibration_ns"] * 1e-6).tolist(), strict=True)
            ),
        )
        return series, float(kept["truth_ms"])


def main():
    for seed, (name, (model, machine, protocol)) in enumerate(GENERATED.items()):
        save(name, campaign(model, machine, np.random.default_rng(seed), **protocol), model.typical_ms)


if __name__ == "__main__":
    main()
