"""Learning from a dataset: evaluation, the fitted predictor, and its predictions."""
