"""A device's settings, asked for by a target: applied, read back, and restored in the end.

Whether there is swap is left alone: with it off, boards of little memory freeze where an inference needs just more than
there is. `swappiness` 0 keeps a system from swapping early; the state of each visit says how much it swapped.
"""

import contextlib

from perfcast.runner.journal import Journal, SettingError, say
from perfcast.runner.settings import KINDS


@contextlib.contextmanager
def applied(requested, root="/"):
    """Apply the settings that are not None, yield what became of them, and restore those that were changed.

    First restore what a killed process left changed. Yield {"applied": {name: value}, "refused": {name: why}}; what is
    refused is said on standard error too. `root` is / but in tests.

    Raises SystemExit where a setting is unknown, or asked for with a value that it cannot have.
    """
    requested = {name: value for name, value in (requested or {}).items() if value is not None}
    check(requested)
    replay(root)
    outcome = {"applied": {}, "refused": {}}
    journal, changed = Journal(root), []
    try:
        for kind in KINDS:
            if kind.name in requested:
                apply(kind(root), requested[kind.name], journal, changed, outcome)
        yield outcome
    finally:
        restore(changed, journal)
        journal.close()


def of_device(requested):
    """Return those settings that outlive the process that sets them."""
    outliving = {kind.name for kind in KINDS if kind.outlives_the_process}
    return {name: value for name, value in requested.items() if name in outliving}


def facts_of_device(root="/"):
    """Return how the device is set, as it stands in an environment."""
    return {kind.name: kind(root).fact() for kind in KINDS if kind.outlives_the_process}


@contextlib.contextmanager
def applied_with(given, requested):
    """Apply the settings that nobody has applied already; yield what became of all of them.

    `given` is None, or what became of those that outlive a process where whoever started this has applied them: a
    runner in a container cannot.
    """
    done = given["outcome"] if given else {"applied": {}, "refused": {}}
    left = {name: value for name, value in requested.items() if not given or name not in of_device(requested)}
    with applied(left) as outcome:
        yield {part: dict(done[part], **outcome[part]) for part in outcome}


def check(requested):
    """Raise SystemExit where a setting is unknown, or asked for with a value that it cannot have."""
    known = {kind.name: kind for kind in KINDS}
    for name, value in requested.items():
        if name not in known:
            raise SystemExit("settings.%s: unknown setting; known are %s" % (name, ", ".join(sorted(known))))
        if not known[name].accepts(value):
            raise SystemExit("settings.%s: %r is not valid; use %s" % (name, value, known[name].values))


def apply(setting, wanted, journal, changed, outcome):
    """Change a setting and say in `outcome` what became of it; add (setting, old value) to `changed` where it is."""
    try:
        if not setting.needs_nothing(wanted):
            changed.append((setting, old_value(setting, journal)))
            change(setting, wanted, journal, changed)
        outcome["applied"][setting.name] = wanted
    except SettingError as reason:
        outcome["refused"][setting.name] = str(reason)
        say("setting %s cannot be set to %r: %s" % (setting.name, wanted, reason))


def old_value(setting, journal):
    """Return a setting's old value, in the journal by then."""
    if not setting.outlives_the_process:
        return setting.save()
    journal.open()
    if setting.name not in journal.entries:  # What could not be restored before is older, and stays.
        journal.write(dict(journal.entries, **{setting.name: setting.save()}))
    return journal.entries[setting.name]


def change(setting, wanted, journal, changed):
    """Change a setting; raise SettingError where it then is not as wanted, once it is as it was."""
    try:
        setting.write(wanted)
        if not setting.holds(wanted):
            raise SettingError("it became %s" % setting.fact())
    except SettingError:
        restore([changed.pop()], journal)
        raise


def replay(root="/"):
    """Restore what a process changed that was killed, and say so; leave what a living one changed."""
    journal = Journal(root)
    if not journal.is_left():
        return
    try:
        journal.open()
        left = left_changed(journal, root)
        if left:
            say("restoring %s: an earlier run was killed before it could" % ", ".join(kind.name for kind, _ in left))
        restore(left, journal)
    except SettingError as reason:
        say("settings that an earlier run changed are not restored: %s" % reason)
    finally:
        journal.close()


def left_changed(journal, root):
    """Return (setting, old value) of a journal's well-formed entries that no reboot has undone; forget the others."""
    kinds = {kind.name: kind(root) for kind in KINDS if kind.outlives_the_process}
    sound = {name: old for name, old in journal.entries.items() if name in kinds and kinds[name].well_formed(old)}
    if sound != journal.entries:
        journal.set_aside()
    journal.write({name: old for name, old in sound.items() if journal.same_boot or kinds[name].outlives_a_reboot})
    return [(kinds[name], old) for name, old in journal.entries.items()]


def restore(changed, journal):
    """Restore each (setting, old value), the last first; what cannot be restored is said, and stays in the journal."""
    entries = dict(journal.entries)
    for setting, old in reversed(changed):
        try:
            setting.put_back(old)
            entries.pop(setting.name, None)
        except SettingError as reason:
            if setting.outlives_the_process:
                say("setting %s could not be restored to %r: %s" % (setting.name, old, reason))
    try:
        if entries != journal.entries:
            journal.write(entries)
    except SettingError as reason:
        say("the journal of changed settings could not be cleared: %s" % reason)
