"""`perfcast fit` and `perfcast predict` for tables measured elsewhere."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml

from tests.unit.fit.conftest import rewrite
from tests.unit.tables.test_imports import MAPPING
from tests.unit.test_cli import run
from tests.waiting import eventually

pytestmark = pytest.mark.heavy
QUICK = ("--jobs", 1, "--algorithm", "poly", "--algorithm", "ensemble")


def rows():
    random = np.random.default_rng(1)
    table = []
    for network in range(8):
        layers = 5 + 7 * network
        for size in (32, 64, 96):
            flops = float(size**2 * layers * 1000)
            table.append((f"{'abcd'[network % 4]}net{network}", size, flops, layers, 1 + 1e-6 * flops + 0.01 * layers))
    found = pd.DataFrame(table, columns=["name", "size", "flops", "layers", "ms"])
    return found.assign(ms=found["ms"] * random.lognormal(0, 0.02, len(found)))


def written(folder, table=None, **changes):
    """Write a mapping and a table, and return the arguments that name them."""
    folder.mkdir(exist_ok=True)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING | changes))
    (table if table is not None else rows()).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv", "--mapping", folder / "mapping.yaml"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    table = rows()
    table.loc[5, "ms"] = -1.0
    answer = run("fit", *written(folder, table), "--out", folder / "predictor", *QUICK)
    assert answer.exit_code == 0, answer.output
    return folder / "predictor", answer


def test_fit_reports_problems_and_accuracy(fitted):
    folder, answer = fitted
    assert "excluded: 1 row where ms is negative: 7" in answer.output
    assert "(deployed)" in answer.output
    assert "leave one family out" in answer.output
    assert "90% intervals hold" in answer.output
    assert "plain split-conformal" in answer.output
    problems = pd.read_csv(folder / "problems.csv")
    assert problems[["row", "column", "problem", "done"]].to_numpy().tolist() == [[7, "ms", "is negative", "excluded"]]
    summary = json.loads((folder / "evaluation/summary.json").read_text())
    assert summary["metrics"]["latency_ms"]["models"] == 23


def test_predict_keeps_the_rows_and_their_order(fitted, tmp_path):
    table = rows().drop(columns="ms").sample(frac=1, random_state=0).assign(note="kept, as it is")
    arguments = written(tmp_path, table)
    for out in (tmp_path / "out.csv", tmp_path / "out.parquet"):
        answer = run("predict", *arguments, "--predictor", fitted[0], "--out", out)
        assert answer.exit_code == 0, answer.output
        found = pd.read_csv(out) if out.suffix == ".csv" else pd.read_parquet(out)
        assert "24 predictions for a table of a test" in answer.output
        assert list(found) == [*table, "prediction", "lower", "upper", "in_domain"]
        assert list(found["name"]) == list(table["name"])
        assert list(found["note"]) == list(table["note"])
        measured = rows().loc[table.index, "ms"].to_numpy()
        assert np.abs(found["prediction"] / measured - 1).mean() < 0.15
        assert ((found["lower"] < found["prediction"]) & (found["prediction"] < found["upper"])).all()


def test_unpredictable_rows_keep_their_position(fitted, tmp_path):
    table = rows().astype({"flops": object})
    table.loc[2, "flops"] = table.loc[9, "flops"] = "?"
    out = tmp_path / "out.csv"
    answer = run("predict", *written(tmp_path, table), "--predictor", fitted[0], "--out", out)
    assert answer.exit_code == 1
    assert "table.csv row 4" in answer.output
    found = pd.read_csv(out)
    assert list(np.flatnonzero(found["prediction"].isna())) == [2, 9]
    assert len(found) == len(table)


def test_rows_out_of_domain_are_marked(fitted, tmp_path):
    table = rows()
    planted = table.assign(flops=table["flops"] * 1e4, layers=3)
    out = tmp_path / "out.csv"
    run("predict", *written(tmp_path, pd.concat([table, planted])), "--predictor", fitted[0], "--out", out)
    found = pd.read_csv(out)
    assert found["in_domain"][: len(table)].mean() > 0.9
    assert not found["in_domain"][len(table) :].any()
    width = found["upper"] / found["lower"]
    assert width[len(table) :].min() > width[: len(table)].median()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (rows().head(3), "3 measured rows are too few to learn from"),
        (rows().assign(name=[f"anet{i}" for i in range(24)]), "all rows are of family 'anet'"),
        (rows().assign(ms=2.0), "all 24 values are 2"),
        (rows().drop(columns="flops"), "lacks the column 'flops'"),
        (rows().assign(flops="many"), "holds what is not a number"),
        (rows().assign(ms=np.inf), "0 measured rows are too few"),
        (rows().assign(size=1, flops=1, layers=1), "features"),
        (rows().head(0), "0 rows are left"),
    ],
)
def test_unusable_tables_are_refused_and_overwrite_nothing(fitted, tmp_path, table, message):
    kept = tmp_path / "predictor"
    kept.mkdir()
    for file in ("manifest.json", "latency_ms.npz"):
        (kept / file).write_bytes((fitted[0] / file).read_bytes())
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    answer = run("fit", *written(tmp_path, table), "--out", kept, "--jobs", 1)
    assert answer.exit_code == 2
    *_, last = answer.output.strip().splitlines()
    assert last.startswith("perfcast: error: ")
    assert "table.csv" in last
    assert message in last
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metric", "watt"), "--metric watt: unknown metric"),
        (("--interval", "2"), "fit: interval: 2.0 is greater than or equal to the maximum of 1"),
        (("--splits", "-1"), "fit: splits: -1 is less than the minimum of 1"),
        (("--splits", "0"), "fit: splits: 0 is less than the minimum of 1"),
        (("--algorithm", "best"), "fit: algorithms.0: 'best' is not one of"),
        (("--jobs", "-1"), "'--jobs': -1 is not in the range x>=1"),
        (("--seed", "99999999999"), "fit: seed: 99999999999 is greater than the maximum of 4294967295"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path, arguments, message):
    answer = run("fit", *written(tmp_path), "--out", tmp_path / "p", *arguments)
    assert answer.exit_code == 2
    assert message in answer.output
    assert not (tmp_path / "p").exists()


def test_foreign_folder_is_not_overwritten(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/thesis.tex").write_text("years of work")
    answer = run("fit", *written(tmp_path), "--out", tmp_path / "thesis")
    assert answer.exit_code == 2
    assert "holds something else than a predictor" in answer.output
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]


def test_unwritable_folder_is_refused_before_any_work(tmp_path):
    arguments = written(tmp_path, rows().assign(flops="no numbers"))
    answer = run("fit", *arguments, "--out", tmp_path / "table.csv/x/y")
    assert answer.exit_code == 2
    assert "cannot be written" in answer.output


def test_problems_of_several_tables_name_theirs(tmp_path):
    table, *mapping = written(tmp_path, rows().head(2))
    other = tmp_path / "other.csv"
    rows().head(3).assign(ms=-1).to_csv(other, index=False)
    answer = run("fit", table, other, *mapping, "--out", tmp_path / "p")
    assert answer.exit_code == 2
    assert "2 measured rows are too few" in answer.output
    assert f"excluded: 3 rows where ms is negative: {other} 2, {other} 3, {other} 4" in answer.output


def test_default_metrics_are_reported(tmp_path):
    assert "all but optional" in " ".join(run("fit", "--help").output.split())


def test_new_value_of_a_constant_column_is_out_of_domain(tmp_path):
    table, features = rows().assign(bn_layers=0), [*MAPPING["features"], "bn_layers"]
    answer = run("fit", *written(tmp_path, table, features=features), "--out", tmp_path / "p", *QUICK)
    assert answer.exit_code == 0, answer.output
    table.loc[3, "bn_layers"] = 50
    asked = ("--predictor", tmp_path / "p", "--out", tmp_path / "out.csv")
    assert run("predict", *written(tmp_path, table, features=features), *asked).exit_code == 0
    assert list(np.flatnonzero(~pd.read_csv(tmp_path / "out.csv")["in_domain"])) == [3]


def test_only_features_of_the_predictor_are_needed(fitted, tmp_path):
    table = rows().drop(columns=["ms", "name"]).assign(extra="text", other=np.nan)
    out = tmp_path / "out.csv"
    arguments = written(tmp_path, table, features=[*MAPPING["features"], "extra", "other", "gone"])
    answer = run("predict", *arguments, "--predictor", fitted[0], "--out", out)
    assert answer.exit_code == 0, answer.output
    assert pd.read_csv(out)["prediction"].notna().all()


def test_table_without_header_may_lack_metrics(fitted, tmp_path):
    table, *mapping = written(tmp_path, columns=list(rows()))
    rows().drop(columns="ms").to_csv(table, index=False, header=False)
    answer = run("predict", table, *mapping, "--predictor", fitted[0], "--out", tmp_path / "out.csv")
    assert answer.exit_code == 0, answer.output
    assert pd.read_csv(tmp_path / "out.csv")["prediction"].notna().all()


def test_table_without_rows_has_no_predictions(fitted, tmp_path):
    out = tmp_path / "out.parquet"
    answer = run("predict", *written(tmp_path, rows().head(0)), "--predictor", fitted[0], "--out", out)
    assert answer.exit_code == 0, answer.output
    assert len(pd.read_parquet(out)) == 0


def test_rows_and_text_are_unchanged(fitted, tmp_path):
    text = rows().drop(columns="ms").assign(note="?", id="007").astype(object)
    text.loc[3, "flops"] = "?"
    text.loc[4, ["flops", "size"]] = ["1e308", "inf"]
    text.loc[6] = ""
    out = tmp_path / "out.csv"
    answer = run("predict", *written(tmp_path, text), "--predictor", fitted[0], "--out", out)
    assert answer.exit_code == 1
    assert "row 5, " in answer.output
    found = pd.read_csv(out, dtype="str", keep_default_na=False)
    assert found[list(text)].to_numpy().tolist() == text.astype("str").to_numpy().tolist()
    assert list(np.flatnonzero(found["prediction"] == "")) == [3, 4, 6]


def test_parquet_has_numbers_as_numbers_and_text_as_text(fitted, tmp_path):
    text = rows().drop(columns="ms").assign(note="?", id="007", long="12345678901234567890", part="").astype(object)
    text.loc[3, "part"] = "2"
    text.loc[4, "size"] = ""
    out = tmp_path / "out.parquet"
    arguments = written(tmp_path, text)
    rows().assign(note=1).to_parquet(tmp_path / "more.parquet")
    answer = run("predict", *arguments, tmp_path / "more.parquet", "--predictor", fitted[0], "--out", out)
    assert answer.exit_code == 1
    found = pd.read_parquet(out)
    assert found["in_domain"].dtype == "boolean"
    assert found["size"].dtype == found["part"].dtype == "Int64"
    assert found["in_domain"].isna().sum() == found["size"].isna().sum() == 1
    assert found["flops"].dtype == "Float64"
    assert [set(found[name].dropna()) for name in ("note", "id", "long")] == [
        {"?", "1"},
        {"007"},
        {"12345678901234567890"},
    ]


def test_predict_refuses_to_overwrite_inputs_and_columns(fitted, tmp_path):
    table, *mapping = written(tmp_path, rows())
    before = table.read_bytes()
    answer = run("predict", table, *mapping, "--predictor", tmp_path / "none", "--out", table)
    assert answer.exit_code == 2
    assert "is one of the tables" in answer.output
    assert table.read_bytes() == before
    table.write_bytes(before.replace(b"name,size,flops", b"name,flops,flops"))
    answer = run("predict", table, *mapping, "--predictor", fitted[0], "--out", tmp_path / "out.csv")
    assert answer.exit_code == 2
    assert "'flops' names two columns" in answer.output


def test_terminated_fit_ends_its_workers(tmp_path):
    arguments = ("fit", *written(tmp_path), "--out", tmp_path / "p", "--jobs", 2, "--splits", 1000)
    command = [sys.executable, "-c", "from perfcast.cli import main; main()", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        workers = wait_for_workers(process.pid)
    finally:
        process.terminate()
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


def wait_for_workers(pid):
    """Return the children of a fit once two of them are at work."""

    def workers():
        children = psutil.Process(pid).children(recursive=True)
        return children if sum(child.cpu_times().user > 0.5 for child in children) >= 2 else None

    return eventually(workers)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "latency_ms.npz").write_bytes(b"PK"), "is damaged or was changed"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"{"), "cannot be read as JSON"),
        (lambda folder: (folder / "manifest.json").unlink(), "there is no predictor here"),
        (lambda folder: rewrite(folder, lambda found: found.update(schema_version=99)), "written by a newer perfcast"),
        (lambda folder: rewrite(folder, lambda found: found.update(schema_version=1)), "written by an older perfcast"),
    ],
)
def test_damaged_predictors_are_refused(fitted, tmp_path, damage, message):
    folder = tmp_path / "predictor"
    folder.mkdir()
    for file in ("manifest.json", "latency_ms.npz"):
        (folder / file).write_bytes((fitted[0] / file).read_bytes())
    damage(folder)
    out = tmp_path / "out.csv"
    out.write_text("kept")
    answer = run("predict", *written(tmp_path), "--predictor", folder, "--out", out)
    assert answer.exit_code == 1
    assert message in answer.output
    assert len(answer.output.strip().splitlines()) == 1
    assert out.read_text() == "kept"


def test_unpredictable_tables_are_refused(fitted, tmp_path):
    out = tmp_path / "out.csv"
    asked = ("--predictor", fitted[0], "--out", out)
    answers = [
        run("predict", *written(tmp_path / "a", rows().drop(columns="layers")), *asked),
        run("predict", *written(tmp_path / "b", rows().assign(prediction=1)), *asked),
        run("predict", *written(tmp_path / "c", features=["size", "flops"]), *asked),
        run("predict", *written(tmp_path / "d"), "--predictor", fitted[0]),
    ]
    messages = ("lacks the column 'layers'", "already has a column 'prediction'", "lacks the column", "with --out")
    for answer, message in zip(answers, messages, strict=True):
        assert answer.exit_code == 2, answer.output
        assert message in answer.output
    assert not out.exists()


def test_categorical_factors_of_a_table_have_separate_predictors(tmp_path, monkeypatch):
    for module in ("choice", "evaluate", "summary"):
        monkeypatch.setattr(f"perfcast.fit.{module}.ALGORITHMS", ("poly",))
    slower = {("tflite", "int8"): 1, ("tflite", "float32"): 3, ("onnx", "float32"): 2}
    parts = [rows().assign(runtime=name, kind=kind, ms=rows()["ms"] * times) for (name, kind), times in slower.items()]
    table, factors = pd.concat(parts, ignore_index=True), {"toolchain": "runtime", "precision": "kind"}
    arguments, out = written(tmp_path, table, factors=factors), tmp_path / "out.csv"
    answer = run("fit", *arguments, "--out", tmp_path / "p", "--jobs", 1)
    assert answer.exit_code == 0, answer.output
    assert "latency_ms[toolchain=tflite,precision=int8]: mean error, %" in answer.output

    def predicted(*options):
        answer = run("predict", *arguments, "--predictor", tmp_path / "p", "--out", out, *options)
        return answer.exit_code, answer.output, pd.read_csv(out)

    status, said, found = predicted()
    assert (status, "72 predictions" in said, found["in_domain"].all()) == (0, True, True)
    assert (np.abs(found["prediction"] / table["ms"] - 1).groupby([table["runtime"], table["kind"]]).mean() < 0.1).all()
    status, said, chosen = predicted("--toolchain", "onnx", "--precision", "float32")
    assert status == 0, said
    assert (chosen["prediction"].to_numpy().reshape(3, 24) == found["prediction"][48:].to_numpy()).all()
    status, said, found = predicted("--toolchain", "onnx")
    assert (status, "table.csv row 2" in said, "not trained on this combination" in said) == (1, True, True)
    assert list(found.index[found["prediction"].notna()]) == list(table.index[table["kind"] == "float32"])
    table.loc[3, "kind"] = None
    table.to_csv(tmp_path / "table.csv", index=False)
    status, said, found = predicted()
    assert (status, "row 5: a feature or factor there is missing" in said) == (1, True)
    assert list(found.index[found["prediction"].isna()]) == [3]
    table.loc[3, "kind"] = "int4"
    table.to_csv(tmp_path / "table.csv", index=False)
    status, said, found = predicted()
    assert (status, "row 5: a feature or factor there is missing, impossible or unknown (precision int4" in said) == (
        1,
        True,
    )
    assert list(found.index[found["prediction"].isna()]) == [3]
    table.assign(kind="int4").to_csv(tmp_path / "table.csv", index=False)
    status, said, _ = predicted()
    assert (status, said.count("\n"), "precision int4: the predictor was trained on float32, int8" in said) == (
        2,
        1,
        True,
    )


def test_factors_of_a_table_are_trained_on_and_chosen(tmp_path):
    table = pd.concat([rows().assign(cores=cores, ms=rows()["ms"] * 2 / cores) for cores in (1, 2)], ignore_index=True)
    arguments, folder = written(tmp_path, table, factors={"threads": "cores"}), tmp_path / "predictor"
    answer = run("fit", *arguments, "--out", folder, *QUICK)
    assert answer.exit_code == 0, answer.output
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["numeric_factors"] == ["threads"]
    assert manifest["parts"][0]["metrics"]["latency_ms"]["combinations"] == [[1.0], [2.0]]

    def predicted(*options):
        answer = run("predict", *arguments, "--predictor", folder, "--out", tmp_path / "out.csv", *options)
        assert answer.exit_code == 0, answer.output
        return pd.read_csv(tmp_path / "out.csv")

    found = predicted()
    assert np.abs(found["prediction"] / table["ms"] - 1).mean() < 0.15
    assert found["in_domain"].mean() > 0.9
    one = predicted("--threads", 1)
    assert (one["prediction"][:24] == found["prediction"][:24]).all()
    assert (one["prediction"][24:] > 1.5 * found["prediction"][24:]).all()
    assert not predicted("--threads", 4)["in_domain"].any()
    table.drop(columns="cores").to_csv(tmp_path / "table.csv", index=False)
    answer = run("predict", *arguments, "--predictor", folder, "--out", tmp_path / "out.csv")
    assert (answer.exit_code, "cores" in answer.output) == (2, True)


@pytest.mark.parametrize(
    ("factors", "message"),
    [({"speed": "flops"}, "factors"), ({"threads": "flops"}, "factors: 'threads' is among the features")],
)
def test_factors_that_a_mapping_cannot_have_are_refused(tmp_path, factors, message):
    answer = run("fit", *written(tmp_path, rows(), factors=factors), "--out", tmp_path / "p", "--jobs", 1)
    assert answer.exit_code == 2
    assert message in answer.output
