"""Studies: datasets of one or several targets, or other files, in; a page and summaries of each study out."""


rule render_report:
    input:
        dataset=f"{TARGET_RESULTS}/dataset.parquet",
        problems=[f"{TARGET_RESULTS}/problems.csv"] if IS_IMPORTED else [],
        fitted=f"{TARGET_RESULTS}/manifests/fit.json",
    output:
        report=report(f"{TARGET_RESULTS}/report.html", caption="../report/report.rst"),
        summary=report(f"{TARGET_RESULTS}/summary.txt", caption="../report/summary.rst"),
        markdown=f"{TARGET_RESULTS}/report.md",
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
        files=files_of_study,
    output:
        report=report(
            f"{RESULTS}/studies/{{study}}.html", caption="../report/study.rst"
        ),
        summary=f"{RESULTS}/studies/{{study}}.txt",
        markdown=f"{RESULTS}/studies/{{study}}.md",
    log:
        f"{RESULTS}/logs/studies/{{study}}.log",
    conda:
        "../../envs/perfcast.yaml"
    params:
        **PARAMETERS["run_study"],
    script:
        "../scripts/run_study.py"
