"""Studies: datasets of one or several targets in; a page and a summary of each study out."""


rule render_report:
    input:
        dataset=f"{TARGET_RESULTS}/dataset.parquet",
        problems=[f"{TARGET_RESULTS}/problems.csv"] if IS_IMPORTED else [],
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
        "../scripts/run_study.py"


rule run_study:
    input:
        datasets=datasets_of_study,
    output:
        report=report(
            f"{RESULTS}/studies/{{study}}.html", caption="../report/study.rst"
        ),
        summary=f"{RESULTS}/studies/{{study}}.txt",
    log:
        f"{RESULTS}/logs/studies/{{study}}.log",
    conda:
        "../../envs/perfcast.yaml"
    params:
        **PARAMETERS["run_study"],
    script:
        "../scripts/run_study.py"
