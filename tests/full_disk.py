"""A small disk of a test's own, to fill and to free."""

import contextlib
import subprocess
import sys

import pytest


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """Mount a file system of so many kB on an empty folder; skip the test where that cannot be done."""
    if sys.platform != "linux":
        pytest.skip("a small disk is mounted on Linux only")
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "perfcast-test", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here ({mounted.stderr.strip()})")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Disk:
    """A disk that can be filled but for so many bytes, and freed again."""

    def __init__(self, folder):
        self.folder = folder
        self.filler = folder / "filler"

    def fill(self, leave=0):
        with self.filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        if leave:
            with self.filler.open("r+b") as file:
                file.truncate(self.filler.stat().st_size - leave)

    def free(self):
        self.filler.unlink()
