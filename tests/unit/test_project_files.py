"""Where the project's files are found: in the working directory, else beside the package."""

import pytest

from perfcast.errors import UsageError
from perfcast.project_files import BESIDE, all_sheets, find_project_file


def test_checkout_files_are_found_next_to_the_package(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert root == BESIDE
    assert find_project_file("config/targets/local.yaml") == root / "config/targets/local.yaml"
    assert all_sheets() == tuple(sorted((root / "config/models").glob("*.csv")))


def test_files_of_the_working_directory_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/models").mkdir(parents=True)
    (tmp_path / "config/config.yaml").touch()
    (tmp_path / "config/models/own.csv").touch()
    assert find_project_file("config/config.yaml").resolve() == tmp_path / "config/config.yaml"
    assert [path.resolve() for path in all_sheets()] == [tmp_path / "config/models/own.csv"]


def test_missing_file_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"none.yaml: there is no such file in {tmp_path} or {BESIDE}$"):
        find_project_file("none.yaml")
    with pytest.raises(UsageError, match=r"a{300}: cannot be read"):
        find_project_file("a" * 5000)
