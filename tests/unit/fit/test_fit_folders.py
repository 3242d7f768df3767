"""Which folders a predictor may replace, and what is left of them where that fails."""

from pathlib import Path

import pandas as pd
import pytest

from perfcast.errors import PredictorError, UsageError
from perfcast.fit.evaluation import write_evaluation
from perfcast.fit.persistence.folder import check_replaceable, load_predictor, save_predictor
from perfcast.fit.persistence.manifest import SCHEMA_VERSION

from .conftest import metric_of, rewrite

pytestmark = pytest.mark.heavy


def test_saving_again_replaces_the_whole_folder(predictor, folder, dataset):
    (folder / "stale.npz").write_bytes(b"old")
    rewrite(folder, lambda manifest: metric_of(manifest)["files"].update({"stale.npz": "0"}))
    save_predictor(predictor, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["latency_ms.npz", "manifest.json"]
    assert [path.name for path in folder.parent.iterdir()] == ["predictor"], "nothing is left beside it"
    pd.testing.assert_frame_equal(load_predictor(folder).predict(dataset), predictor.predict(dataset))


@pytest.mark.parametrize("version", [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1])
def test_predictors_of_other_versions_are_replaced(predictor, folder, version):
    rewrite(folder, lambda manifest: manifest.update(schema_version=version, news=True))
    save_predictor(predictor, folder)
    load_predictor(folder)


def test_files_of_commands_are_replaced_with_the_predictor(predictor, folder, evaluation):
    def more(fresh):
        write_evaluation(evaluation, fresh / "evaluation")
        (fresh / "problems.csv").write_text("row")

    save_predictor(predictor, folder, more)
    save_predictor(predictor, folder, more)
    save_predictor(predictor, folder)
    assert not (folder / "evaluation").exists()


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


MANIFESTS = (
    '{"my": "own"}',
    '{"schema_version": 2}',
    '{"schema_version": 2, "metrics": {}}',
    '{"schema_version": 2, "metrics": {"accuracy": 0.9}}',
    '{"schema_version": "2", "metrics": {"a": {"files": {"a.npz": "0"}}}}',
    "[]",
    "{",
)


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_folder_with_another_manifest_is_not_replaced(predictor, tmp_path, manifest):
    (tmp_path / "manifest.json").write_text(manifest)
    (tmp_path / "precious").write_text("years of work")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"holds something else than a predictor \(manifest\.json\)"):
        save_predictor(predictor, tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["NOTES.txt", "evaluation/NOTES.txt", ".hidden/file", "src/main.py"])
def test_folder_with_foreign_files_is_not_replaced(predictor, folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("years of work")
    before = contents(folder)
    with pytest.raises(UsageError, match=r"holds something else .*(NOTES|hidden|src)"):
        save_predictor(predictor, folder)
    assert contents(folder) == before


def test_a_folder_of_folders_is_not_replaced(predictor, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UsageError, match=r"holds something else than a predictor \(mine\)"):
        save_predictor(predictor, tmp_path)


def test_unwritable_folder_is_found_before_any_work(tmp_path):
    (tmp_path / "ok.csv").write_text("a table")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    wrong = {"ok.csv": "Not a directory", "ok.csv/x": "Not a directory", "link": "broken link", "x" * 300: "too long"}
    for name, message in wrong.items():
        with pytest.raises(UsageError, match=message):
            check_replaceable(tmp_path / name)
    for name in ("new", "a/b/c", "empty"):
        check_replaceable(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"ok.csv", "link", "empty"}, "nothing is left behind"


def test_link_to_a_predictor_stays_a_link(predictor, folder, dataset):
    link = folder.parent / "link"
    link.symlink_to("predictor")
    (folder / "latency_ms.npz").write_bytes(b"damaged")
    save_predictor(predictor, link)
    assert link.is_symlink()
    load_predictor(folder)


def test_working_directory_can_be_written(predictor, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    save_predictor(predictor, ".")
    load_predictor(tmp_path / "here")


@pytest.mark.parametrize(
    ("failure", "raised"),
    [(OSError(28, "No space left on device"), PredictorError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_old_predictor_is_restored_if_replacing_fails(predictor, folder, monkeypatch, failure, raised):
    before, rename = contents(folder), Path.rename

    def fail(self, target):
        if self.name == "new":
            raise failure
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(raised) as caught:
        save_predictor(predictor, folder)
    if raised is PredictorError:
        assert str(caught.value) == f"{folder}: cannot be written (No space left on device)"
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["predictor"], "nothing is left beside it"


def test_old_predictor_that_cannot_be_restored_is_kept_and_named(predictor, folder, monkeypatch):
    before, rename = contents(folder), Path.rename

    def fail(self, target):
        if self.name in ("new", "old"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PredictorError, match=r"cannot be restored .*; it is kept as ") as caught:
        save_predictor(predictor, folder)
    assert contents(Path(str(caught.value).rpartition(" ")[2])) == before
