"""Features: the model database in; a row of numbers a model, from descriptors alone, out."""


rule extract_features:
    input:
        models=f"{RESULTS}/models.csv",
    output:
        features=f"{RESULTS}/features.parquet",
    log:
        f"{RESULTS}/logs/features.log",
    params:
        store=STORE,
        code=code("features", "export/artifacts"),
    script:
        "../scripts/extract_features.py"
