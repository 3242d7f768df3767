"""The runner's command line."""

import argparse
import json
import os
import signal
import sys

from perfcast.runner.answers import emit, wait_for_acknowledgement
from perfcast.runner.protocol import ENVIRONMENT, RUNNER_VERSION
from perfcast.runner.receiving import receive
from perfcast.runner.shapes import check_plan
from perfcast.runner.supervisor import supervise
from perfcast.runner.variables import be_under, conditions_of, recorded


def main():
    parser = argparse.ArgumentParser(description="Measure the models of a plan on this machine")
    parser.add_argument("plan", nargs="?", help="JSON file whose graphs are named relative to it; -: standard input")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the process that started this ends")
    parser.add_argument("--wait", action="store_true", help="wait for a line on standard input after each answer")
    parser.add_argument("--probe", metavar="TOOLCHAIN", help="say what this machine is")
    parser.add_argument("--settings", metavar="JSON", type=json.loads, default={}, help="of a probe: what to set first")
    parser.add_argument("--power", metavar="JSON", type=json.loads, help="of a probe: where to read power, of what")
    parser.add_argument("--calibrate", metavar="THREADS", type=int, help="of a probe: time the machine as well")
    parser.add_argument("--variables", metavar="JSON", type=json.loads, help="conditions of the environment variables")
    parser.add_argument("--given", metavar="JSON", type=json.loads, help="the device's settings, applied already")
    parser.add_argument("--receive", metavar="FOLDER", help="store files that come on standard input")
    parser.add_argument("--child", metavar="PIPES", help=argparse.SUPPRESS)
    parser.add_argument("--keep", metavar="JSON", type=json.loads, help="hold and set the device, and measure in there")
    arguments, others = parser.parse_known_args()
    if arguments.keep is None:
        if others:
            parser.error("unrecognized arguments: %s" % " ".join(others))
        if arguments.variables:
            be_under(arguments.variables)
    parent_pid = look_after(arguments.die_with_parent)
    end_in_order()
    if arguments.child:
        serve(arguments.child)
    elif arguments.receive:
        receive(arguments.receive)
    elif arguments.keep:
        supervise(arguments.keep, passed_on(sys.argv[1:]))
    elif arguments.probe:
        probe(arguments)
    elif arguments.plan:
        acknowledge = wait_for_acknowledgement if arguments.wait else lambda: None
        measure(read_plan(arguments.plan), arguments.given, acknowledge, parent_pid)
    else:
        parser.error("a plan is needed")


def passed_on(arguments):
    """Return the arguments behind `--keep` and its value, which are the runner's."""
    return arguments[arguments.index("--keep") + 2 :]


def look_after(is_asked):
    """Have the kernel end this with its parent; where it does not, return whose end to look for."""
    if not is_asked:
        return None
    from perfcast.runner.children import die_with_parent

    return None if die_with_parent() else os.getppid()


def read_plan(path):
    if path == "-":
        plan = json.loads(sys.stdin.readline())
        check_plan(plan)
        return plan
    with open(path) as file:
        plan = json.load(file)
    check_plan(plan)
    be_under(conditions_of(plan["factors"], plan["environment_variables"]))
    os.chdir(os.path.dirname(os.path.abspath(path)))
    return plan


def serve(pipes):
    from perfcast.runner.children import serve

    serve(pipes)


def measure(plan, given, acknowledge, parent_pid):
    from perfcast.runner.campaign import run_campaign  # Needs NumPy, which not all that this does has.

    run_campaign(plan, given, acknowledge, parent_pid)


def probe(arguments):
    """Answer what this machine is once the settings are applied; restore them."""
    from perfcast.runner.apply_settings import applied_with
    from perfcast.runner.calibration import Calibration, first_looks
    from perfcast.runner.machine import read_environment
    from perfcast.runner.power import source_asked_for
    from perfcast.runner.system_files import boot_id
    from perfcast.runner.toolchains import importing, toolchain_named

    variables = recorded(os.environ, arguments.variables) if arguments.variables else {}
    toolchain, given, looks = toolchain_named(arguments.probe, {}), arguments.given, None
    power, _ = source_asked_for(**arguments.power) if arguments.power else (None, None)
    with applied_with(given, arguments.settings) as outcome:
        with importing(toolchain):
            environment = read_environment(toolchain, outcome, given=given, variables=variables, power=power)
        if arguments.calibrate:
            looks = first_looks(Calibration(arguments.calibrate))
    emit(ENVIRONMENT, runner_version=RUNNER_VERSION, boot=boot_id(), environment=environment, calibration_ns=looks)


def end_in_order():
    """Have a wish to end this process raise an exception, so that settings are restored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda number, frame: sys.exit("ended by signal %d" % number))
