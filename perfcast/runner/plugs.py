"""Plugs: toolchains and workloads by name, perfcast's own and those of installed packages."""

import collections
import configparser
import functools
import glob
import importlib
import os
import sys


def find_plugs(own, group):
    """Return classes by their `name`: perfcast's own, and those that packages register in a group of entry points.

    Such a package must be installed wherever the runner runs.
    """
    return {plug.name: plug for plug in [*own, *(loaded(entry) for entry in entry_points(group))]}


def loaded(entry):
    """Return what an entry point names; a package that is broken ends the program in one line."""
    try:
        return entry.load()
    except Exception as error:  # Whatever the package raises while it is imported.
        reason = "%s: %s" % (type(error).__name__, error)
        raise SystemExit(
            "plug-in %s = %s cannot be loaded (%s); repair or uninstall it" % (entry.name, entry.value, reason)
        ) from error


def entry_points(group):
    try:
        from importlib import metadata
    except ImportError:  # Before Python 3.8.
        return written_entry_points(group, sys.path)
    found = metadata.entry_points()
    return list(found.select(group=group) if hasattr(found, "select") else found.get(group, ()))


def written_entry_points(group, folders):
    """Return the entry points of a group as the packages installed in folders have written them down."""
    found = []
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(glob.escape(folder or "."), "*-info", "entry_points.txt"))):
            entries = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
            entries.optionxform = str
            try:
                entries.read(path, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError) as error:
                raise SystemExit("%s cannot be read (%s); repair or uninstall this package" % (path, error)) from None
            if entries.has_section(group):
                found += [WrittenEntry(*entry) for entry in entries.items(group)]
    return found


class WrittenEntry(collections.namedtuple("WrittenEntry", ("name", "value"))):
    """An entry point: its name, and the module and attribute that it stands for."""

    def load(self):
        module, _, attribute = self.value.split("[")[0].strip().partition(":")
        return functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
