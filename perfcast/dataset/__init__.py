"""The dataset: a target's measurements, judged and joined with the features of their models."""
