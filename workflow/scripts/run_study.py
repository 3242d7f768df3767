"""Run a study; write its page and its summary."""

import shutil
from pathlib import Path

from perfcast.pages import write_page
from perfcast.pipeline.stage import stage
from perfcast.pipeline.times import times_line
from perfcast.storage import write_text
from perfcast.studies.registry import find_study

with stage(snakemake.log[0]) as log:
    study = find_study(snakemake.params.study)
    folders = [Path(folder) for folder in snakemake.params.folders]
    findings = study.run(folders, study.chosen(snakemake.params.options))
    write_page(snakemake.output.report, findings.page)
    lines = [*findings.summary(snakemake.output.report), *filter(None, [times_line(snakemake.params.logs)])]
    write_text(snakemake.output.summary, "\n".join(lines) + "\n")
    for folder in snakemake.params.replaces:
        shutil.rmtree(folder, ignore_errors=True)
    log(f"{snakemake.params.study} of {len(folders)} datasets: status {findings.status}")
