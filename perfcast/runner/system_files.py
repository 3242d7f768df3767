"""Reading what a system says of itself in files below /proc and /sys; `root` is / but in tests."""

import glob
import os
import re


def under(root, path):
    """Return an absolute path below another root."""
    return os.path.join(root, path.lstrip("/"))


def read_text(path):
    """Return the stripped content of a file, None where it cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip("\0 \t\r\n")  # The device tree ends its texts with a zero.
    except (OSError, UnicodeDecodeError):
        return None


def texts(*patterns):
    """Return {path: content} of the readable files that glob patterns match, in the order of their names."""
    read = ((path, read_text(path)) for pattern in patterns for path in sorted(glob.glob(pattern)))
    return {path: text for path, text in read if text is not None}


def first_text(*patterns):
    """Return the content of the first readable file among glob patterns, None where there is none."""
    return next(iter(texts(*patterns).values()), None)


def field_of(path, key):
    """Return the value behind `key:` in a file such as /proc/cpuinfo, None where there is none."""
    match = re.search(r"^%s\s*:\s*(.+)$" % re.escape(key), read_text(path) or "", re.MULTILINE)
    return match.group(1).strip() if match else None


def kilobytes(path, key):
    """Return a `key: 123 kB` entry in bytes, None where there is none."""
    value = field_of(path, key)
    return int(value.split()[0]) * 1024 if value else None


def as_number(text, scale=1.0):
    """Return the text as a number times scale, None if it is not one."""
    try:
        return float(text) * scale
    except (TypeError, ValueError):
        return None


def distinct(values):
    """Return different values, comma-separated in the order they come; None where there are none."""
    return ",".join(dict.fromkeys(values)) or None


def threads_of_this_process():
    """Return the ids of this process's threads: the kernel has a priority and an affinity for each."""
    try:
        return [int(thread) for thread in os.listdir("/proc/self/task")]
    except OSError:
        return [0]


def boot_id(root="/"):
    """Return what names the system's start, another one after each; None where it does not say."""
    return read_text(under(root, "/proc/sys/kernel/random/boot_id"))
