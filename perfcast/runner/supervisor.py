"""Keeping a device that somebody plans for from elsewhere: its lock, its settings, and the runner in its container.

Needs the standard library alone: the runtime, and NumPy with it, may be in the container only.
"""

import json
import os
import platform
import re
import subprocess
import sys

from perfcast.runner.apply_settings import applied, facts_of_device, of_device
from perfcast.runner.device_lock import BusyError, hold_device
from perfcast.runner.identity import identity
from perfcast.runner.protocol import BUSY

ENDING_S = 15
NAME = "perfcast-%s"
VERSION = re.compile(r"[0-9a-f]{64}\.pyz\Z")


def supervise(order, arguments):
    """Run the runner with these arguments, once the device is ours and set; end as it ends.

    `order` says: `token` (for whom), `settings` (the target's) and `container` (None for none; else `engine`, `image`,
    `memory_bytes`, `runtime` and `python`).
    """
    try:
        with hold_device(order["token"]), applied(of_device(order["settings"])) as outcome:
            remove_other_versions()
            given = {"outcome": outcome, "facts": facts_of_device(), "identity": identity()}
            status = run(order, [*arguments, "--given", json.dumps(given)])
    except BusyError as busy:
        print(busy, file=sys.stderr)
        status = BUSY
    sys.exit(status)


def remove_other_versions():
    """Delete runners of other versions next to this one: none of them runs while this one has the device."""
    folder, own = os.path.split(os.path.abspath(sys.argv[0]))
    for name in os.listdir(folder):
        if VERSION.match(own) and VERSION.match(name) and name != own:
            os.remove(os.path.join(folder, name))


def run(order, arguments):
    """Run the runner to its end; return its status, as a shell gives it."""
    container = order["container"]
    if container:
        name = NAME % order["token"][:12]
        remove(container["engine"], name)
        command = contained(container, name, order["settings"], arguments)
    else:
        command = [sys.executable, sys.argv[0], "--die-with-parent", *arguments]
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        raise SystemExit("%s cannot be run (%s)" % (command[0], error.strerror)) from None
    try:
        status = process.wait()
    finally:
        end(process)
        if container:
            remove(container["engine"], name)
    return 128 - status if status < 0 else status


def contained(container, name, settings, arguments):
    """Return the command that runs the runner in a container: without network, and where it cannot swap."""
    folder = os.path.dirname(os.path.abspath(sys.argv[0]))
    command = [container["engine"], "run", "--rm", "--interactive", "--name", name, "--network", "none"]
    # As the device calls itself: it is the device that is measured.
    command += ["--hostname", platform.node()]
    if container["memory_bytes"]:
        command += ["--memory", str(container["memory_bytes"]), "--memory-swap", str(container["memory_bytes"])]
    if container["runtime"]:
        command += ["--runtime", container["runtime"]]
    if (settings.get("priority") or 0) < 0:
        command += ["--cap-add", "SYS_NICE"]
    command += ["--volume", "%s:/perfcast:ro" % folder, "--workdir", "/perfcast", container["image"]]
    return [*command, container["python"], "/perfcast/" + os.path.basename(sys.argv[0]), *arguments]


def remove(engine, name):
    """Remove a container of ours, running or not; there need not be one."""
    try:
        subprocess.call([engine, "rm", "--force", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        pass  # There is no such engine, which running the container will say.


def end(process, seconds=ENDING_S):
    """End the runner, where it has not ended: it is asked first, so that it can restore settings."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
