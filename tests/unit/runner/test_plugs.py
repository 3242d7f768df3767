"""Plugs that installed packages register."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from perfcast.runner.plugs import find_plugs

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
