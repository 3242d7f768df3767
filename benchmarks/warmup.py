"""How long a model that was idle takes to run at its usual speed.

    python benchmarks/warmup.py

20 networks are visited 20 times each, in turns, 60 inferences at a time. Printed of each network, from the median over
visits: the first inferences in times of the last twenty, and after how many inferences and ms it stays within 2% of
these.
"""

import tempfile
from pathlib import Path

import numpy as np
from model_lists import MIDDLING, campaign_in, exported, records_of, specs_of

from perfcast.stability import Series

EACH, VISITS = 60, 20
PROTOCOL = {"name": "published", "iterations": EACH * VISITS, "discard": 0, "visits": VISITS, "repeats": 0}
SETTLED = 20
WITHIN = 1.02
SHOWN = (1, 2, 3, 5, 10, 20)


def settled_after(times_ms):
    """Return after how many inferences times stay within 2% of the last ones, and how many ms that took."""
    usual = np.median(times_ms[-SETTLED:])
    (above,) = np.nonzero(times_ms[:-SETTLED] > WITHIN * usual)
    count = int(above[-1]) + 1 if len(above) else 0
    return count, float(times_ms[:count].sum())


def main():
    with tempfile.TemporaryDirectory() as folder:
        exports = exported(specs_of(MIDDLING), Path(folder))
        records = records_of(campaign_in(Path(folder), Path(folder), PROTOCOL), exports, "measuring")
    print(f"{'':28}{'usual ms':>9}" + "".join(f"{place:>7}." for place in SHOWN) + f"{'settled after':>15}{'ms':>6}")
    found = []
    for export, record in zip(exports, records, strict=True):
        series = Series.of_record(record)
        times = np.median(list(series.visit_times().values()), axis=0)
        usual = np.median(times[-SETTLED:])
        found.append(settled_after(times))
        ratios = "".join(f"{times[place - 1] / usual:8.2f}" for place in SHOWN)
        print(f"{export.spec.model:28}{usual:9.2f}{ratios}{found[-1][0]:15}{found[-1][1]:6.0f}")
    counts, durations = np.array(found).T
    print(
        f"settled after {np.median(counts):.0f} inferences (median) ({counts.min():.0f} to {counts.max():.0f}), "
        f"after {np.median(durations):.0f} ms ({durations.min():.0f} to {durations.max():.0f})"
    )


if __name__ == "__main__":
    main()
