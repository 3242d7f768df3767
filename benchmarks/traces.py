"""Record traces of real networks under a disturbance, as the tests of the estimator replay them.

    PYTHONPATH=. python benchmarks/traces.py

Each network is visited 40 times while `stress-ng` keeps one core busy, on and off for 1 to 10 s at random. The trace
is every fourth visit. Its truth is what the other visits took that the reference workload found calm: the geometric
mean of their medians. So the estimator never sees what it is judged by, and the machine's clock is the same for both.
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
PROTOCOL = {"name": "published", "iterations": 800, "discard": 160, "visits": 40, "repeats": 0}
EVERY = 4


def truth_ms(series, visits):
    """Return the geometric mean of the medians of the calm ones of these visits."""
    medians = [np.median(times) for visit, times in series.kept().visit_times().items() if visit in visits]
    return float(np.exp(np.mean(np.log(medians))))


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
        truth = truth_ms(series, calm)
        save(f"recorded_{export.spec.model}", series.where(np.isin(series.visit, list(kept))), truth)
        print(
            f"{export.spec.model}: {truth:.3f} ms of {len(calm)} calm visits; {len(kept & series.disturbed)} disturbed"
        )


if __name__ == "__main__":
    main()
