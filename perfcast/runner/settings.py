"""The settings that a target may ask for: how each is read, written and restored.

Their values go into files below /sys and /proc, to the kernel, or as arguments to tools found in PATH; never through a
shell.
"""

import os
import re
import shutil
import subprocess

from perfcast.runner.journal import Journal, SettingError, cannot
from perfcast.runner.system_files import as_number, distinct, texts, threads_of_this_process, under

TOOL_LIMIT_S = 60
MAX_LENGTH = 200
POLICIES = "/sys/devices/system/cpu/cpufreq/policy*/"


def run(tool, *arguments):
    """Return what a tool says. Raises SettingError where it is not there, or fails."""
    path = shutil.which(tool)
    if path is None:
        raise SettingError("%s is not installed" % tool)
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,  # Some ask whether to go on.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TOOL_LIMIT_S,
            env=dict(os.environ, LC_ALL="C"),
        )
    except subprocess.TimeoutExpired:
        raise SettingError("%s did not end within %d s" % (tool, TOOL_LIMIT_S)) from None
    except OSError as error:
        raise SettingError("%s cannot be run (%s)" % (tool, error.strerror)) from None
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        raise SettingError("%s: %s" % (tool, said.split("\n")[0][:MAX_LENGTH] or "status %d" % done.returncode))
    return said


def is_whole(value, least, most):
    return type(value) is int and least <= value <= most


class Setting:
    """What all settings share; `read` returns the value now, or raises SettingError."""

    name = None
    values = None
    """What may be asked for, in words."""
    outlives_the_process = True
    outlives_a_reboot = False

    def __init__(self, root="/"):
        self.root = root

    @staticmethod
    def accepts(value):
        """Return whether the value may be asked for."""
        return type(value) is bool

    def needs_nothing(self, wanted):
        """Return whether there is nothing to change."""
        return self.holds(wanted)

    def save(self):
        """Return what `put_back` takes to make it as it is now."""
        return self.read()

    def holds(self, wanted):
        """Return whether it is as wanted."""
        return self.read() == wanted

    def restore(self, old):
        self.write(old)

    def put_back(self, old):
        """Make it as it was. Raises SettingError where it then is not."""
        try:
            self.restore(old)
        except SettingError:
            if self.read() != old:
                raise
        if self.read() != old:
            raise SettingError("it became %s" % self.fact())

    def well_formed(self, old):
        """Return whether a journal's value is one that `keep` may have returned."""
        return self.accepts(old)

    def fact(self):
        """Return the value now as the environment says it, None where there is none."""
        try:
            return self.in_words(self.read())
        except SettingError:
            return None

    def in_words(self, value):
        return value


class OfThisProcess(Setting):
    """What the kernel knows of each thread; children inherit it, and it ends with them."""

    outlives_the_process = False

    def write(self, wanted):
        for thread in threads_of_this_process():
            try:
                self.set(thread, wanted)
            except ProcessLookupError:
                pass  # It has ended meanwhile.
            except OSError as error:
                raise cannot(error) from None


class Priority(OfThisProcess):
    """The niceness: the lower, the more the process is preferred."""

    name = "priority"
    values = "an integer between -20 (highest priority) and 19"

    @staticmethod
    def accepts(value):
        return is_whole(value, -20, 19)

    def read(self):
        return os.getpriority(os.PRIO_PROCESS, 0)

    def set(self, thread, wanted):
        os.setpriority(os.PRIO_PROCESS, thread, wanted)


class Affinity(OfThisProcess):
    """The CPUs that the process may run on."""

    name = "affinity"
    values = "a list of distinct CPU numbers"

    @staticmethod
    def accepts(value):
        return (
            isinstance(value, list)
            and bool(value)
            and all(is_whole(cpu, 0, 65535) for cpu in value)
            and len(set(value)) == len(value)
        )

    def read(self):
        if not hasattr(os, "sched_getaffinity"):
            raise SettingError("this system has no such setting")
        return sorted(os.sched_getaffinity(0))

    def holds(self, wanted):
        return self.read() == sorted(wanted)

    def set(self, thread, wanted):
        os.sched_setaffinity(thread, wanted)

    def in_words(self, value):
        return ",".join(str(cpu) for cpu in value)


class InFiles(Setting):
    """What stands in files; an old value is {path: text}."""

    patterns = ()
    text = None
    """What a file may hold, a regular expression."""

    def found(self):
        return texts(*[under(self.root, pattern) for pattern in self.patterns])

    def text_of(self, path, wanted):
        return str(wanted)

    def read(self):
        found = self.found()
        if not found:
            raise SettingError("this system has no such setting")
        return found

    def holds(self, wanted):
        return all(text == self.text_of(path, wanted) for path, text in self.read().items())

    def write(self, wanted):
        self.restore({path: self.text_of(path, wanted) for path in self.read()})

    def restore(self, old):
        for path, text in old.items():
            try:
                with open(path, "w") as file:
                    file.write(text)
            except OSError as error:
                raise cannot(error) from None

    def well_formed(self, old):
        found = self.found()
        return isinstance(old, dict) and all(
            path in found and isinstance(text, str) and re.match(r"(?:%s)\Z" % self.text, text)
            for path, text in old.items()
        )

    def in_words(self, value):
        return distinct(value.values())


class Governor(InFiles):
    """Who chooses the CPUs' clocks."""

    name = "governor"
    values = "the name of a governor, such as performance"
    patterns = (POLICIES + "scaling_governor",)
    text = "[a-z_]{1,32}"

    @staticmethod
    def accepts(value):
        return isinstance(value, str) and re.match(Governor.text + r"\Z", value) is not None


class Boost(InFiles):
    """Whether CPUs may run above their nominal clock."""

    name = "boost"
    values = "true or false"
    patterns = ("/sys/devices/system/cpu/cpufreq/boost", "/sys/devices/system/cpu/intel_pstate/no_turbo")
    text = "[01]"

    def text_of(self, path, wanted):
        return "1" if wanted != path.endswith("no_turbo") else "0"

    def in_words(self, value):
        return distinct("on" if text == self.text_of(path, True) else "off" for path, text in value.items())


class Swappiness(InFiles):
    """How readily the system swaps."""

    name = "swappiness"
    values = "an integer between 0 (as late as possible) and 200"
    patterns = ("/proc/sys/vm/swappiness",)
    text = "[0-9]{1,3}"

    @staticmethod
    def accepts(value):
        return is_whole(value, 0, 200)

    def in_words(self, value):
        return as_number(distinct(value.values()))


class GpuPersistence(Setting):
    """Whether the driver stays loaded while nobody uses the GPU; an old value is a list, a GPU each."""

    name = "gpu_persistence"
    values = "true or false"

    def read(self):
        said = run("nvidia-smi", "--query-gpu=persistence_mode", "--format=csv,noheader").split("\n")
        if not set(said) <= {"Enabled", "Disabled"}:
            raise SettingError("this GPU has no such setting")
        return [line == "Enabled" for line in said]

    def holds(self, wanted):
        return set(self.read()) == {wanted}

    def write(self, wanted):
        run("nvidia-smi", "-pm", str(int(wanted)))

    def restore(self, old):
        for gpu, on in enumerate(old):
            run("nvidia-smi", "-i", str(gpu), "-pm", str(int(on)))

    def well_formed(self, old):
        return isinstance(old, list) and bool(old) and all(type(on) is bool for on in old)

    def in_words(self, value):
        return distinct("on" if on else "off" for on in value)


class NvpModel(Setting):
    """The power mode of a Jetson; one that needs a reboot is not set."""

    name = "nvpmodel"
    values = "the number of a mode in /etc/nvpmodel.conf"
    outlives_a_reboot = True

    @staticmethod
    def accepts(value):
        return is_whole(value, 0, 99)

    def read(self):
        last = run("nvpmodel", "-q").split("\n")[-1]
        if not re.match(r"[0-9]{1,2}\Z", last):
            raise SettingError("nvpmodel reports no mode")
        return int(last)

    def write(self, wanted):
        run("nvpmodel", "-m", str(wanted))


class JetsonClocks(Setting):
    """All clocks of a Jetson at their highest. What they were is in a file of the tool's own, next to the journal."""

    name = "jetson_clocks"
    values = "true, or omit it"

    def __init__(self, root="/"):
        Setting.__init__(self, root)
        self.stored = os.path.join(Journal(root).folder, "jetson_clocks.conf")

    @staticmethod
    def accepts(value):
        return value is True

    def read(self):
        if shutil.which("jetson_clocks") is None:
            raise SettingError("jetson_clocks is not installed")
        lowest, highest = (texts(under(self.root, POLICIES + "scaling_%s_freq" % end)) for end in ("min", "max"))
        return bool(lowest) and list(lowest.values()) == list(highest.values())

    def needs_nothing(self, wanted):
        return False  # The CPUs' clocks say nothing of those of GPU and memory.

    def save(self):
        if os.path.exists(self.stored):
            os.remove(self.stored)  # The tool would ask.
        run("jetson_clocks", "--store", self.stored)
        with open(self.stored) as file:
            os.fsync(file.fileno())
        return True

    def write(self, wanted):
        run("jetson_clocks")

    def put_back(self, old):
        run("jetson_clocks", "--restore", self.stored)

    def well_formed(self, old):
        return old is True and os.path.exists(self.stored)

    def in_words(self, value):
        return "on" if value else "off"


# In the order of applying: a power mode changes clocks and governors.
KINDS = (NvpModel, JetsonClocks, Governor, Boost, Swappiness, GpuPersistence, Affinity, Priority)
