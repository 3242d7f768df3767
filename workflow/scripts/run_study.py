"""Run a study; write its page and its summaries."""

from pathlib import Path

from perfcast.pages import write_markdown, write_page
from perfcast.pipeline.stage import stage
from perfcast.pipeline.times import times_line
from perfcast.storage import write_text
from perfcast.studies.registry import find_study

with stage(snakemake.log[0]) as log:
    study = find_study(snakemake.params.study)
    inputs = [Path(path) for path in snakemake.params.inputs]
    findings = study.run(inputs, study.chosen(snakemake.params.options))
    write_page(snakemake.output.report, findings.page)
    write_markdown(snakemake.output.markdown, findings.page, findings.lines)
    lines = [*findings.summary(snakemake.output.report), *filter(None, [times_line(snakemake.params.logs)])]
    write_text(snakemake.output.summary, "\n".join(lines) + "\n")
    log(f"{snakemake.params.study} of {len(inputs)} inputs: status {findings.status}")
