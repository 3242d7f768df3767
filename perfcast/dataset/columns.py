"""The dataset's columns, by what they are; docs/data-model.md says what each holds."""

PUBLISHED_LATENCIES = tuple(f"latency_{name}_ms" for name in ("mean", "min", "max", "p50", "p90", "p99"))
"""Statistics of all kept samples, as the source document takes them."""

METRIC_COLUMNS = (
    *("latency_ms", *PUBLISHED_LATENCIES, "latency_sustained_ms", "process_mean_ms", "first_call_s"),
    *("ram_load_peak_mb", "ram_run_peak_mb", "allocator_peak_mb", "system_drop_mb"),
)
"""What a target's metrics may learn, and what the noise floor is told of."""

SAMPLE_LISTS = ("wall_samples_ms", "process_samples_ms", "warmup_samples_ms", "round", "visit")
VISIT_LISTS = ("visit_started_at", "visit_disturbed", "visit_calibration_ms", "visit_temperature_c", "visit_cpu_mhz")
