"""Which machine this is: two of one name may differ several times in speed. `root` is / but in tests."""

import hashlib
import hmac
import os
import platform
import re

from perfcast.runner.system_files import boot_id, read_text, under

ID = re.compile(r"[0-9a-f]{32}\Z")
UUID = re.compile(r"(?!03000200-0400-0500-0006-000700080009|([0f])\1{7}-)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
"""Without those that makers of boards leave as they found them."""
SERIAL = re.compile(r"(?!0+\Z)[0-9A-Za-z]{6,64}\Z")
IDENTITY_DIGITS = 16


def identity(root="/"):
    """Return which machine this is, and what shows that.

    The identity is a keyed hash, as systemd asks for: what it is made of cannot be found out from it. In a container
    the machine's own id is not to be seen, and an image's is that of many machines.
    """
    found = {
        "machine-id": None if is_contained(root) else ID.match(read_text(under(root, "/etc/machine-id")) or ""),
        "product_uuid": UUID.match((read_text(under(root, "/sys/class/dmi/id/product_uuid")) or "").lower()),
        "serial-number": SERIAL.match(read_text(under(root, "/proc/device-tree/serial-number")) or ""),
    }
    found = {name: match.group() for name, match in found.items() if match}
    if not found:
        found = {"boot id": boot_id(root)} if boot_id(root) else {"host name": platform.node()}
    key = "\n".join("%s %s" % item for item in sorted(found.items())).encode()
    digest = hmac.new(key, b"perfcast: which machine", hashlib.sha256).hexdigest()
    return {"identity": digest[:IDENTITY_DIGITS], "identity_from": ", ".join(sorted(found))}


def is_contained(root="/"):
    """Say whether this runs in a container, or in an image of one."""
    signs = [under(root, path) for path in ("/.dockerenv", "/run/.containerenv")]
    mounts = read_text(under(root, "/proc/self/mountinfo")) or ""
    return any(map(os.path.exists, signs)) or bool(re.search(r"^\S+ \S+ \S+ \S+ / .* - overlay ", mounts, re.MULTILINE))
