"""The journal of changed settings: how a device was before, kept on it until it is like that again.

The process that changes settings holds a lock for as long as it lives. A journal that nobody holds was left by one that
was killed, or by a power cut: whoever starts next restores what it says.
"""

import fcntl
import hashlib
import json
import os
import sys

from perfcast.runner.system_files import read_text, under

MAX_BYTES = 1 << 20


class SettingError(Exception):
    """Something cannot be set, and why; in the same words each time, for they are part of the environment."""


def say(text):
    """Say something to the person who started this."""
    print(text, file=sys.stderr, flush=True)


def cannot(error):
    """Return a system's refusal in words."""
    return SettingError("the system does not allow it (%s)" % error.strerror)


class Journal:
    """Old values of changed settings by name, in the order of the changes.

    `entries` are those values, `same_boot` whether the system has run on since they were written; both are known once
    it is open.
    """

    def __init__(self, root="/"):
        system = under(root, "/var/lib/perfcast")
        self.folder = system if os.geteuid() == 0 else os.path.expanduser("~/.cache/perfcast")
        self.path = os.path.join(self.folder, "settings.json")
        self.entries = {}
        self.same_boot = True
        self._boot = read_text(under(root, "/proc/sys/kernel/random/boot_id"))
        self._lock = None

    def is_left(self):
        """Return whether somebody has changed settings, and not restored them yet."""
        return os.path.exists(self.path)

    def open(self):
        """Take the lock, and read what a killed process left.

        Raises SettingError where a living process has changed settings, or where nothing can be kept.
        """
        if self._lock is not None:
            return
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            lock = open(os.path.join(self.folder, "settings.lock"), "a")  # noqa: SIM115 - held until the end
        except OSError as error:
            raise self._not_kept(error) from None
        try:
            # Forked children do not inherit it, and it ends with the process.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            lock.close()
            raise SettingError("another run has changed this device's settings and has not ended yet") from None
        except OSError as error:
            lock.close()
            raise self._not_kept(error) from None
        self._lock = lock
        self._read()

    def close(self):
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write(self, entries):
        """Keep these old values, and no others; on disk when this returns."""
        try:
            if entries:
                self._replace(entries)
            elif self.is_left():
                os.remove(self.path)
            self._sync_folder()
        except OSError as error:
            raise self._not_kept(error) from None
        self.entries = entries

    def set_aside(self):
        """Take a damaged journal out of the way, and say where a person finds it."""
        aside = self.path + ".damaged"
        os.replace(self.path, aside)
        say("the journal of changed settings is damaged, see %s: not all settings could be restored" % aside)

    def _not_kept(self, error):
        return SettingError("its old value cannot be kept in %s (%s)" % (self.folder, error.strerror))

    def _replace(self, entries):
        content = {"boot": self._boot, "entries": entries}
        with open(self.path + ".new", "w") as file:
            json.dump(dict(content, digest=digest_of(content)), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.path + ".new", self.path)

    def _sync_folder(self):
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self):
        self.entries, self.same_boot = {}, True
        if not self.is_left():
            return
        try:
            with open(self.path) as file:
                content = json.loads(file.read(MAX_BYTES))
            if content.pop("digest") != digest_of(content):
                raise ValueError("another digest")
            self.entries, self.same_boot = dict(content["entries"]), content["boot"] == self._boot
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self.set_aside()


def digest_of(content):
    """Return the digest of a journal's content, which reveals damage."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
