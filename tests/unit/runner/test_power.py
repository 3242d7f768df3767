"""Power sources: what each says, from recorded outputs, damaged ones too."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcast.runner.power import find_source, seconds_per_visit, source_asked_for
from perfcast.runner.power.base import MAX_W, AbsentError
from perfcast.runner.power.ina3221 import Ina3221
from perfcast.runner.power.metering import Meter
from perfcast.runner.power.nvml import Nvml
from perfcast.runner.power.rapl import Rapl
from perfcast.runner.power.tegrastats import Tegrastats
from tests.unit.runner.power_files import PACKAGE, RANGE_UJ, WATTS, DrawingRapl, write_zone

RECORDED = Path(__file__).with_name("power_outputs")
DRIVERS = "sys/bus/i2c/drivers"
ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# Only their reading of a line is looked at: the tools are not here.
TEGRASTATS, NVML = Tegrastats.__new__(Tegrastats), Nvml.__new__(Nvml)


def read_or_none(read):
    """Return what is read, None where it is refused with a reason of a line."""
    try:
        return read()
    except AbsentError as absent:
        reason = str(absent)
    assert 0 < len(reason) < 200
    return None


def lines_of(name):
    return (RECORDED / name).read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("name", "watts"),
    [
        ("tegrastats_nano.txt", [2.022, 6.12]),
        ("tegrastats_tx2.txt", [3.456]),
        ("tegrastats_xavier_nx.txt", [4.18]),
        ("tegrastats_orin_nano.txt", [5.08]),
    ],
)
def test_tegrastats_line_says_the_power_of_the_boards_input(name, watts):
    assert [TEGRASTATS.watts_in(line) for line in lines_of(name)] == pytest.approx(watts)


def test_rails_that_may_overlap_are_not_added_up():
    with pytest.raises(AbsentError, match="no power of the board's input"):
        TEGRASTATS.watts_in(lines_of("tegrastats_agx_orin.txt")[0])


def test_nvidia_smi_line_is_the_power_of_the_card():
    assert [NVML.watts_in(line) for line in lines_of("nvidia_smi.txt")] == [71.25, 71.31, 124.9, 301.07]


@pytest.mark.parametrize("line", ["[N/A]", "N/A", "[Not Supported]", "[Unknown Error]", "", "0.00", "-3", "7e9", "nan"])
def test_card_that_reports_no_power_has_none(line):
    with pytest.raises(AbsentError, match=r"^NVML says "):
        NVML.watts_in(line)


LINES = [line for path in sorted(RECORDED.glob("*.txt")) for line in lines_of(path.name)]


@given(st.sampled_from(LINES), st.integers(0, 400), st.text(max_size=20), st.integers(0, 20))
def test_damaged_line_is_no_reading_or_a_possible_one(line, place, inserted, removed):
    damaged = line[:place] + inserted + line[place + removed :]
    for source in (TEGRASTATS, NVML):
        watts = read_or_none(lambda source=source: source.watts_in(damaged))
        assert watts is None or 0 < watts <= MAX_W


@given(st.sampled_from([line for line in LINES if "_IN " in line]), st.integers(0, 400))
def test_tegrastats_line_that_is_cut_off_is_never_read_wrong(line, length):
    assert read_or_none(lambda: TEGRASTATS.watts_in(line[:length])) in (None, TEGRASTATS.watts_in(line))


def test_rapl_adds_packages_and_their_memory_but_no_part_twice(bare):
    for zone, name in (("0", "package-0"), ("0:0", "core"), ("0:1", "dram"), ("1", "package-1"), ("2", "psys")):
        write_zone(bare, f"intel-rapl:{zone}", name, 1_000_000)
    source = Rapl(str(bare.root))

    def work():
        time.sleep(0.1)
        for zone in ("0", "0:0", "0:1", "1", "2"):
            bare.write(f"sys/class/powercap/intel-rapl:{zone}/energy_uj", 2_000_000)
        return "done"

    start = time.perf_counter()
    answer, watts, _ = source.during(work)
    assert answer == "done"
    assert watts == pytest.approx(3 / (time.perf_counter() - start), rel=0.1)
    assert source.in_words() == "rapl (dram, package-0, package-1), counter read before and after 0.5 s"


@given(before=st.integers(0, RANGE_UJ), used=st.integers(0, RANGE_UJ - 1))
@ONE_FOLDER
def test_rapl_counter_may_wrap_around(bare, before, used):
    write_zone(bare, "intel-rapl:0", "package-0", 5)
    source = Rapl(str(bare.root))
    (folder,) = source.ranges_uj
    after = before + used if before + used <= RANGE_UJ else before + used - RANGE_UJ
    assert source.used_uj(folder, before, after) == used


def test_rapl_that_only_root_may_read_is_absent_with_this_reason(bare):
    write_zone(bare, "intel-rapl:0", "package-0", 5)
    (bare.root / PACKAGE).unlink()  # To root, as tests may run, no permission denies anything.
    source, reason = find_source("auto", "cpu", str(bare.root))
    assert source is None
    assert reason == (
        "no sensor found (looked for RAPL, INA3221, tegrastats); "
        "RAPL: energy_uj cannot be read, on most systems only by root"
    )


@given(st.text(max_size=30))
@ONE_FOLDER
def test_rapl_reads_numbers_within_its_range_or_nothing(bare, text):
    write_zone(bare, "intel-rapl:0", "package-0", 5)
    (bare.root / PACKAGE).write_text(text, errors="surrogateescape")
    found = read_or_none(lambda: list(Rapl(str(bare.root)).read_uj().values()))
    assert found is None or found == [int(text.strip("\0 \t\r\n"))] <= [RANGE_UJ]


def test_rapl_counter_that_stands_still_is_no_reading(bare):
    write_zone(bare, "intel-rapl:0", "package-0", 5)
    with pytest.raises(AbsentError, match="RAPL says 0 W, which cannot be"):
        Rapl(str(bare.root)).during(lambda: time.sleep(0.01))


def old_board(device, rail="POM_5V_IN", milliwatts=2022):
    folder = f"{DRIVERS}/ina3221x/6-0040/iio:device0"
    for number, (name, power) in enumerate(((rail, milliwatts), ("POM_5V_GPU", 40), ("POM_5V_CPU", 323))):
        device.write(f"{folder}/rail_name_{number}", name)
        device.write(f"{folder}/in_power{number}_input", power)
    return f"{folder}/in_power0_input"


def new_board(device):
    folder = f"{DRIVERS}/ina3221/1-0040/hwmon/hwmon4"
    rails = {1: ("VDD_IN", 4920, 1032), 2: ("VDD_CPU_GPU_CV", 4912, 138), 3: ("VDD_SOC", 4912, 276)}
    for number, (name, millivolts, milliamperes) in rails.items():
        device.write(f"{folder}/in{number}_label", name)
        device.write(f"{folder}/in{number}_input", millivolts)
        device.write(f"{folder}/curr{number}_input", milliamperes)
    device.write(f"{folder}/in7_label", "sum of shunt voltages")
    return f"{folder}/curr1_input"


@pytest.mark.parametrize(
    ("board", "rail", "watts"), [(old_board, "POM_5V_IN", 2.022), (new_board, "VDD_IN", 4.92 * 1.032)]
)
def test_ina3221_says_the_power_of_the_boards_input(bare, board, rail, watts):
    board(bare)
    source, reason = find_source("auto", "gpu", str(bare.root))
    assert (source.name, source.parts, reason) == ("ina3221", rail, None)
    assert source.read_w() == pytest.approx(watts)
    assert source.in_words() == f"ina3221 ({rail}), 20 readings a second for 2 s"


@pytest.mark.parametrize("board", [old_board, new_board])
@given(text=st.text(max_size=12))
@ONE_FOLDER
def test_ina3221_reads_possible_numbers_or_nothing(bare, board, text):
    damaged = bare.root / board(bare)
    source = Ina3221(str(bare.root))
    damaged.write_text(text, errors="surrogateescape")
    watts = read_or_none(source.read_w)
    assert watts is None or 0 < watts <= MAX_W


def test_board_without_a_rail_of_its_input_says_which_it_has(bare):
    old_board(bare, rail="VDD_GPU_SOC")
    _, reason = find_source("ina3221", "gpu", str(bare.root))
    assert reason.endswith("INA3221 has no rail of the board's input, only 'POM_5V_CPU, POM_5V_GPU, VDD_GPU_SOC'")


def short(source):
    source.settling_s, source.block_s, source.period_s = 0.05, 0.3, 0.01
    return source


def test_polled_power_is_the_mean_of_its_readings_once_it_has_settled(bare):
    path = bare.root / old_board(bare)
    source = short(Ina3221(str(bare.root)))

    def work():
        path.write_text("8000\n")
        time.sleep(source.duration_s)

    _, watts, readings = source.during(work)
    assert watts == 8.0
    assert 5 <= readings <= 31


def test_sensor_that_breaks_in_between_is_said_once_and_read_as_none(bare, capsys):
    path = bare.root / old_board(bare)
    meter = Meter(short(Ina3221(str(bare.root))))
    assert meter.idle_w() == pytest.approx(2.022)
    path.write_text("what?\n")
    assert meter.idle_w() is None
    assert meter.under_load(None, None) is None
    said = "power is not measured at all visits: INA3221 says 'what?' in in_power0_input\n"
    assert capsys.readouterr().err == said


def repeated(name, seconds=0.01):
    return f'while :; do cat "{RECORDED}/{name}"; sleep {seconds}; done'


def test_tegrastats_is_read_until_the_block_ends(bare):
    bare.command("tegrastats", repeated("tegrastats_orin_nano.txt"))
    source, _ = find_source("auto", "gpu", str(bare.root))
    _, watts, readings = short(source).during(lambda: time.sleep(0.35))
    assert watts == pytest.approx(5.08)
    assert readings >= 5
    assert bare.calls("tegrastats") == ["--interval 100", "--interval 10"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("exit 1", "tegrastats ended early"),
        ("printf 'VDD_IN 41'; exec sleep 0.05", "tegrastats ended early"),
        ("echo nonsense; exec sleep 9", "tegrastats prints no power of the board's input: 'nonsense'"),
        (r"printf '\377\000 VDD_IN 0/0\n'; exec sleep 9", "tegrastats says 0 W, which cannot be"),
    ],
)
def test_tegrastats_that_prints_something_else_is_absent(bare, body, reason):
    bare.command("tegrastats", body)
    assert find_source("tegrastats", "gpu", str(bare.root)) == (
        None,
        f"no sensor found (looked for tegrastats); {reason}",
    )


OLD_DRIVER = """case "$1" in *instant) echo 'Field "power.draw.instant" is not a valid field to query.'; exit 2 ;; esac
"""


@pytest.mark.parametrize(("before", "field"), [("", "power.draw.instant"), (OLD_DRIVER, "power.draw")])
def test_nvidia_smi_is_read_by_a_field_that_the_driver_has(bare, before, field):
    loop = 'case "$3" in --loop*) while :; do echo 250.0; sleep 0.01; done ;; esac\n'
    bare.command("nvidia-smi", f"{before}{loop}echo 71.25")
    source, _ = find_source("auto", "gpu", str(bare.root))
    assert (source.name, source.parts) == ("nvml", field)
    _, watts, readings = short(source).during(lambda: time.sleep(0.35))
    assert watts == pytest.approx(250.0)
    assert readings >= 5


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo 71.25; echo 70.90", "NVML: there are 2 cards, and which of them computes is not known"),
        ("echo '[N/A]'", "NVML says '[N/A]'"),
        ("echo 'NVIDIA-SMI has failed'; exit 9", "NVML: nvidia-smi: NVIDIA-SMI has failed"),
    ],
)
def test_cards_whose_power_is_unknown_are_absent(bare, body, reason):
    bare.command("nvidia-smi", body)
    assert find_source("auto", "gpu", str(bare.root)) == (
        None,
        f"no sensor found (looked for INA3221, tegrastats, NVML); {reason}",
    )


def test_source_of_another_kind_of_device_is_not_taken(bare):
    bare.command("nvidia-smi", "echo 71.25")
    assert find_source("auto", "cpu", str(bare.root)) == (
        None,
        "no sensor found (looked for RAPL, INA3221, tegrastats)",
    )
    assert find_source("nvml", "cpu", str(bare.root)) == (None, "NVML does not say the power of a cpu")


def test_source_asked_for_by_name_must_be_there(bare, capsys):
    with pytest.raises(SystemExit) as refused:
        source_asked_for("tegrastats", "gpu")
    assert refused.value.code == 78
    said = "power: no sensor found (looked for tegrastats); set power of the target to auto or off\n"
    assert capsys.readouterr().err == said
    assert source_asked_for("off", "gpu") == (None, None)
    with pytest.raises(SystemExit, match="unknown power source plug; known are auto, off, rapl"):
        source_asked_for("plug", "gpu")


def test_cost_of_a_source_is_known_from_the_environment_that_names_it(bare):
    old_board(bare)
    assert seconds_per_visit(Ina3221(str(bare.root)).in_words()) == pytest.approx(4.4)
    assert seconds_per_visit(None) == 0.0


def test_rapl_follows_a_counter_that_wraps_around_meanwhile(bare):
    write_zone(bare, "intel-rapl:0", "package-0", 0)
    _, watts, _ = DrawingRapl(str(bare.root)).during(lambda: time.sleep(0.3))
    assert watts == pytest.approx(WATTS, rel=0.2)
