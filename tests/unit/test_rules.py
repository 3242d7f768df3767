"""What Snakemake's users expect of rules: short, named inputs and outputs, a log, an environment."""

import re

import pytest
import yaml

from tests.conftest import ROOT

PATHS = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
MAX_LINES = 25


def rules():
    """Name and lines of each rule; what follows one and is not indented ends it."""
    found = {}
    for path in PATHS:
        for match in re.finditer(r"^rule (\w+):\n((?:[ \t].*\n|\n(?=[ \t]))+)", path.read_text(), re.MULTILINE):
            found[match[1]] = match[2].splitlines()
    return found


def entries(lines, directive):
    """What stands below a directive of a rule, an entry a line."""
    inside, listed = False, []
    for line in lines:
        if re.match(r" {4}\w", line):
            inside = line.strip().startswith(f"{directive}:")
        elif inside and re.match(r" {8}[^\s#)]", line):
            listed.append(line.strip())
    return listed


RULES = rules()


def test_all_rules_are_found():
    text = "".join(path.read_text() for path in PATHS)
    assert len(RULES) == len(re.findall(r"^(?:rule|checkpoint)\b", text, re.MULTILINE)) > 8


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_short_and_names_its_files(name):
    lines = RULES[name]
    assert len(lines) + 1 <= MAX_LINES
    for directive in ("input", "output"):
        assert all(re.match(r"\w+=", entry) for entry in entries(lines, directive))
    assert entries(lines, "input")


@pytest.mark.parametrize("name", sorted(RULES.keys() - {"all"}))
def test_a_rule_has_a_log_an_environment_and_a_script(name):
    lines = RULES[name]
    assert entries(lines, "output")
    assert all(re.search(r"logs?/.*\.log\"", entry) for entry in entries(lines, "log"))
    assert len(entries(lines, "log")) == 1
    assert entries(lines, "conda") == ['"../../envs/perfcast.yaml"']
    (script,) = entries(lines, "script")
    assert (ROOT / "workflow/rules" / script.strip('"')).exists()


@pytest.mark.parametrize("path", PATHS[1:], ids=lambda path: path.name)
def test_each_rule_file_states_its_purpose(path):
    assert path.read_text().startswith('"""')


def test_report_captions_exist():
    named = [name for path in PATHS for name in re.findall(r'caption="(.*?)"', path.read_text())]
    assert len(named) >= 3
    assert all((ROOT / "workflow/rules" / name).exists() for name in named)


def test_workflow_catalog_file_is_complete():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["mandatory-flags"]["flags"] == "--resources device=1"
    assert usage["software-stack-deployment"] == {"conda": True}
    assert usage["report"] is True
