"""What metrics, algorithms and validation schemes are called, and how the source document prints accuracies."""

from __future__ import annotations

from typing import Any

from perfcast.pages.formatting import MISSING, SPACE, is_number, words

_METRICS = {
    "latency": "Latency",
    "latency_ms": "Latency",
    "time": "Latency",
    "ram": "Memory (RAM)",
    "ram_mb": "Memory (RAM)",
    "memory": "Memory (RAM)",
    "memory_mb": "Memory",
    "power_mw": "Power",
    "power_w": "Power",
    "energy_mj": "Energy per run",
}
_ALGORITHMS = {
    "poly": "Ridge polynomial",
    "svr": "SVR",
    "mlp": "MLP",
    "forest": "Random forest",
    "xgboost": "XGBoost",
    "extra_trees": "Extra trees",
    "gaussian_process": "Gaussian process",
    "linear": "Linear model",
    "ensemble": "Ensemble",
    "mixture_of_experts": "Mixture of experts",
    "flops_only": "FLOPs only (baseline)",
    "nearest_neighbour": "Nearest neighbour (baseline)",
}
_SCHEMES = {
    "random_folds": "Random folds",
    "leave_one_family_out": "Leave one family out",
    "unseen_network": "Unseen network",
    "unseen_input_size": "Unseen input size",
}


def accuracy(value: Any) -> str:
    """Return an accuracy in percent with two decimals, as the source document prints them."""
    return f"{float(value):.2f}{SPACE}%" if is_number(value) else MISSING


def metric_label(metric: str) -> str:
    """Return how a metric is called in headings, and which part of a predictor it is of where there are several."""
    name, _, part = metric.partition("[")
    label = _METRICS.get(name, words(name))
    return f"{label} ({part[:-1].replace('=', ' ').replace(',', ', ')})" if part else label


def algorithm_label(algorithm: str | None) -> str:
    """Return how an algorithm is called in tables; a dash for none."""
    return _ALGORITHMS.get(algorithm, algorithm) if algorithm else MISSING


def scheme_label(scheme: str) -> str:
    """Return how a validation scheme is called in tables."""
    return _SCHEMES.get(scheme, words(scheme))
