"""The default predictor, and the measurements that it was trained on; `make default-predictor` makes both again.

`python -m perfcast.default_predictor RESULTS` takes them over from a target's results.
"""

from importlib import resources
from pathlib import Path

HERE = Path(str(resources.files(__name__)))
DATASET, PREDICTOR = HERE / "dataset.parquet", HERE / "predictor"
