"""What users get for a mistake, from Snakemake itself: one line that names the file, and exit code 2."""

import pytest

from tests.system.checkout import CONFIG, SHEET, check_out, snakemake

DEFAULTS = "config/config.yaml"
TARGET = "config/targets/nothing.yaml"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, root):
    folder = check_out(root, tmp_path_factory.mktemp("mistakes") / "checkout")
    assert snakemake(folder, "--configfile", "my.yaml", "-n").returncode == 0
    return folder


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        (DEFAULTS, b"", "config/config.yaml: is empty"),
        (DEFAULTS, b"shards:\t4\n\tfit: 2\n", "config/config.yaml: is not valid YAML"),
        (DEFAULTS, "shards: 4\n".encode("utf-16"), "config/config.yaml: is not UTF-8 text"),
        ("my.yaml", CONFIG + "shards: 3\n", "my.yaml, line 7: shards is given twice"),
        ("my.yaml", CONFIG + "a: &a [1]\nb: *a\n", "my.yaml, line 8: write the value out"),
        ("my.yaml", CONFIG.replace("shards: 2", "shards: 2.0"), "shards: 2.0 is not of type 'integer'"),
        ("my.yaml", CONFIG.replace("shards: 2", "results: /"), "results: '/' does not match"),
        ("my.yaml", CONFIG.replace("target: nothing", "target: ../nothing"), "target: '../nothing' does not match"),
        ("my.yaml", CONFIG.replace("sheet.csv", "a" * 300), "models.sheets.0: 'aaa"),
        (TARGET, b"- a\n", "nothing.yaml: is a list"),
        (TARGET, b"\xff\xfe\x00", "nothing.yaml: is not UTF-8 text"),
        ("sheet.csv", SHEET.replace(",", ";"), "sheet.csv, row 1: the columns, with commas between"),
        ("sheet.csv", SHEET.encode("utf-16"), "sheet.csv: the sheet of models is not UTF-8 text"),
        (
            "sheet.csv",
            SHEET + "dense,mlp,32,layers=1;units=64\n",
            "sheet.csv, row 8: model mlp_1_64_32 is listed twice",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(checkout, file, data, words):
    path = checkout / file
    sound = path.read_bytes()
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    answer = snakemake(checkout, "--configfile", "my.yaml", "-n")
    path.write_bytes(sound)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stdout + answer.stderr
    (said,) = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert words in said
