"""Plugs: toolchains and workloads by name, perfcast's own and those of installed packages."""


def find_plugs(own, group):
    """Return classes by their `name`: perfcast's own, and those that packages register in a group of entry points.

    Only Python 3.8 and later sees the latter; a package must be installed wherever the runner runs.
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
    except ImportError:
        return []
    found = metadata.entry_points()
    return list(found.select(group=group) if hasattr(found, "select") else found.get(group, ()))
