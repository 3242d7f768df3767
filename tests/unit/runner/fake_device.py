"""A device made of files below a folder, and of commands in PATH that keep what they are told in files."""

import os
import subprocess
import sys
from pathlib import Path

BOARD = Path(__file__).resolve().parents[3]
CPUFREQ = "sys/devices/system/cpu/cpufreq"
SWAPPINESS = "proc/sys/vm/swappiness"
BOOT = "proc/sys/kernel/random/boot_id"

NVPMODEL = """
case "$1" in
  -q) echo "NV Power Mode: MODE_15W"; cat "$here/mode" ;;
  -m) if [ "$2" = 9 ]; then echo "NVPM ERROR: mode 9 needs a reboot"; exit 1; fi
      if [ -e "$here/stuck" ]; then echo "NVPM ERROR: stuck"; exit 1; fi
      echo "$2" > "$here/mode" ;;
esac
"""

JETSON_CLOCKS = """
cpu="$here/../sys/devices/system/cpu/cpufreq/policy0"
case "$1" in
  --store) if [ -e "$2" ]; then read answer; exit 1; fi; cat "$cpu/scaling_min_freq" > "$2" ;;
  --restore) cat "$2" > "$cpu/scaling_min_freq" ;;
  "") cat "$cpu/scaling_max_freq" > "$cpu/scaling_min_freq" ;;
esac
"""

NVIDIA_SMI = """
case "$1" in
  --query-gpu=persistence_mode) cat "$here/gpu0" "$here/gpu1" ;;
  -pm) for gpu in gpu0 gpu1; do [ "$2" = 1 ] && echo Enabled > "$here/$gpu" || echo Disabled > "$here/$gpu"; done ;;
  -i) [ "$4" = 1 ] && echo Enabled > "$here/gpu$2" || echo Disabled > "$here/gpu$2" ;;
esac
"""


class FakeDevice:
    """Files below `root`, commands below `root`/bin; `journal` is where this user's journal is."""

    def __init__(self, root, monkeypatch):
        self.root = root
        (root / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{root}/bin:/usr/bin:/bin")
        monkeypatch.setenv("HOME", str(root))
        self.write(BOOT, "11111111-aaaa")
        self.journal = root / ("var/lib" if os.geteuid() == 0 else ".cache") / "perfcast/settings.json"

    def write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def read(self, path):
        return (self.root / path).read_text().strip()

    def command(self, name, body):
        path = self.root / "bin" / name
        path.write_text(f'#!/bin/sh\nhere="$(dirname "$0")"\necho "$*" >> "$here/{name}.calls"\n{body}')
        path.chmod(0o755)

    def calls(self, name):
        return self.read(f"bin/{name}.calls").splitlines()

    def contents(self):
        """Return what all files hold but the journal's, the lock's and the notes of calls."""
        kept = {"settings.lock", "settings.json", "jetson_clocks.conf"}
        files = [path for path in self.root.rglob("*") if path.is_file() and path.name not in kept]
        return {path: path.read_text().strip() for path in files if path.suffix != ".calls"}

    def start(self, requested, then="sys.stdin.readline()"):
        """Start a process that applies settings, writes the outcome on a line, and does something."""
        code = (
            "import json, signal, sys\n"
            # Tests in the background inherit that these are ignored.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
            "from perfcast.runner.command import end_in_order\n"
            "from perfcast.runner.apply_settings import applied\n"
            "end_in_order()\n"
            f"with applied({requested!r}, {str(self.root)!r}) as outcome:\n"
            "    print(json.dumps(outcome), flush=True)\n"
            f"    {then}\n"
        )
        pipe = subprocess.PIPE
        environment = dict(os.environ, PYTHONPATH=str(BOARD))
        return subprocess.Popen(
            [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
        )
