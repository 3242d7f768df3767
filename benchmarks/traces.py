"""Record traces of real networks under a disturbance, as the tests of the estimator replay them.

    PYTHONPATH=. python benchmarks/traces.py

Each network is visited 60 times, on one thread, while `stress-ng` keeps two cores busy, on and off for 1 to 10 s at
random. The trace is every third visit. Its truth comes from those others that the reference workload found calm: the
lower quartile of their medians, since the slower ones hold what the machine hides, brought to the clock of the trace's
calm visits by the reference workload, since the machine's own clock moves by 15%. It is known to some 2 or 3%; a
network whose calm visits scatter by more than 6% (standard deviation) is left out.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from disturbing import TWO_CORES, disturbance
from fixed_lists import campaign_in, exported, records_of, specs_of

from perfcast.stability import Series, judge
from tests.unit.stability.replayed import save

MODELS = """keras_applications,DenseNet121,128,
keras_applications,EfficientNetB0,128,
keras_applications,MobileNet,224,
keras_applications,ResNet50,96,
keras_applications,Xception,96,
synthetic,basic_model,128,conv_layers=4;filter_size=3;filters=64;strides=1
"""
PROTOCOL = {"name": "published", "iterations": 1200, "discard": 240, "visits": 60, "repeats": 0}
EVERY = 3
MOST_SCATTER = 0.06


def truth_and_scatter(series, kept):
    """Return what the calm ones of the visits that are not ``kept`` took, at the speed of the calm ones that are.

    With it the standard deviation of its logarithm over these visits.
    """
    times = series.kept().visit_times()
    calm = [visit for visit in series.visits if visit not in series.disturbed]
    relative = [np.median(times[visit]) / series.reference_ms[visit] for visit in calm if visit not in kept]
    speed = np.exp(np.mean([np.log(series.reference_ms[visit]) for visit in calm if visit in kept]))
    return float(np.quantile(relative, 0.25) * speed), float(np.std(np.log(relative)))


def main():
    if not shutil.which("stress-ng"):
        sys.exit("stress-ng is not installed")
    with tempfile.TemporaryDirectory() as folder:
        exports = exported(specs_of(MODELS), Path(folder))
        campaign = campaign_in(Path(folder), Path(folder), PROTOCOL, threads=1)
        with disturbance("traces", TWO_CORES):
            records = records_of(campaign, exports, "measuring")
    for export, record in zip(exports, records, strict=True):
        series = Series.of_record(record)
        kept = series.visits[::EVERY]
        trace = series.where(np.isin(series.visit, kept))
        truth, scatter = truth_and_scatter(series, kept)
        if scatter <= MOST_SCATTER:
            save(f"recorded_{export.spec.model}", trace, truth)
        error = judge(trace).location_ms / truth - 1
        print(
            f"{export.spec.model}: {truth:.3f} ms, judged {error:+.1%}; {len(series.disturbed)} visits disturbed, the "
            f"others scatter by {scatter:.1%}{'' if scatter <= MOST_SCATTER else ': left out'}"
        )


if __name__ == "__main__":
    main()
