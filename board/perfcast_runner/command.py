"""The runner's command line."""

import argparse
import json
import os
import signal
import sys

from perfcast_runner import RUNNER_VERSION
from perfcast_runner.campaign import emit, run_campaign, wait_for_taker
from perfcast_runner.children import die_with_parent
from perfcast_runner.machine import read_context
from perfcast_runner.settings import applied
from perfcast_runner.toolchains import TOOLCHAINS


def main():
    parser = argparse.ArgumentParser(description="Measure the models of a plan on this machine")
    parser.add_argument("plan", nargs="?", help="the plan, a JSON file; its graphs are named relative to it")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the process that started this ends")
    parser.add_argument("--wait", action="store_true", help="wait for a line on standard input after each answer")
    parser.add_argument("--probe", metavar="TOOLCHAIN", choices=sorted(TOOLCHAINS), help="say what this machine is")
    parser.add_argument("--settings", metavar="JSON", type=json.loads, default={}, help="of a probe: what to set first")
    arguments = parser.parse_args()
    starter = os.getppid() if arguments.die_with_parent and not die_with_parent() else None
    end_in_order()
    if arguments.probe:
        probe(TOOLCHAINS[arguments.probe]({}), arguments.settings)
        return
    if not arguments.plan:
        parser.error("a plan is needed")
    with open(arguments.plan) as file:
        plan = json.load(file)
    os.chdir(os.path.dirname(os.path.abspath(arguments.plan)))
    run_campaign(plan, wait_for_taker if arguments.wait else lambda: None, starter)


def probe(toolchain, settings):
    """Answer what this machine is once the settings are applied; restore them."""
    with applied(settings) as outcome:
        context = read_context(toolchain, outcome)
    emit("context", runner_version=RUNNER_VERSION, context=context)


def end_in_order():
    """Have a wish to end this process raise an exception, so that settings are restored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda number, frame: sys.exit("ended by signal %d" % number))
