from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/benchmark.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        f"{TARGET_RESULTS}/report.html",
        f"{TARGET_RESULTS}/summary.txt",
