"""Imports: tables measured elsewhere in; a dataset, and a report of what was learned from it, out."""


rule import_tables:
    input:
        none=alone,
        tables=CAMPAIGN.tables,
        mapping=CAMPAIGN.mapping,
    output:
        dataset=f"{TARGET_RESULTS}/dataset.parquet",
        problems=f"{TARGET_RESULTS}/problems.csv",
    log:
        f"{TARGET_RESULTS}/logs/import.log",
    conda:
        "../../envs/perfcast.yaml"
    threads: CORES
    params:
        **PARAMETERS["import_tables"],
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
        **PARAMETERS["render_imported_report"],
    script:
        "../scripts/render_imported_report.py"
