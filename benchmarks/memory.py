"""How the definitions of a model's memory agree on 20 models.

    python benchmarks/memory.py

Printed per model in MB of 10^6 bytes, then the rank correlation (Spearman) of each pair of definitions.
"""

import tempfile
from pathlib import Path

import pandas as pd
from model_lists import VARIED, campaign_in, exported, records_of, specs_of

from perfcast.dataset.rows import measurement_row

COLUMNS = ["ram_load_peak_mb", "ram_run_peak_mb", "allocator_peak_mb", "system_drop_mb"]
SHORT = {"name": "published", "iterations": 20, "discard": 5, "visits": 1, "repeats": 0}


def main():
    with tempfile.TemporaryDirectory() as folder:
        exports = exported(specs_of(VARIED), Path(folder))
        campaign = campaign_in(Path(folder), Path(folder), SHORT)
        rows = [measurement_row(record) for record in records_of(campaign, exports, "measuring")]
    table = pd.DataFrame(rows).set_index("model")[COLUMNS]
    print(table.round(1).to_string())
    print("\nrank correlation")
    print(table.corr(method="spearman").round(3).to_string())


if __name__ == "__main__":
    main()
