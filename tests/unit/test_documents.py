"""What the documents point to is there."""

import re
import subprocess

import pytest

LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(((?!https?:)[^)#]*)#([^)]+)\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def documents(root):
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=root, capture_output=True, text=True, check=True)
    return [root / name for name in listed.stdout.split()]


def test_every_relative_link_exists(root):
    links = [(path, link) for path in documents(root) for link in LINK.findall(path.read_text())]
    assert len(links) > 10
    assert [f"{path.name}: {link}" for path, link in links if not (path.parent / link).exists()] == []


def anchors(path):
    headings = HEADING.findall(CODE.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_anchor_of_a_link_is_a_heading(root):
    links = [(path, *link) for path in documents(root) for link in ANCHOR.findall(path.read_text())]
    assert len(links) > 10
    lost = [
        (path.name, name, anchor)
        for path, name, anchor in links
        if anchor not in anchors(path.parent / name if name else path)
    ]
    assert lost == []


@pytest.mark.parametrize("target", ["setup", "run", "test", "test-slow", "test-campaign", "lint", "benchmark", "lock"])
def test_makefile_help_lists_its_targets(root, target):
    makefile = (root / "Makefile").read_text()
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert f"make {target}" in makefile or target in {"lint"}


def test_requirements_are_pinned_hashed_and_name_no_index(root):
    for name in ("requirements", "requirements-dev"):
        text = (root / f"envs/{name}.txt").read_text()
        assert "://" not in text
        assert "index" not in text
        pins = re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[.*?\])?(==)?", text, re.MULTILINE)
        assert len(pins) > 50
        assert all(pin for _, pin in pins)
        assert text.count("--hash=sha256:") >= len(pins)
