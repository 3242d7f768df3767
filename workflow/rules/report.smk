"""Report: dataset, evaluation and predictor in; one page and a summary of six lines out."""


rule render_report:
    input:
        dataset=f"{TARGET_RESULTS}/dataset.parquet",
        fitted=f"{TARGET_RESULTS}/manifests/fit.json",
    output:
        report=report(f"{TARGET_RESULTS}/report.html", caption="../report/report.rst"),
        summary=report(f"{TARGET_RESULTS}/summary.txt", caption="../report/summary.rst"),
    log:
        f"{TARGET_RESULTS}/logs/report.log",
    conda:
        "../../envs/perfcast.yaml"
    params:
        **PARAMETERS["render_report"],
    script:
        "../scripts/render_report.py"
