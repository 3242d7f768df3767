"""Record traces of real networks under a disturbance, as the tests of the estimator replay them.

    PYTHONPATH=. python benchmarks/traces.py

Each network is visited 60 times while `stress-ng` keeps one core busy, on and off for 1 to 10 s at random. The trace
is every third visit. Its truth is what the other visits took that the reference workload found calm, the geometric
mean of their medians: so the estimator never sees what it is judged by. The machine's own clock moves by 15%, so what
these took is brought to the clock of the trace's calm visits by the reference workload.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from disturbing import disturbance
from fixed_lists import campaign_in, exported, records_of, specs_of

from perfcast.stability import Series
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


def truth_ms(series, visits, kept):
    """Return the geometric mean of the medians of ``visits``, at the speed that the machine had in those ``kept``."""
    medians = series.kept().visit_times()
    relative = [np.log(np.median(medians[visit]) / series.reference_ms[visit]) for visit in visits]
    return float(np.exp(np.mean(relative) + np.mean([np.log(series.reference_ms[visit]) for visit in kept])))


def main():
    if not shutil.which("stress-ng"):
        sys.exit("stress-ng is not installed")
    with tempfile.TemporaryDirectory() as folder:
        exports = exported(specs_of(MODELS), Path(folder))
        campaign = campaign_in(Path(folder), Path(folder), PROTOCOL)
        with disturbance("traces"):
            records = records_of(campaign, exports, "measuring")
    for export, record in zip(exports, records, strict=True):
        series = Series.of_record(record)
        visits = set(range(PROTOCOL["visits"]))
        kept = set(range(0, PROTOCOL["visits"], EVERY))
        calm = visits - kept - series.disturbed
        truth = truth_ms(series, calm, kept - series.disturbed)
        save(f"recorded_{export.spec.model}", series.where(np.isin(series.visit, list(kept))), truth)
        print(
            f"{export.spec.model}: {truth:.3f} ms of {len(calm)} calm visits; {len(kept & series.disturbed)} disturbed"
        )


if __name__ == "__main__":
    main()
