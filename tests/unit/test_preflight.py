"""What a device lacks, told from what it says of itself; over a real connection in the integration tests."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.bench.remote.description import Container, Remote
from perfcast.bench.remote.preflight import Found, problems_of
from perfcast.bench.remote.ssh import reason_of, remote_command

NOW = 1_800_000_000
SOUND = {
    "machine": "aarch64", "clock": str(NOW), "python": "3.6", "free_kb": "1000000", "image": "arm64",
}  # fmt: skip
REMOTE = Remote(".cache/perfcast", "python3", Container("docker", "a:1", "python3", 3000, "nvidia"), "aarch64")


def problems(**changes):
    facts = {name: value for name, value in (SOUND | changes).items() if value is not None}
    output = "".join(f"{name}\t{value}\n" for name, value in facts.items())
    return problems_of(Found.of_output(output, float(NOW)), REMOTE)


def test_ready_device_has_no_problem():
    assert problems() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"machine": "x86_64"},
            "it is a machine of type x86_64, not aarch64: choose the right device, or correct device.architecture",
        ),
        (
            {"machine": None},
            "it is a machine of type unknown, not aarch64: choose the right device, or correct device.architecture",
        ),
        ({"python": None}, "there is no python3: install Python 3.6 or later (`sudo apt install python3`)"),
        ({"python": "2.7"}, "python3 is Python 2.7; 3.6 or later is needed"),
        ({"python": "3.10"}, None),
        ({"free_kb": "9765"}, "its disk is full: .cache/perfcast has 10 MB left, 100 MB are needed"),
        ({"free_kb": "nonsense"}, None),
        (
            {"folder_refused": "Read-only file system"},
            ".cache/perfcast cannot be created there (Read-only file system); set transport.folder to a writable one",
        ),
        ({"clock": None}, "it does not report its time (`date +%s`)"),
        ({"clock": str(NOW - 290)}, None),
        ({"clock": str(NOW - 310)}, "its clock is 5 minutes behind: measurements would have wrong dates; "),
        ({"clock": str(NOW + 8000)}, "its clock is 2 hours ahead: "),
        ({"clock": "0"}, "its clock is 20833 days behind: "),
        (
            {"engine_refused": "absent"},
            "docker is not installed: `sudo apt install docker`; or set transport.container",
        ),
        (
            {"engine_refused": "permission denied"},
            "docker cannot be used (permission denied); to get access: `sudo usermod -aG docker $USER`",
        ),
        ({"image": ""}, "the image a:1 is missing: `docker pull` it, and `docker tag` it with this name"),
        ({"image": "amd64"}, "the image a:1 is for x86_64, the machine is aarch64"),
    ],
)
def test_each_problem_says_what_to_do(changes, said):
    found = problems(**changes)
    if said is None:
        assert found == []
    else:
        assert any(problem.startswith(said) for problem in found), found


@given(st.dictionaries(st.sampled_from(sorted(SOUND)), st.text(max_size=50)))
def test_any_answer_gives_one_line_per_problem(changes):
    for problem in problems(**changes):
        assert problem
        assert "\n" not in problem


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ("ssh: Could not resolve hostname b: Name or service not known", "its name is not known: add `Host b`"),
        ("Host key verification failed.", "its host key is not known yet: run `ssh b` once"),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "its host key is not the",
        ),
        ("a@b: Permission denied (publickey).", "it refuses your key: run `ssh-copy-id b`"),
        ("ssh: connect to host b port 22: Connection refused", "it does not answer; is it on, and in the network?"),
        ("ssh: connect to host b port 22: Connection timed out", "it does not answer"),
        ("something\nnew \x1b[31m\n", "ssh ended with 'new �[31m'"),
        ("", "ssh failed and said nothing"),
    ],
)
def test_ssh_errors_say_what_to_do(errors, said):
    assert reason_of("b", errors).startswith(said)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=4))
def test_any_argument_arrives_unchanged(arguments):
    command = remote_command('for word; do printf "%s\\0" "$word"; done', *arguments)
    said = subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=60).stdout.decode()
    assert said.split("\0")[:-1] == arguments
