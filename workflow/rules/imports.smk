"""Imports: tables measured elsewhere in; a dataset out."""


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
