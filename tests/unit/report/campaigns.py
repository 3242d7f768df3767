"""A target's files as they would be after a campaign, made up but consistent with `docs/data-model.md`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from perfcast.dataset.columns import ENERGIES
from perfcast.dataset.noise import noise_floors
from perfcast.fit.evaluation import Evaluation

FAMILIES = ("densenet", "resnet", "vgg", "mobilenet", "efficientnet", "convnext", "nasnet", "basic_model")
SIZES = (128, 160, 192, 224, 256)
ALGORITHMS = {"poly": 0.32, "svr": 0.2, "mlp": 0.24, "forest": 0.17, "xgboost": 0.13}
BASELINES = {"flops_only": 0.6, "nearest_neighbour": 0.45}
SCHEMES = {"random_folds": 0.6, "leave_one_family_out": 1.3, "unseen_input_size": 0.9}
METRICS = {"latency_ms": ("ms", "latency_ms", "xgboost"), "ram_mb": ("MB", "ram_run_peak_mb", "svr")}
CHOSEN = {
    "latency_ms": {"mape": 17.3, "median_ape": 12.1, "mape_low": 13.9, "mape_high": 22.6},
    "ram_mb": {"mape": 21.4, "median_ape": 15.2, "mape_low": 16.8, "mape_high": 27.5},
}
FEATURES = (
    "flops", "sum_activations", "weighted_sum_neurons", "conv_parameters", "layers", "input_size",
    "fc_parameters", "bn_parameters", "bn_layers", "conv_layers", "fc_layers",
)  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "a\"b'c`${d}",
    "{{ 7*7 }}{% raw %}",
    "%{x}<b>bold</b>&amp;",
    "網路–é\u202eevil\u2028",
)


@dataclass(frozen=True)
class Campaign:
    """Everything that a report is made of."""

    dataset: pd.DataFrame
    evaluation: Evaluation
    environments: dict[str, dict[str, Any]]
    manifest: dict[str, Any] | None

    def arguments(self) -> tuple[Any, ...]:
        return self.dataset, self.evaluation, self.environments, self.manifest

    def with_dataset(self, dataset: pd.DataFrame) -> Campaign:
        return replace(self, dataset=dataset)


def make_campaign(sizes: tuple[int, ...] = SIZES, families: tuple[str, ...] = FAMILIES, splits: int = 100) -> Campaign:
    """Return a campaign of ``families`` × ``sizes`` models with three failures and six replicates."""
    draw = np.random.default_rng(7)
    rows = [_row(draw, family, size, 0) for family in families for size in sizes]
    rows += [_row(draw, rows[index]["family"], rows[index]["input_size"], 1, rows[index]) for index in range(6)]
    rows += [_failed(reason, status) for status, reason in _FAILURES]
    made = [row | _visits(draw, at, len(rows)) | {"measurement": f"key {at}"} for at, row in enumerate(rows)]
    dataset = pd.DataFrame(made).astype(_TYPES)
    dataset.attrs["noise_floor"] = noise_floors(dataset)
    environments = {"c" * 64: _environment("5.10.104-tegra")}
    manifest = {
        "schema_version": 1, "perfcast_version": "0.1.0", "target": "jetson_nano",
        "created_at": "2026-03-02T08:00:00+00:00", "training_digest": "d" * 64,
    }  # fmt: skip
    return Campaign(dataset, _evaluation(draw, dataset, splits), environments, manifest)


_FAILURES = (
    ("out_of_memory", "killed by the kernel at 3.9 GB while loading"),
    ("timed_out", "no result within 600 s"),
    ("crashed", "signal 11 in <Conv2D> & co"),
)


_TYPES = {
    **dict.fromkeys(("reason", "stopped_by", "trust", "trust_reason", "pattern"), "str"),
    **dict.fromkeys(("power_source", "power_reason"), "str"),
    **dict.fromkeys(("warmup", "proven_outliers"), "Int64"),
    "throttled": "boolean",
}


def _visits(draw: np.random.Generator, at: int, models: int) -> dict[str, Any]:
    """Return four visits of the model number ``at``, an hour of rounds apart; the third of some is disturbed."""
    seconds = [3600 * visit + 3600 * at // models for visit in range(4)]
    started = [str(pd.Timestamp("2026-03-01T10:00:00Z") + pd.Timedelta(seconds=second)) for second in seconds]
    disturbed = [visit == 2 and at % 7 == 0 for visit in range(4)]
    calibration = [21.3 * draw.normal(1.3 if slow else 1, 0.01) for slow in disturbed]
    temperatures = [45 + second / 1000 + draw.normal(0, 0.3) for second in seconds]
    return {
        "started_at": started[0], "visits": 4, "disturbed_visits": sum(disturbed), "visit_started_at": started,
        "visit_disturbed": disturbed, "visit_calibration_ms": calibration, "visit_temperature_c": temperatures,
        "visit_cpu_mhz": [1479.0] * 4, "calibration_ms": np.mean(calibration), "temperature_c": max(temperatures),
        "peak_flops_per_s": 2e11, "peak_bytes_per_s": 2e10,
        **dict.fromkeys(("power_source", "power_reason")),
        **dict.fromkeys(("power_rate_hz", "power_idle_w", "power_mean_w", *ENERGIES), np.nan),
        "cpu_mhz": 1479.0, "load_1_minute": 0.4, "others_cpus": 0.05, "throttled": at == 5, "swapped_pages": 0.0,
    }  # fmt: skip


def _shared(family: str, size: int, name: str) -> dict[str, Any]:
    return {
        "model": f"{name}_{size}", "name": name, "family": family, "source": "keras_applications",
        "input_size": size, "artifact": "a" * 64, "environment": "c" * 64, "fingerprint": "d" * 64,
        "target": "jetson_nano", "device": "NVIDIA Jetson Nano", "toolchain": "tensorflow",
        "toolchain_version": "2.7.0", "precision": "float32", "weights_as": "constant",
        "workload": "inference", "threads": 4, "batch": 1, "graph_optimizations": True,
        "clock_mhz": 1479.0, "protocol": "adaptive", "iterations": 300, "includes": "inference alone",
    }  # fmt: skip


def _row(
    draw: np.random.Generator, family: str, size: int, replicate: int, first: dict[str, Any] | None = None
) -> dict[str, Any]:
    depth = 1 + FAMILIES.index(family) if family in FAMILIES else 4
    flops = 2e8 * depth**1.5 * (size / 128) ** 2
    typical = first["latency_p50_ms"] if first else 3 + flops / 1e8 * draw.uniform(0.8, 1.25)
    wall, warmup = _series(draw, typical * draw.normal(1, 0.01), depth)
    process = wall * draw.uniform(2.4, 3.2) * draw.normal(1, 0.02, len(wall))
    low, middle, high, extreme = np.quantile(wall, [0, 0.5, 0.9, 0.99])
    memory = (first or {}).get("ram_run_peak_mb", 40 + depth * size / 4) * draw.normal(1, 0.01)
    return _shared(family, size, f"{family}{100 + depth}") | _features(depth, size, flops) | {
        "replicate": replicate, "status": "measured", "reason": None, "stopped_by": None,
        "wall_samples_ms": list(wall), "process_samples_ms": list(process), "warmup_samples_ms": list(warmup),
        "round": [at // 100 for at in range(200)], "visit": [at // 50 for at in range(200)],
        "latency_mean_ms": wall.mean(), "latency_min_ms": low, "latency_max_ms": wall.max(),
        "latency_std_ms": wall.std(), "latency_p50_ms": middle, "latency_p90_ms": high,
        "latency_p99_ms": extreme,
        "process_mean_ms": process.mean(), "timed_s": (wall.sum() + warmup.sum()) / 1000, "runs": 250,
        **_judged(wall, depth, family), "latency_sustained_ms": None, "unmeasured_peak_mb": None,
        "ram_load_peak_mb": memory * 1.4, "ram_run_peak_mb": memory, "allocator_peak_mb": None,
        "system_drop_mb": memory * 1.1, "load_s": 1.5, "first_call_s": 0.7, "overhead_s": 2.9,
    }  # fmt: skip


def _judged(wall: np.ndarray, depth: int, family: str) -> dict[str, Any]:
    trust, reason = {
        "vgg": ("noisy", "2 of 4 visits <differ> & spread the interval to 4%"),
        "nasnet": ("rejected", "all 4 visits were disturbed by other work; measure again on a quiet machine"),
    }.get(family, ("trusted", ""))
    pattern = {2: "high_spikes", 3: "low_spikes", 4: "sequential"}.get(depth, "white_noise")
    middle = float(np.median(wall))
    half = {"noisy": 8, "rejected": 20}.get(trust, 1) * float(wall.std()) / 14
    return {
        "latency_ms": middle, "latency_low_ms": middle - half, "latency_high_ms": middle + half, "trust": trust,
        "trust_reason": reason, "pattern": pattern, "warmup": 3, "normality_p": 0.001 if depth == 2 else 0.4,
        "proven_outliers": 2 if depth == 2 else 0, "outlier_gain_percent": 30.0 if depth == 2 else 0.0,
    }  # fmt: skip


def _series(draw: np.random.Generator, typical: float, depth: int) -> tuple[np.ndarray, np.ndarray]:
    wall = typical * draw.normal(1, 0.015, 200)
    if depth == 2:
        wall[draw.integers(0, 200, 8)] *= 4
    elif depth == 3:
        wall[draw.integers(0, 200, 5)] *= 0.5
    elif depth == 4:
        wall[120:] *= 1.2
    warmup = typical * (1 + 3 * np.exp(-np.arange(50) / 3)) * draw.normal(1, 0.02, 50)
    return wall, warmup


def _features(depth: int, size: int, flops: float) -> dict[str, Any]:
    return {
        "flops": flops, "sum_activations": flops / 90, "weighted_sum_neurons": flops / 45,
        "conv_parameters": 4e5 * depth**2, "parameters": 4e5 * depth**2 + 2_049_000 + 3000 * depth,
        "layers": 30 * depth, "fc_parameters": 2_049_000, "bn_parameters": 3000 * depth,
        "bn_layers": 12 * depth, "filters_min": 16, "filters_max": 4096, "units_min": 1000, "units_max": 1000,
        "conv_layers": 13 * depth, "fc_layers": 1, "input_size": size,
    }  # fmt: skip


def _failed(reason: str, status: str) -> dict[str, Any]:
    return _shared("vgg", 2400, f"vgg_{status}") | _features(3, 2400, 4e12) | {
        "replicate": 0, "status": status, "reason": reason, "stopped_by": None,
        "wall_samples_ms": None, "process_samples_ms": None, "warmup_samples_ms": None,
        "round": None, "visit": None, "runs": 0, "unmeasured_peak_mb": 3900.0, "trust": None,
        "trust_reason": None, "pattern": None,
    }  # fmt: skip


def _environment(kernel: str) -> dict[str, Any]:
    return {
        "machine": {
            "host": "nano-07", "architecture": "aarch64", "cpu": "Cortex-A57", "cpus": 4, "gpu": None,
            "memory_bytes": 4156833792, "swap_bytes": 0,
        },
        "software": {"os": "Ubuntu 18.04.6 LTS", "kernel": kernel, "tensorflow": "2.7.0", "numpy": "1.19.5"},
        "settings": {"governor": "performance", "swappiness": 0.0, "memory_limit_bytes": None},
    }  # fmt: skip


def _evaluation(draw: np.random.Generator, dataset: pd.DataFrame, splits: int) -> Evaluation:
    first = dataset[(dataset["replicate"] == 0) & (dataset["status"] == "measured")]
    made = [_split_rows(draw, metric, splits) for metric in METRICS]
    predictions = pd.concat([_predictions(draw, metric, first) for metric in METRICS], ignore_index=True)
    importance = pd.DataFrame(
        {"metric": metric, "feature": feature, "split_count": int(900 / rank), "mape_increase": 20.0 / rank**1.5}
        for metric in METRICS
        for rank, feature in enumerate(FEATURES, 1)
    )
    table = pd.concat(made, ignore_index=True)
    summary = {"schema_version": 1, "metrics": {name: _metric_summary(name, table, predictions) for name in METRICS}}
    return Evaluation(table, predictions, importance, summary)


INTERVALS = {"models": 34, "mape": 12.5, "coverage": 0.91, "width_factor": 1.96}


def _split_rows(draw: np.random.Generator, metric: str, splits: int) -> pd.DataFrame:
    parts = []
    for algorithm, scale in ALGORITHMS.items():
        mape = 55 * scale * draw.lognormal(0, 0.3, splits)
        parts.append(
            {"metric": metric, "algorithm": algorithm, "split": range(splits), "mape": mape, "accuracy": 100 - mape}
        )
    return pd.concat(map(pd.DataFrame, parts), ignore_index=True)


def _predictions(draw: np.random.Generator, metric: str, first: pd.DataFrame) -> pd.DataFrame:
    unit, column, deployed = METRICS[metric]
    parts = []
    for algorithm, scale in (ALGORITHMS | BASELINES).items():
        for scheme, factor in SCHEMES.items():
            rows = first[["model", "family", "input_size"]].copy()
            rows["metric"], rows["unit"], rows["algorithm"], rows["scheme"] = metric, unit, algorithm, scheme
            rows["measured"] = first[column]
            rows["predicted"] = first[column] * draw.lognormal(0, scale * factor, len(first))
            own = algorithm == deployed
            rows["lower"] = rows["predicted"] / 1.4 if own else np.nan
            rows["upper"] = rows["predicted"] * 1.4 if own else np.nan
            parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _metric_summary(metric: str, splits: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, Any]:
    unit, column, deployed = METRICS[metric]
    own = predictions[predictions["metric"] == metric]
    mine = splits[splits["metric"] == metric]
    algorithms: dict[str, Any] = {}
    for name in ALGORITHMS | BASELINES:
        schemes = {scheme: _errors(own[(own["algorithm"] == name) & (own["scheme"] == scheme)]) for scheme in SCHEMES}
        algorithms[name] = {"published": _published(mine[mine["algorithm"] == name]), **schemes}
    return {
        "unit": unit, "column": column, "models": own["model"].nunique(), "rows": own["model"].nunique(),
        "families": own["family"].nunique(),
        "deployed": deployed, "chosen_without_family": CHOSEN[metric],
        "excluded": {"not_measured": 3, "rejected": 0, "not_positive": 1},
        "repeatability_percent": {"median": 1.1, "p95": 3.4}, "algorithms": algorithms,
        "interval_coverage": 0.91, "interval_width_factor": 1.96,
        "schemes": dict.fromkeys(SCHEMES, INTERVALS),
        "domain": {"inside": INTERVALS | {"coverage": 0.95}, "outside": None},
        "split_conformal": {"coverage": 0.42, "width_factor": 1.21},
    }  # fmt: skip


def _errors(rows: pd.DataFrame) -> dict[str, float]:
    ape = (rows["predicted"] / rows["measured"] - 1).abs() * 100
    mean = float(ape.mean())
    return {"mape": mean, "median_ape": float(ape.median()), "mape_low": mean * 0.8, "mape_high": mean * 1.3}


def _published(rows: pd.DataFrame) -> dict[str, Any] | None:
    if not len(rows):
        return None
    low, middle, high = rows["accuracy"].quantile([0.05, 0.5, 0.95])
    best = rows.loc[rows["accuracy"].idxmax()]
    return {
        "best_accuracy": float(best["accuracy"]), "best_split": int(best["split"]), "median_accuracy": middle,
        "p05_accuracy": low, "p95_accuracy": high,
    }  # fmt: skip


def rename_models(campaign: Campaign, names: tuple[str, ...]) -> Campaign:
    """Return the campaign with its first models and families renamed to ``names`` everywhere."""
    models = dict(zip(campaign.dataset["model"].unique(), names, strict=False))
    families = dict(zip(FAMILIES, names, strict=False))

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(model=table["model"].replace(models), family=table["family"].replace(families))

    evaluation = replace(campaign.evaluation, predictions=renamed(campaign.evaluation.predictions))
    return replace(campaign, dataset=renamed(campaign.dataset), evaluation=evaluation)
