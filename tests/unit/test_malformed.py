"""Malformed configurations, targets and sheets: each is refused in one line that names the file, and where in it."""

import pytest

from perfcast.bench.target import Target
from perfcast.config import check, read_mapping, with_defaults
from perfcast.errors import UsageError
from perfcast.models.sheet import read_sheet

CONFIG = """target: local
shards: 2
models:
  sheets: [config/models/local.csv]
fit:
  splits: 5
"""

SHEET = """source,builder,input_size,parameters
dense,mlp,32,layers=1;units=64
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=16;strides=2
"""

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

# What the file's bytes are, and what must be said of them.
BROKEN = [
    (b"", "is empty; it must be a YAML mapping"),
    (b"# nothing but a comment\n", "is empty"),
    (b"- target: local\n", "is a list; it must be a YAML mapping"),
    (b"local\n", "is a str; it must be"),
    (b"target: local\n\tshards: 2\n", "is not valid YAML"),
    (b"target: [local\n", "is not valid YAML"),
    (b"target: local\ntarget: other\n", ", line 2: target is given twice; remove one"),
    (b"fit:\n  seed: 1\n  splits: 2\n  seed: 3\n", ", line 4: seed is given twice"),
    (CONFIG.encode("utf-16"), "is not UTF-8 text; save it as UTF-8"),
    (b"target: caf\xe9\n", "is not UTF-8 text"),
    (b"target: lo\x00cal\n", "is not valid YAML"),
    (b"target: local\n---\nshards: 2\n", "is not valid YAML"),
    (b"target: !!python/object/apply:os.system ['exit 3']\n", "is not valid YAML"),
    (b"a: " + b"[" * 5000 + b"]" * 5000, "is nested too deeply"),
    (BOMB.encode(), ", line 2: write the value out instead of *a"),
    (b"a: &a\n  b: *a\n", ", line 2: write the value out instead of *a"),
    (b"1: 2\n", ", line 1: the key 1 must be a string; quote it"),
    (b"a: " + b"x" * 1_000_001, "has more than 1,000,000 bytes"),
]

# What replaces what in a sound configuration, and what must be said of it.
CONFIGS = [
    ("shards: 2", "shard: 2", "unknown key shard; known are budget, fit, hosts"),
    ("splits: 5", "split: 5", "fit: unknown key split; known are algorithms, interval"),
    ("  sheets:", "  sheet:", "models: unknown key sheet; known are sheets"),
    ("shards: 2", "models.shards: 2", "unknown key models.shards"),
    ("target: local", "target: no", "target: False is not of type 'string'; write it in quotes"),
    ("target: local", "target: 2026", "target: 2026 is not of type 'string'; write it in quotes"),
    ("target: local", "target: ../local", "target: '../local' does not match; take lower-case letters"),
    ("target: local", "target: /etc/passwd", "target: '/etc/passwd' does not match"),
    ("target: local", 'target: "local\\n"', "does not match; take lower-case letters"),
    ("target: local", f"target: {'a' * 300}", "does not match; take lower-case letters"),
    ("target: local", "target: logs", "target: 'logs' should not be valid"),
    ("shards: 2", "shards: 0", "shards: 0 is less than the minimum of 1"),
    ("shards: 2", "shards: -4", "shards: -4 is less than the minimum of 1"),
    ("shards: 2", "shards: 1000000000", "shards: 1000000000 is greater than the maximum of 1000"),
    ("shards: 2", "shards: 1e9", "shards: '1e9' is not of type 'integer'; write numbers without quotes"),
    ("shards: 2", "shards: 2.0", "shards: 2.0 is not of type 'integer'"),
    ("shards: 2", "shards: true", "shards: True is not of type 'integer'"),
    ("shards: 2", 'shards: "2"', "shards: '2' is not of type 'integer'; write numbers without quotes"),
    ("shards: 2", "shards:", "shards: None is not of type 'integer'; leave the key out for the default"),
    ("splits: 5", "test_share: .nan", "fit.test_share: nan is not of type 'number'"),
    ("splits: 5", "test_share: 1", "fit.test_share: 1 is greater than or equal"),
    ("splits: 5", "interval: .inf", "fit.interval: inf is not of type 'number'"),
    ("splits: 5", "seed: 4294967296", "fit.seed: 4294967296 is greater than the maximum"),
    ("fit:\n  splits: 5", "fit: [splits, 5]", "fit: ['splits', 5] is not of type 'object'"),
    ("[config/models/local.csv]", "config/models/local.csv", "models.sheets: 'config/models/local.csv' is not of type"),
    ("[config/models/local.csv]", "{a: b}", "models.sheets: {'a': 'b'} is not of type 'array'"),
    ("[config/models/local.csv]", "[no]", "models.sheets.0: False is not of type 'string'; write it in quotes"),
    ("shards: 2", "results: /", "results: '/' does not match; name a folder or file as results"),
    ("shards: 2", "results: results/", "results: 'results/' does not match"),
    ("shards: 2", "results: 'run{n}'", "results: 'run{n}' does not match"),
    ("shards: 2", "results: ''", "results: '' does not match"),
    ("shards: 2", "store: a//b", "store: 'a//b' does not match"),
    ("shards: 2", "store: [a]", "store: ['a'] is not of type 'string', 'null'"),
    ("  sheets:", "  synthetic: {count: 3}\n  sheets:", "models.synthetic: 'seed' is a required property; add it"),
    ("  sheets:", "  synthetic: {count: 3, seed: 1, strides: []}\n  sheets:", "models.synthetic.strides: []"),
]

TARGETS = [
    ("iterations: 96", "iterations: 96\n  repeat: 2", "protocol: unknown key repeat; known are budget_s, discard"),
    ("discard: 8", "discard: 96", "protocol: discard 96 must be less than iterations 96"),
    ("discard: 8", "discard: -1", "protocol.discard: -1 is less than the minimum of 0"),
    ("toolchain: tensorflow", "toolchain: null", "factors.fixed.toolchain: None is not one of ['tensorflow', 'noop']"),
    ("batch: 1", "batch: 0", "factors.fixed.batch: 0 is less than the minimum"),
    (
        "graph_optimizations: true",
        "graph_optimizations: 'true'",
        "factors.fixed.graph_optimizations: 'true' is not of type 'boolean'; write true",
    ),
    ("share: 0.2", "share: 20", "replicates.share: 20 is greater than the maximum of 1"),
    ("time_limit_s: 600", "time_limit_s: .nan", "time_limit_s: nan is not of type 'number'"),
    ("time_limit_s: 600", "", "'time_limit_s' is a required property; add it"),
    ("  latency_ms:", "  Latency:", "metrics: 'Latency' does not match; take lower-case letters"),
    ("column: latency_ms", "column: latency", "metrics.latency_ms.column: 'latency' is not one of"),
]

SHEETS = [
    (SHEET.replace(",", ";"), "row 1: the columns, with commas between, must be source,builder"),
    (SHEET.replace(",", "\t"), "row 1: the columns, with commas between, must be source,builder"),
    (SHEET.replace("builder", "model"), "row 1: the columns, with commas between"),
    ("", "the sheet is empty; its first row must be source,builder,input_size,parameters"),
    (SHEET + "dense,mlp,32,layers=1;units=64\n", "row 4: model mlp_1_64_32 is listed twice; remove one row"),
    (SHEET.replace("mlp", "=cmd()"), "row 2: "),
    (SHEET.replace("units=64", "units=nan"), "row 2: value 'nan'"),
    (SHEET.replace("dense,mlp,32", "dense,mlp,-32"), "row 2: input_size '-32'"),
    (SHEET.replace("dense,mlp", "dens,mlp"), "row 2: source 'dens' does not exist"),
    (SHEET + '"dense,mlp', "row 4: "),
    (SHEET + "x" * 200_000, "row 4: field larger than field limit"),
]


def refused(read, path):
    with pytest.raises(UsageError) as caught:
        read(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert len(said) < 800
    return said


def put(path, text, old, new):
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(("data", "words"), BROKEN)
def test_file_without_a_yaml_mapping_is_named(tmp_path, data, words):
    path = tmp_path / "my.yaml"
    path.write_bytes(data)
    assert words in refused(read_mapping, path)


def test_byte_order_mark_is_accepted(tmp_path):
    (tmp_path / "my.yaml").write_bytes(b"\xef\xbb\xbf" + CONFIG.encode())
    assert read_mapping(tmp_path / "my.yaml")["target"] == "local"


@pytest.mark.parametrize(("old", "new", "words"), CONFIGS)
def test_a_wrong_configuration_is_named(tmp_path, root, old, new, words):
    def read(path):
        defaults = read_mapping(root / "config/config.yaml")
        check(with_defaults(read_mapping(path), defaults), "config", str(path))

    sound = tmp_path / "sound.yaml"
    sound.write_text(CONFIG)
    read(sound)
    put(tmp_path / "my.yaml", CONFIG, old, new)
    assert words in refused(read, tmp_path / "my.yaml")


@pytest.mark.parametrize(("old", "new", "words"), TARGETS)
def test_a_wrong_target_is_named(tmp_path, root, old, new, words):
    def read(path):
        values = read_mapping(path)
        check(values, "target", str(path))
        try:
            Target.from_dict("mine", values)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error

    put(tmp_path / "mine.yaml", (root / "config/targets/local.yaml").read_text(), old, new)
    assert words in refused(read, tmp_path / "mine.yaml")


@pytest.mark.parametrize(("text", "words"), SHEETS)
def test_a_wrong_sheet_is_named(tmp_path, text, words):
    (tmp_path / "sound.csv").write_text(SHEET)
    assert len(read_sheet(tmp_path / "sound.csv")) == 2
    (tmp_path / "models.csv").write_text(text)
    assert words in refused(read_sheet, tmp_path / "models.csv")


@pytest.mark.parametrize("data", [SHEET.encode("utf-16"), SHEET.encode() + b"caf\xe9,,,\n"])
def test_sheet_that_is_not_utf_8_is_named(tmp_path, data):
    (tmp_path / "models.csv").write_bytes(data)
    assert "is not UTF-8 text; save it as UTF-8" in refused(read_sheet, tmp_path / "models.csv")
