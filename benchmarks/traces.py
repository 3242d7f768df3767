"""Record traces of real networks under a disturbance, as the tests of the estimator replay them.

    PYTHONPATH=. python benchmarks/traces.py [--threads N] [--keep FOLDER] [--save]

Each network is visited 480 times, in turns with the others, while `stress-ng` keeps two cores busy, on and off for 1 to
10 s at random. The trace is every eighth visit. Its truth is told by the others, without any of the estimator: the
median of the medians of those visits during which the disturbance was off, by its own log, and the machine not
otherwise disturbed, by the calibration workload. With the truth stands its own 95% interval, bootstrapped over visits.
"""

import argparse
import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
from disturbance import TWO_CORES, disturbance
from model_lists import campaign_in, exported, records_of, specs_of

from perfcast.stability import Series, judge
from tests.unit.stability.replayed import save

MODELS = """keras_applications,DenseNet121,128,
keras_applications,EfficientNetB0,128,
keras_applications,MobileNet,224,
keras_applications,ResNet50,96,
keras_applications,Xception,96,
synthetic,basic_model,128,conv_layers=4;filter_size=3;filters=64;strides=1
"""
PROTOCOL = {"name": "published", "iterations": 5760, "discard": 480, "warmup_s": 0.1, "visits": 480, "repeats": 0}
EVERY = 8
MARGIN_S = 0.5, 2.0
"""From so long before a visit's second until so long after its start it is free of the disturbance: a visit takes less
than a second."""
BOOTSTRAPS = 2000


def free_visits(record, phases):
    """Return the numbers of the visits while the disturbance was off."""
    before_s, after_s = MARGIN_S
    starts = {visit["visit"]: datetime.fromisoformat(visit["started_at"]).timestamp() for visit in record["visits"]}
    return {
        visit
        for visit, start in starts.items()
        if not any(on < start + after_s and off > start - before_s for on, off in phases)
    }


def truth_of(series, visits):
    """Return the median of the medians of ``visits``, in ms; its 95% interval; and by how much they scatter."""
    times = series.kept().visit_times()
    medians = np.array([np.median(times[visit]) for visit in visits])
    draws = np.random.default_rng(0).integers(0, len(medians), (BOOTSTRAPS, len(medians)))
    low, high = np.percentile(np.median(medians[draws], axis=1), [2.5, 97.5])
    return float(np.median(medians)), low, high, float(np.std(np.log(medians)))


def measured(folder, threads):
    """Return exports, records, and when the disturbance was on; what is kept is not measured."""
    exports = exported(specs_of(MODELS), folder)
    campaign = campaign_in(folder, folder, PROTOCOL, threads=threads)
    kept = folder / "phases.json"
    if kept.exists():
        return exports, records_of(campaign, exports, "reading"), json.loads(kept.read_text())
    with disturbance("traces", TWO_CORES) as phases:
        records = records_of(campaign, exports, "measuring")
    kept.write_text(json.dumps(phases))
    return exports, records, phases


def report(export, record, phases, is_saved):
    series = Series.of_record(record)
    traced = series.visits[::EVERY]
    trace = series.where(np.isin(series.visit, traced))
    told_by = sorted(free_visits(record, phases) - set(traced) - series.disturbed)
    truth, low, high, scatter = truth_of(series, told_by)
    if is_saved:
        save(f"recorded_{export.spec.model}", trace, truth)
    status, of_free = judge(trace), judge(series.where(np.isin(series.visit, told_by)))
    print(
        f"{export.spec.model}: {truth:.3f} ms ({low / truth - 1:+.1%} to {high / truth - 1:+.1%}) in {len(told_by)} "
        f"visits that scatter by {scatter:.1%}; judged {status.location_ms / truth - 1:+.1%} ({status.trust}), "
        f"of those visits themselves {of_free.location_ms / truth - 1:+.1%}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder to keep all measurements in; what it has is not measured")
    parser.add_argument("--save", action="store_true", help="replace the tests' traces by these")
    arguments = parser.parse_args()
    if not shutil.which("stress-ng"):
        parser.exit(2, "stress-ng is not installed\n")
    with tempfile.TemporaryDirectory() as temporary:
        exports, records, phases = measured(arguments.keep or Path(temporary), arguments.threads)
    for export, record in zip(exports, records, strict=True):
        report(export, record, phases, arguments.save)


if __name__ == "__main__":
    main()
