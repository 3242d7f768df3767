#!/usr/bin/env python3
"""Measure the models of a plan on this machine; for Python 3.6 and later.

    python3 board PLAN.json            measure; one JSON object a line on standard output
    python3 board --probe TOOLCHAIN    say what this machine is

Needs the standard library, NumPy and the runtime that the plan names. The runtime is imported once and not
initialised; each model is measured in a forked child, so that it starts clean and that its crash takes nothing else.
This folder as a zip archive is the one file that a board needs: Python runs either.
"""

from perfcast_runner.command import main

main()
