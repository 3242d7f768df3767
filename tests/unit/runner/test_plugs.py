"""Plugs that installed packages register."""

import subprocess
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from perfcast.runner.plugs import find_plugs
from tests.interpreters import interpreter

GROUP = "perfcast.toolchains"


class Own:
    name = "own"


def installed(monkeypatch, value):
    points = EntryPoints([EntryPoint("theirs", value, GROUP), EntryPoint("other", "os:path", "another.group")])
    monkeypatch.setattr("importlib.metadata.entry_points", lambda: points)


def test_installed_plug_is_found(monkeypatch):
    installed(monkeypatch, f"{__name__}:Own")
    assert find_plugs((), GROUP) == {"own": Own}


def test_broken_plug_is_one_line(monkeypatch):
    installed(monkeypatch, "no_such_package:Toolchain")
    with pytest.raises(
        SystemExit, match=r"plug-in theirs = no_such_package:Toolchain cannot be loaded \(ModuleNotFound"
    ):
        find_plugs((Own,), GROUP)


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_installed_plug_is_found_without_importlib_metadata(tmp_path, root, version):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    package = tmp_path / "theirs-1.dist-info"
    package.mkdir()
    written = f"[console_scripts]\nx = a:b\n\n[{GROUP}]\ntheirs = theirs.module:Plugs.Toolchain [extra]\n"
    (package / "entry_points.txt").write_text(written)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/__init__.py").write_text("")
    code = "class Plugs:\n    class Toolchain:\n        name = 'of theirs'\n"
    (tmp_path / "theirs/module.py").write_text(code)
    place = str(root / "perfcast/runner/plugs.py")
    load = f"import importlib.util as u; s = u.spec_from_file_location('plugs', {place!r})"
    ask = f"m = u.module_from_spec(s); s.loader.exec_module(m); print(m.find_plugs((), {GROUP!r}))"
    said = subprocess.run(
        [python, "-c", f"{load}; {ask}"], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert said.stdout == "{'of theirs': <class 'theirs.module.Plugs.Toolchain'>}\n"
