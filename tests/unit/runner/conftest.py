"""What the tests of the runner's modules share."""

import pytest

from tests.unit.runner.fake_device import CPUFREQ, JETSON_CLOCKS, NVIDIA_SMI, NVPMODEL, SWAPPINESS, FakeDevice


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A device that has no settings."""
    return FakeDevice(tmp_path, monkeypatch)


@pytest.fixture
def device(bare):
    """A board that has every setting."""
    for policy, governor in (("policy0", "schedutil"), ("policy4", "powersave")):
        bare.write(f"{CPUFREQ}/{policy}/scaling_governor", governor)
        bare.write(f"{CPUFREQ}/{policy}/scaling_min_freq", 200000)
        bare.write(f"{CPUFREQ}/{policy}/scaling_max_freq", 200000 if policy == "policy4" else 1900000)
    bare.write(f"{CPUFREQ}/boost", 1)
    bare.write(SWAPPINESS, 60)
    bare.write("bin/mode", 2)
    bare.write("bin/gpu0", "Enabled")
    bare.write("bin/gpu1", "Disabled")
    bare.command("nvpmodel", NVPMODEL)
    bare.command("jetson_clocks", JETSON_CLOCKS)
    bare.command("nvidia-smi", NVIDIA_SMI)
    return bare
