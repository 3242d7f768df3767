"""The registry of toolchains: one entry each. No other file knows a toolchain's name.

`base.Toolchain` says what one consists of. A package may register another one as an entry point of the group
`perfcast.toolchains`. The host reads names, formats, options and memory from here too: at module level a toolchain
imports nothing that is heavy.
"""

import contextlib

from perfcast.runner.plugs import find_plugs
from perfcast.runner.toolchains.noop import NoopToolchain
from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain

TOOLCHAINS = find_plugs((TensorFlowToolchain, NoopToolchain), "perfcast.toolchains")
DEFAULT = TensorFlowToolchain.name


@contextlib.contextmanager
def importing(toolchain):
    """End the program in one line where what is done inside lacks a package of the toolchain."""
    try:
        yield
    except ImportError as error:
        packages = " ".join("'%s'" % package for package in toolchain.PACKAGES)
        remedy = "pip install %s" % packages if packages else "install what it needs"
        raise SystemExit("%s cannot be imported here (%s): %s" % (toolchain.name, error, remedy)) from None


def toolchain_named(name, factors):
    """Return the toolchain of a name, with a plan's factors."""
    if name not in TOOLCHAINS:
        raise SystemExit("unknown toolchain %s; known are %s" % (name, ", ".join(sorted(TOOLCHAINS))))
    return TOOLCHAINS[name](factors)
