from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/checks.smk"


configfile: DEFAULTS


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/guard.smk"


if IS_IMPORTED:

    include: "workflow/rules/imports.smk"

else:

    include: "workflow/rules/collect.smk"
    include: "workflow/rules/export.smk"
    include: "workflow/rules/features.smk"
    include: "workflow/rules/benchmark.smk"
    include: "workflow/rules/dataset.smk"


include: "workflow/rules/fit.smk"
include: "workflow/rules/studies.smk"


rule all:
    default_target: True
    input:
        report=f"{TARGET_RESULTS}/report.html",
        summary=f"{TARGET_RESULTS}/summary.txt",
        studies=expand(f"{RESULTS}/studies/{{study}}.html", study=config["studies"]),
