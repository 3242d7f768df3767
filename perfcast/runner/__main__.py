#!/usr/bin/env python3
"""Measure the models of a plan on this machine; for Python 3.6 and later.

    python3 perfcast/runner PLAN.json            measure; one JSON object per line on standard output
    python3 perfcast/runner --probe TOOLCHAIN    describe this machine

Needs the standard library, NumPy and the runtime that the plan names. The runtime is imported once and not
initialised; each model is measured in a forked child, so that it starts clean and that its crash takes nothing else.
This folder as a zip archive (`perfcast.bench.runner_file`) is the one file that a device needs: Python runs either.
"""

import os
import sys

if not __package__ and os.path.isdir(os.path.dirname(os.path.abspath(__file__))):
    # Run as a folder: its modules are those of a package, and none of them may shadow another library's.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from perfcast.runner.command import main

main()
