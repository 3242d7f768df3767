"""What other checkouts made is taken over: through Snakemake's cache of outputs, and through a shared store."""

import json
import shutil
import zipfile

import pandas as pd
import pytest

from tests.system.checkout import SHEET, check_out, snakemake, without_tensorflow

OTHER = SHEET.replace("layers=1;units=64", "layers=1;units=32")
CACHED = ("export_shard", "extract_features")


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stamps(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def exports(folder):
    """The exports of a checkout: model, and the descriptor and graph that its shard's bundle has for it."""
    found = {}
    for manifest in (folder / "results/manifests/export").glob("*.json"):
        with zipfile.ZipFile(manifest.with_suffix(".zip")) as bundle:
            for entry in json.loads(manifest.read_text()):
                content = [
                    bundle.read(f"{entry['artifact']}/{name}")
                    for name in ("model.json", "{digest}.{format}".format_map(entry["programs"][0]))
                ]
                found[entry["spec"]["model"]] = (json.loads(content[0]), content[1])
    return found


@pytest.fixture(scope="module")
def cached(tmp_path_factory, root):
    """A folder of two checkouts that share a cache: the first filled it, the second has done all."""
    folder = tmp_path_factory.mktemp("cached")
    (folder / "cache").mkdir()
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(folder / "cache")}
    for name in ("first", "second", "third"):
        check_out(root, folder / name)
    # What is taken from a cache does not depend on where artifacts are kept.
    with (folder / "second/my.yaml").open("a") as config:
        config.write("store: own store\n")
    first = snakemake(
        folder / "first",
        *("--configfile", "my.yaml", "--cache", "--", "results/models.csv", "results/features.parquet"),
        **environment,
    )
    assert first.returncode == 0, first.stderr
    poisoned = environment | without_tensorflow(folder / "poison")
    second = snakemake(folder / "second", "--configfile", "my.yaml", "--cache", **poisoned)
    assert second.returncode == 0, second.stderr
    return folder


def test_a_second_checkout_exports_nothing(cached):
    said = {
        name: [log.read_text() for log in (cached / name / "results/logs/export").iterdir()]
        for name in ("first", "second")
    }
    assert sum("models exported" in text for text in said["first"]) == 2
    assert said["second"] == ["", ""]


def test_a_second_checkout_has_what_the_first_made(cached):
    first, second = cached / "first/results", cached / "second/results"
    store = cached / "second/own store"
    assert not (second / "store").exists()
    assert files(store / "artifacts") == files(first / "store/artifacts")
    assert files(store / "exports") == files(first / "store/exports")
    tables = [pd.read_csv(results / "models.csv") for results in (first, second)]
    assert tables[1]["location"].str.startswith("own store/artifacts/").all()
    assert tables[0].drop(columns="location").equals(tables[1].drop(columns="location"))


def test_each_model_in_the_cache_has_its_own_graph(cached):
    found = exports(cached / "second")
    assert len(found) == 6
    assert {model: descriptor["model"] for model, (descriptor, _) in found.items()} == {m: m for m in found}
    assert len({graph for _, graph in found.values()}) == 6
    collected = [
        json.loads((cached / f"second/results/manifests/collect/{shard}.json").read_text()) for shard in (0, 1)
    ]
    exported = [json.loads((cached / f"second/results/manifests/export/{shard}.json").read_text()) for shard in (0, 1)]
    assert all(collected)
    assert [[entry["spec"] for entry in shard] for shard in exported] == collected


def test_links_into_the_cache_carry_everything_that_follows(cached):
    results = cached / "second/results"
    links = [results / "features.parquet", *(results / "manifests/export").iterdir()]
    assert len(links) == 5
    assert all(path.is_symlink() and path.readlink().is_absolute() for path in links)
    assert len(pd.read_parquet(results / "nothing/dataset.parquet")) == 6
    assert (results / "nothing/predictor/manifest.json").exists()
    assert (results / "nothing/report.html").exists()


def test_other_models_do_not_take_those_of_the_cache(cached):
    folder = cached / "third"
    (folder / "sheet.csv").write_text(OTHER)
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(cached / "cache")}
    answer = snakemake(folder, "--configfile", "my.yaml", "--cache", "--", "results/features.parquet", **environment)
    assert answer.returncode == 0, answer.stderr
    here, there = exports(folder), exports(cached / "first")
    assert here.keys() - there.keys() == {"mlp_1_32_32"}
    assert here["mlp_1_32_32"][1] != there["mlp_1_64_32"][1]
    same = here.keys() & there.keys()
    assert len(same) == 5
    assert {model: here[model] for model in same} == {model: there[model] for model in same}
    assert set(pd.read_parquet(folder / "results/features.parquet")["model"]) == set(here)


def test_making_things_again_does_not_write_through_links(cached):
    second, before = cached / "second", (files(cached / "cache"), stamps(cached / "cache"))
    answer = snakemake(
        second,
        *("--configfile", "my.yaml", "--forcerun", *CACHED, "--", "results/features.parquet"),
    )
    assert answer.returncode == 0, answer.stderr
    assert not (second / "results/features.parquet").is_symlink()
    assert not (second / "results/manifests/export/0.json").is_symlink()
    assert (files(cached / "cache"), stamps(cached / "cache")) == before


def test_a_damaged_bundle_is_one_line(cached, tmp_path):
    folder = tmp_path / "first"
    shutil.copytree(cached / "first", folder, symlinks=True)
    shutil.rmtree(folder / "results/store/artifacts")
    (folder / "results/models.csv").unlink()
    for shard in (0, 1):
        bundle = folder / f"results/manifests/export/{shard}.zip"
        data = bundle.read_bytes()
        bundle.unlink()
        bundle.write_bytes(data[: len(data) // 2])
    answer = snakemake(folder, "--configfile", "my.yaml", "--rerun-triggers", "input", "--", "results/models.csv")
    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr
    said = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert "the bundle of exports is damaged" in said[0]


def test_a_shared_store_gives_exports_and_measurements(tmp_path, root):
    shared = tmp_path / "shared"
    for name in ("first", "second"):
        folder = check_out(root, tmp_path / name)
        with (folder / "my.yaml").open("a") as config:
            config.write(f"store: {shared}\n")
    done = snakemake(tmp_path / "first", "--configfile", "my.yaml", "--", "results/nothing/dataset.parquet")
    assert done.returncode == 0, done.stderr
    before = {name: stamps(shared / name) for name in ("artifacts", "exports", "measurements")}
    assert len(before["measurements"]) == 6
    poisoned = without_tensorflow(tmp_path / "poison")
    again = snakemake(
        tmp_path / "second", "--configfile", "my.yaml", "--", "results/nothing/dataset.parquet", **poisoned
    )
    assert again.returncode == 0, again.stderr
    assert {name: stamps(shared / name) for name in before} == before
    assert not (tmp_path / "second/results/store").exists()
    tables = [pd.read_parquet(tmp_path / name / "results/nothing/dataset.parquet") for name in ("first", "second")]
    assert list(tables[0]["measurement"]) == list(tables[1]["measurement"])
    assert len(tables[0]) == 6
