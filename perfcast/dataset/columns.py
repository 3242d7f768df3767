"""The dataset's columns, by what they are; docs/data-model.md says what each holds."""

from perfcast.runner.power import POWER_METRICS
from perfcast.runner.workloads import METRICS
from perfcast.runner.workloads.inference import LATENCIES

PUBLISHED_LATENCIES = tuple(f"latency_{name}_ms" for name in LATENCIES)
"""Statistics of all kept samples, as the source document takes them."""

METRIC_COLUMNS = (*METRICS, *POWER_METRICS)
"""Columns that a target's metrics may learn, and those with a noise floor."""

ENERGIES = tuple(
    f"energy_run_{kind}mj" for kind in ("", "low_", "high_", "above_idle_", "above_idle_low_", "above_idle_high_")
)
"""Energy of a run, in all and above that of the device at rest, each with its 95% interval."""

SAMPLE_LISTS = ("wall_samples_ms", "process_samples_ms", "warmup_samples_ms", "round", "visit")
VISIT_LISTS = ("visit_started_at", "visit_disturbed", "visit_calibration_ms", "visit_temperature_c", "visit_cpu_mhz")
