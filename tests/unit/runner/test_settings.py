"""Settings are applied, read back and restored, whatever ends the process that changed them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perfcast.bench.transport import RUNNER
from perfcast.runner.apply_settings import applied, replay
from perfcast.runner.journal import digest_of
from perfcast.runner.machine import read_environment
from perfcast.runner.toolchains.noop import NoopToolchain
from tests.unit.runner.fake_device import BOARD, BOOT, CPUFREQ, SWAPPINESS

ALL = {
    "governor": "performance",
    "boost": False,
    "swappiness": 10,
    "nvpmodel": 0,
    "jetson_clocks": True,
    "gpu_persistence": True,
}


def values(device):
    """Return what the settings are that ALL changes."""
    policies = [device.read(f"{CPUFREQ}/{policy}/scaling_governor") for policy in ("policy0", "policy4")]
    clock = device.read(f"{CPUFREQ}/policy0/scaling_min_freq")
    gpus = device.read("bin/gpu0"), device.read("bin/gpu1")
    return policies, device.read(f"{CPUFREQ}/boost"), device.read(SWAPPINESS), device.read("bin/mode"), clock, gpus


BEFORE = (["schedutil", "powersave"], "1", "60", "2", "200000", ("Enabled", "Disabled"))
WHILE = (["performance", "performance"], "0", "10", "0", "1900000", ("Enabled", "Enabled"))


def wait_until_applied(process):
    return json.loads(process.stdout.readline())


def finish(process):
    _, errors = process.communicate("\n", timeout=60)
    return errors


@pytest.mark.parametrize("requested", [None, {}, dict.fromkeys(ALL)])
def test_unrequested_settings_are_not_touched(device, requested):
    before = device.contents()
    with applied(requested, str(device.root)) as outcome:
        assert outcome == {"applied": {}, "refused": {}}
        assert device.contents() == before
    assert not device.journal.parent.exists()
    assert list(device.root.glob("bin/*.calls")) == []


def test_requested_settings_hold_and_are_restored(device, capsys):
    before = device.contents()
    with applied(ALL, str(device.root)) as outcome:
        assert outcome == {"applied": ALL, "refused": {}}
        assert values(device) == WHILE
        assert device.journal.exists()
    assert values(device) == BEFORE
    assert device.contents() == before
    assert not device.journal.exists()
    assert capsys.readouterr() == ("", "")


def test_tools_get_plain_arguments_only_if_needed(device):
    with applied({"nvpmodel": 2, "gpu_persistence": False}, str(device.root)):
        assert device.read("bin/gpu0") == "Disabled"
    assert device.calls("nvpmodel") == ["-q"]
    changes = [call for call in device.calls("nvidia-smi") if not call.startswith("--query")]
    assert changes == ["-pm 0", "-i 0 -pm 1", "-i 1 -pm 0"]


def test_intel_turbo_file_is_inverted(bare):
    turbo = "sys/devices/system/cpu/intel_pstate/no_turbo"
    bare.write(turbo, 0)
    with applied({"boost": False}, str(bare.root)) as outcome:
        assert outcome["applied"] == {"boost": False}
        assert bare.read(turbo) == "1"
        assert read_environment(NoopToolchain({}), outcome, str(bare.root))["settings"]["boost"] == "off"
    assert bare.read(turbo) == "0"


def test_missing_setting_is_reported_in_the_environment(bare, capsys):
    with applied(ALL, str(bare.root)) as outcome:
        assert outcome["applied"] == {}
        assert set(outcome["refused"]) == set(ALL)
        settings = read_environment(NoopToolchain({}), outcome, str(bare.root))["settings"]
    assert "governor: this system has no such setting" in settings["refused"]
    assert "nvpmodel: nvpmodel is not installed" in settings["refused"]
    assert settings["governor"] is None
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(ALL)
    assert "setting governor cannot be set to 'performance': this system has no such setting" in said


def test_refused_setting_is_quoted_and_the_rest_applied(device):
    with applied({"nvpmodel": 9, "swappiness": 10}, str(device.root)) as outcome:
        assert outcome["refused"] == {"nvpmodel": "nvpmodel: NVPM ERROR: mode 9 needs a reboot"}
        assert outcome["applied"] == {"swappiness": 10}
        assert "nvpmodel" not in json.loads(device.journal.read_text())["entries"]
    assert values(device) == BEFORE


def test_setting_that_reads_back_differently_is_undone(device):
    device.command("nvpmodel", 'case "$1" in -q) cat "$here/mode" ;; -m) [ "$2" = 0 ] && echo 1 > "$here/mode" '
                               '|| echo "$2" > "$here/mode" ;; esac')  # fmt: skip
    with applied({"nvpmodel": 0}, str(device.root)) as outcome:
        assert outcome == {"applied": {}, "refused": {"nvpmodel": "it became 1"}}
        assert device.read("bin/mode") == "2"


def test_a_gpu_without_the_setting_is_refused(device):
    device.write("bin/gpu0", "[N/A]")
    with applied({"gpu_persistence": True}, str(device.root)) as outcome:
        assert outcome["refused"] == {"gpu_persistence": "this GPU has no such setting"}


def test_setting_without_a_saved_old_value_is_not_changed(device):
    device.journal.parent.parent.mkdir(parents=True)
    device.journal.parent.write_text("a file where the folder should be")
    with applied({"swappiness": 10, "priority": None}, str(device.root)) as outcome:
        assert "its old value cannot be kept" in outcome["refused"]["swappiness"]
        assert device.read(SWAPPINESS) == "60"


@pytest.mark.parametrize(
    ("requested", "words"),
    [
        ({"swapiness": 10}, "settings.swapiness: unknown setting; known are affinity, boost"),
        ({"swappiness": 201}, "settings.swappiness: 201 is not valid; use an integer"),
        ({"swappiness": True}, "settings.swappiness: True is not valid"),
        ({"priority": "low"}, "settings.priority: 'low' is not valid"),
        ({"governor": "../x"}, "settings.governor: '../x' is not valid"),
        ({"governor": "a\n"}, "is not valid"),
        ({"affinity": []}, "settings.affinity: \\[\\] is not valid; use a list of distinct CPU numbers"),
        ({"affinity": [0, 0]}, "is not valid"),
        ({"nvpmodel": "0; reboot"}, "is not valid"),
        ({"jetson_clocks": False}, "use true, or omit it"),
    ],
)
def test_invalid_request_changes_nothing(device, requested, words):
    before = device.contents()
    with pytest.raises(SystemExit, match=words), applied(dict(ALL, **requested), str(device.root)):
        pass
    assert device.contents() == before


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit("x"), ValueError("x")])
def test_an_exception_restores(device, end):
    with pytest.raises(end if isinstance(end, type) else type(end)), applied(ALL, str(device.root)):
        raise end
    assert values(device) == BEFORE
    assert not device.journal.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_termination_signal_restores(device, number):
    process = device.start(ALL, "import time; time.sleep(60)")
    wait_until_applied(process)
    process.send_signal(number)
    assert process.wait(60) != 0
    finish(process)
    assert values(device) == BEFORE


def test_next_start_restores_settings_after_a_kill(device, capsys):
    process = device.start(ALL)
    assert wait_until_applied(process) == {"applied": ALL, "refused": {}}
    process.kill()
    process.wait()
    assert values(device) == WHILE
    with applied({}, str(device.root)):
        assert values(device) == BEFORE
    assert not device.journal.exists()
    said = capsys.readouterr().err
    assert said.startswith("restoring nvpmodel, jetson_clocks, governor, boost, swappiness, gpu_persistence: ")
    assert said.count("\n") == 1
    finish(process)


@pytest.mark.parametrize("moment", range(7))
def test_a_kill_between_two_changes_loses_nothing(device, moment):
    """Killed as the journal is written for the n-th time: before a change, the last time after all is restored."""
    code = (
        "import os, sys\n"
        "from perfcast.runner.journal import Journal\n"
        "from perfcast.runner.apply_settings import applied\n"
        "write, count = Journal.write, []\n"
        "def die(self, entries):\n"
        f"    if len(count) == {moment}: os.kill(os.getpid(), 9)\n"
        "    count.append(0)\n"
        "    write(self, entries)\n"
        "Journal.write = die\n"
        f"with applied({ALL!r}, {str(device.root)!r}): pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=str(BOARD)), timeout=60)
    assert done.returncode == -signal.SIGKILL
    replay(str(device.root))
    assert values(device) == BEFORE
    assert not device.journal.exists()


def test_reboot_restores_all_but_the_power_mode(device, capsys):
    process = device.start(ALL)
    wait_until_applied(process)
    process.kill()
    finish(process)
    device.write(BOOT, "22222222-bbbb")
    device.write(SWAPPINESS, 45)  # What the system's configuration says by now.
    replay(str(device.root))
    assert device.read("bin/mode") == "2"
    assert device.read(SWAPPINESS) == "45"
    assert "restoring nvpmodel: " in capsys.readouterr().err
    assert not device.journal.exists()


def test_second_run_keeps_settings_of_a_live_run(device, capsys):
    process = device.start({"swappiness": 10})
    wait_until_applied(process)
    with applied({"swappiness": 20, "governor": "performance"}, str(device.root)) as outcome:
        assert device.read(SWAPPINESS) == "10"
        assert outcome["applied"] == {}
        assert set(outcome["refused"].values()) == {
            "another run has changed this device's settings and has not ended yet"
        }
    assert "settings that an earlier run changed are not restored: another run" in capsys.readouterr().err
    with applied({"swappiness": 10}, str(device.root)) as outcome:
        assert outcome["applied"] == {"swappiness": 10}
    assert device.read(SWAPPINESS) == "10"
    finish(process)
    assert values(device) == BEFORE


def test_failed_restore_is_reported_and_retried(device, capsys):
    with applied({"nvpmodel": 0, "swappiness": 10}, str(device.root)):
        device.write("bin/stuck", "")
    assert device.read("bin/mode") == "0"
    assert device.read(SWAPPINESS) == "60"
    assert "setting nvpmodel could not be restored to 2: nvpmodel: NVPM ERROR: stuck" in capsys.readouterr().err
    with applied({"nvpmodel": 1}, str(device.root)):
        pass
    assert "could not be restored" in capsys.readouterr().err
    (device.root / "bin/stuck").unlink()
    with applied({"nvpmodel": 1}, str(device.root)):
        assert device.read("bin/mode") == "1"
    assert device.read("bin/mode") == "2"
    assert not device.journal.exists()


def journal_with(device, entries, **changes):
    content = {"boot": "11111111-aaaa", "entries": entries}
    device.journal.parent.mkdir(parents=True, exist_ok=True)
    device.journal.write_text(json.dumps(dict(content, digest=digest_of(content)) | changes))


def swappiness_entry(device, old="30"):
    return {"swappiness": {str(device.root / SWAPPINESS): old}}


def test_a_sound_journal_is_replayed(device):
    journal_with(device, swappiness_entry(device))
    replay(str(device.root))
    assert device.read(SWAPPINESS) == "30"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"30"', '"31"'),
        lambda text: "[]",
        lambda text: "null",
        lambda text: '{"digest": 1}',
        lambda text: "[" * 100000,
        lambda text: "\0" * 100,
    ],
)
def test_damaged_journal_is_set_aside_and_reported(device, capsys, damage):
    journal_with(device, swappiness_entry(device))
    text = damage(device.journal.read_text())
    device.journal.write_text(text)
    before = device.contents()
    replay(str(device.root))
    aside = device.journal.with_name("settings.json.damaged")
    assert aside.read_text() == text
    assert {path: text for path, text in device.contents().items() if path != aside} == before
    assert str(aside) in capsys.readouterr().err
    replay(str(device.root))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "entries",
    [
        {"unknown": 1},
        {"priority": -20},
        {"swappiness": {"/etc/hosts": "30"}},
        {"swappiness": {"ROOT/bin/mode": "30"}},
        {"swappiness": {"ROOT/proc/sys/vm/../vm/swappiness": "30"}},
        {"swappiness": {"ROOT/proc/sys/vm/swappiness": "30; reboot"}},
        {"swappiness": {"ROOT/proc/sys/vm/swappiness": 30}},
        {"swappiness": "30"},
        {"governor": {"ROOT/sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "-rf /"}},
        {"nvpmodel": "1 --force"},
        {"nvpmodel": -1},
        {"gpu_persistence": [True, "x"]},
        {"gpu_persistence": []},
        {"jetson_clocks": "/etc/passwd"},
    ],
)
def test_hostile_journal_replays_only_valid_entries(device, capsys, entries):
    entries = json.loads(json.dumps(entries).replace("ROOT", str(device.root)))
    sound = {"boost": {str(device.root / CPUFREQ / "boost"): "0"}}
    journal_with(device, dict(entries, **sound))
    replay(str(device.root))
    assert values(device) == (BEFORE[0], "0", *BEFORE[2:])
    said = capsys.readouterr().err
    assert "the journal of changed settings is damaged" in said
    assert "restoring boost: " in said
    assert not device.journal.exists()


def test_the_kernels_own_files_and_calls(bare):
    """The real swappiness, where this user may write it, and the real priority and affinity, in another process."""
    real = Path("/proc/sys/vm/swappiness")
    (bare.root / SWAPPINESS).parent.mkdir(parents=True)
    (bare.root / SWAPPINESS).symlink_to(real)
    before = int(real.read_text())
    cpu = max(os.sched_getaffinity(0))
    wanted = {"swappiness": before - 1 if before else 1, "affinity": [cpu], "priority": os.nice(0) + 1}
    tell = (
        "import os, subprocess; tasks = [int(task) for task in os.listdir('/proc/self/task')]; "
        "print(json.dumps([[os.getpriority(os.PRIO_PROCESS, task) for task in tasks], "
        "[list(os.sched_getaffinity(task)) for task in tasks], "
        "subprocess.run(['sh', '-c', 'nice; cat /proc/sys/vm/swappiness'], stdout=subprocess.PIPE).stdout.decode()"
        ".split()]), flush=True); sys.stdin.readline()"
    )
    process = bare.start(wanted, tell)
    outcome = wait_until_applied(process)
    priorities, affinities, (inherited, swappiness) = json.loads(process.stdout.readline())
    assert set(priorities) == {wanted["priority"]} == {int(inherited)}
    assert len(priorities) == len(affinities)
    assert all(affinity == [cpu] for affinity in affinities)
    if os.access(real, os.W_OK):
        assert outcome == {"applied": wanted, "refused": {}}
        assert int(swappiness) == wanted["swappiness"]
    else:
        assert outcome["refused"]["swappiness"].startswith("the system does not allow it (")
        assert int(swappiness) == before
    finish(process)
    assert int(real.read_text()) == before


def test_missing_cpus_are_refused_and_affinity_stays(bare):
    before = os.sched_getaffinity(0)
    with applied({"affinity": [min(before), 4095]}, str(bare.root)) as outcome:
        assert outcome["refused"] == {"affinity": f"it became {min(before)}"}
        assert os.sched_getaffinity(0) == before


def test_probe_reports_settings_and_restores_them(bare):
    command = [sys.executable, str(RUNNER), "--probe", "noop", "--settings"]
    wanted = os.nice(0) + 1
    done = subprocess.run([*command, json.dumps({"priority": wanted})], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["environment"]["settings"]["priority"] == wanted
    wrong = subprocess.run([*command, '{"priority": 99}'], capture_output=True, text=True)
    assert wrong.returncode == 1
    assert wrong.stderr.strip() == (
        "settings.priority: 99 is not valid; use an integer between -20 (highest priority) and 19"
    )
