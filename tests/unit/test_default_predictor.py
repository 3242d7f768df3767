"""The predictor that perfcast brings."""

import numpy as np
import pandas as pd

from perfcast.default_predictor import DATASET, PREDICTOR
from perfcast.fit.persistence.folder import load_predictor


def test_default_predictor_fits_its_data_and_names_its_machine():
    predictor = load_predictor(PREDICTOR)
    assert set(predictor.metrics) == {"latency_ms", "ram_mb"}
    assert "threads, tensorflow" in predictor.label
    measured = pd.read_parquet(DATASET).query("status == 'measured' and replicate == 0")
    predictions = predictor.predict(measured).query("metric == 'latency_ms'")
    errors = np.abs(predictions["prediction"].to_numpy() / measured["latency_ms"].to_numpy() - 1)
    assert np.median(errors) < 0.2
