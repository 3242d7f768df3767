"""What other checkouts made is taken over: through Snakemake's cache of outputs, and through a shared store."""

import json
import shutil
import zipfile

import pandas as pd
import pytest

from tests.system.runs import snakemake, without
from tests.system.small_campaign import DATASET, ONE_PROCESS, SHARDS, SHEET, UNDISTURBED, SmallCampaign, check_out

MODELS = SHEET.count("\n") - 1


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
    """A folder of three checkouts that share a cache: the first filled it, the second has measured."""
    folder = tmp_path_factory.mktemp("cached")
    (folder / "cache").mkdir()
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(folder / "cache")}
    for name in ("first", "second", "third"):
        check_out(root, folder / name)
    # What is taken from a cache does not depend on where artifacts are kept.
    with (folder / "second/config.yaml").open("a") as config:
        config.write("store: own store\n")
    wanted = (*ONE_PROCESS, "--cache", "--", "results/models.csv", "results/features.parquet")
    first = snakemake(folder / "first", *wanted, **environment)
    assert first.code == 0, first.said
    second = snakemake(folder / "second", *wanted, DATASET, **environment, **without(folder / "poison"))
    assert second.code == 0, second.said
    return folder


def test_second_checkout_reuses_cached_exports(cached):
    said = {
        name: [log.read_text() for log in (cached / name / "results/logs/export").iterdir()]
        for name in ("first", "second")
    }
    assert sum("models exported" in text for text in said["first"]) == len(SHARDS)
    assert said["second"] == [""] * len(SHARDS)
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
    assert len(found) == MODELS
    assert {model: descriptor["model"] for model, (descriptor, _) in found.items()} == {m: m for m in found}
    assert len({graph for _, graph in found.values()}) == MODELS
    collected, exported = (
        [json.loads((cached / f"second/results/manifests/{stage}/{shard}.json").read_text()) for shard in SHARDS]
        for stage in ("collect", "export")
    )
    assert all(collected)
    assert [[entry["spec"] for entry in shard] for shard in exported] == collected


def test_links_into_the_cache_are_followed(cached):
    results = cached / "second/results"
    links = [results / "features.parquet", *(results / "manifests/export").iterdir()]
    assert len(links) == 1 + 2 * len(SHARDS)
    assert all(path.is_symlink() and path.readlink().is_absolute() for path in links)
    assert pd.read_parquet(cached / "second" / DATASET)["model"].nunique() == MODELS


@pytest.mark.slow
def test_other_models_are_not_taken_from_the_cache(cached):
    folder = cached / "third"
    (folder / "sheet.csv").write_text(SHEET.replace("mlp,32,layers=1;units=64", "mlp,32,layers=1;units=32"))
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(cached / "cache")}
    answer = snakemake(folder, *ONE_PROCESS, "--cache", "--", "results/features.parquet", **environment)
    assert answer.code == 0, answer.said
    here, there = exports(folder), exports(cached / "first")
    assert here.keys() - there.keys() == {"mlp_1_32_32"}
    assert here["mlp_1_32_32"][1] != there["mlp_1_64_32"][1]
    same = here.keys() & there.keys()
    assert len(same) == MODELS - 1
    assert {model: here[model] for model in same} == {model: there[model] for model in same}
    assert set(pd.read_parquet(folder / "results/features.parquet")["model"]) == set(here)


def test_forced_exports_do_not_write_through_links(cached):
    second, before = cached / "second", (files(cached / "cache"), stamps(cached / "cache"))
    # One shard is enough: all take TensorFlow's start.
    wanted = ("results/features.parquet", "results/manifests/export/0.json")
    answer = snakemake(second, *ONE_PROCESS, "--forcerun", *wanted, "--", *wanted)
    assert answer.code == 0, answer.said
    assert not (second / "results/features.parquet").is_symlink()
    assert not (second / "results/manifests/export/0.json").is_symlink()
    assert (files(cached / "cache"), stamps(cached / "cache")) == before


def test_damaged_bundle_is_refused_in_one_line(cached, tmp_path):
    folder = tmp_path / "first"
    shutil.copytree(cached / "first", folder, symlinks=True)
    shutil.rmtree(folder / "results/store/artifacts")
    (folder / "results/models.csv").unlink()
    for bundle in (folder / "results/manifests/export").glob("*.zip"):
        data = bundle.read_bytes()
        bundle.unlink()
        bundle.write_bytes(data[: len(data) // 2])
    answer = snakemake(folder, "--rerun-triggers", "input", "--", "results/models.csv")
    assert answer.refused("the bundle of exports is damaged", code=1), answer.said


def test_shared_store_serves_another_checkout(finished, root, tmp_path):
    second = SmallCampaign(tmp_path / "second", root)
    second.folder.mkdir()
    second.prepare(**UNDISTURBED)
    store = shutil.copytree(finished.folder / "results/store", tmp_path / "shared")
    with (second.folder / "config.yaml").open("a") as config:
        config.write(f"store: {store}\n")
    before = {name: stamps(store / name) for name in ("artifacts", "exports", "measurements")}
    assert len(before["measurements"]) > MODELS
    poisoned = {"PYTHONPATH": f"{root}:{without(tmp_path / 'poison')['PYTHONPATH']}"}
    answer = snakemake(second.folder, "--", DATASET, tree=root, **poisoned)
    assert answer.code == 0, answer.said
    assert {name: stamps(store / name) for name in before} == before
    assert not (second.folder / "results/store").exists()
    tables = [pd.read_parquet(each.folder / DATASET) for each in (finished, second)]
    assert list(tables[0]["measurement"]) == list(tables[1]["measurement"])
