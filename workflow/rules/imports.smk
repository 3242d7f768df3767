"""Imports: tables measured elsewhere in; a dataset, and a report of what was learned from it, out."""


rule import_tables:
    input:
        none=alone,
        tables=TABLES,
        mapping=MAPPING_FILE,
    output:
        dataset=f"{TARGET_RESULTS}/dataset.parquet",
        problems=f"{TARGET_RESULTS}/problems.csv",
    log:
        f"{TARGET_RESULTS}/logs/import.log",
    conda:
        "../../envs/perfcast.yaml"
    threads: CORES
    params:
        metrics=list(METRICS),
        keep_outliers=TARGET.get("keep_outliers", False),
        target=config["target"],
        tools=FIT_TOOLS,
        code=code("tables", "config", "schemas"),
    script:
        "../scripts/import_tables.py"


rule render_imported_report:
    input:
        dataset=f"{TARGET_RESULTS}/dataset.parquet",
        problems=f"{TARGET_RESULTS}/problems.csv",
        fitted=f"{TARGET_RESULTS}/manifests/fit.json",
    output:
        report=report(f"{TARGET_RESULTS}/report.html", caption="../report/report.rst"),
        summary=report(f"{TARGET_RESULTS}/summary.txt", caption="../report/summary.rst"),
    log:
        f"{TARGET_RESULTS}/logs/report.log",
    conda:
        "../../envs/perfcast.yaml"
    params:
        target=config["target"],
        evaluation=f"{TARGET_RESULTS}/evaluation",
        predictor=f"{TARGET_RESULTS}/predictor",
        code=code("pages", "studies"),
    script:
        "../scripts/render_imported_report.py"
