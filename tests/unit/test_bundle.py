"""Bundles of artifacts: what goes in comes out, and nothing that a hostile one holds reaches the store."""

import os
import zipfile

import pytest

from perfcast.errors import StoreError
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.bundle import read_bundle
from perfcast.export.program import Program
from perfcast.storage import digest_of


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "store")


@pytest.fixture
def packed(store):
    """Three artifacts with a program each."""
    digests = [store.put(f"key{i}", {"model": f"m{i}"}) for i in range(3)]
    keys, contents = [str(i) * 64 for i in range(3)], [f"graph {i}".encode() * 100 for i in range(3)]
    return [
        (digest, [store.put_program(digest, "graph.pb", key, content, {"inputs": []})])
        for digest, key, content in zip(digests, keys, contents, strict=True)
    ]


@pytest.fixture
def graphs(store, packed):
    return [store.program_path(digest, programs[0]) for digest, programs in packed]


def files(store):
    return {path.relative_to(store.root): path.read_bytes() for path in store.root.rglob("*") if path.is_file()}


def test_packed_artifacts_are_unpacked(store, packed, tmp_path):
    store.pack(packed, tmp_path / "b.zip")
    other = ArtifactStore(tmp_path / "other")
    other.unpack(packed[:2], tmp_path / "b.zip")
    assert {path.parent.name for path in files(other)} == {digest for digest, _ in packed[:2]}
    assert files(other).items() <= files(store).items()
    assert other.descriptor(packed[1][0]) == {"model": "m1"}


def test_the_same_artifacts_give_the_same_bytes(store, packed, graphs, tmp_path):
    store.pack(packed, tmp_path / "a.zip")
    os.utime(graphs[0], (0, 0))
    store.pack(packed[::-1], tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_only_missing_or_damaged_artifacts_are_unpacked(store, packed, graphs, tmp_path):
    store.pack(packed, tmp_path / "b.zip")
    before = files(store)
    kept = graphs[0]
    os.utime(kept, (1, 1))
    graphs[1].write_bytes(b"damaged")
    (store.location(packed[2][0]) / "model.json").unlink()
    store.unpack(packed, tmp_path / "b.zip")
    assert files(store) == before
    assert kept.stat().st_mtime == 1


def test_bundle_is_not_read_if_nothing_is_missing(store, packed, tmp_path):
    store.unpack(packed, tmp_path / "absent.zip")
    assert len(files(store)) == 12


def test_a_damaged_artifact_is_not_packed(store, packed, graphs, tmp_path):
    graphs[1].write_bytes(b"damaged")
    with pytest.raises(StoreError, match="does not match its digest"):
        store.pack(packed, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_packing_replaces_a_link_not_its_target(store, packed, tmp_path):
    (tmp_path / "cache.zip").write_bytes(b"of others")
    (tmp_path / "b.zip").symlink_to(tmp_path / "cache.zip")
    store.pack(packed, tmp_path / "b.zip")
    assert (tmp_path / "cache.zip").read_bytes() == b"of others"
    assert not (tmp_path / "b.zip").is_symlink()


GRAPH = Program("graph.pb", "0" * 64, digest_of(b"g"), {})
CONTENT = {GRAPH.file: b"g", "model.json": b"{}"}
DIGEST = digest_of(b"{}")
WANTED = [(DIGEST, [GRAPH])]


def test_unrequested_artifacts_are_ignored(store, tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as bundle:
        bundle.writestr("../outside", "x")
        bundle.writestr("/absolute", "x")
        bundle.writestr(f"{DIGEST}/../../x", "x")
        for name, data in CONTENT.items():
            bundle.writestr(f"{DIGEST}/{name}", data)
    store.unpack(WANTED, tmp_path / "b.zip")
    assert {str(path) for path in files(store)} == {f"artifacts/{DIGEST}/{name}" for name in CONTENT}
    assert {path.name for path in tmp_path.iterdir()} == {"b.zip", "store"}


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def flipped(path):
    data = path.read_bytes()
    place = data.index(b"ggggg")
    path.write_bytes(data[:place] + b"G" + data[place + 1 :])


def no_archive(path):
    path.write_bytes(b"not an archive")


def a_folder(path):
    path.unlink()
    path.mkdir()


def absent(path):
    path.unlink()


@pytest.mark.parametrize("damage", [cut, flipped, no_archive, a_folder, absent])
def test_a_damaged_bundle_is_one_line(store, tmp_path, damage):
    graph = Program("graph.pb", "0" * 64, digest_of(b"g" * 100), {})
    content, path = {graph.file: b"g" * 100, "model.json": b"{}"}, tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as bundle:  # stored, not compressed
        for name, data in content.items():
            bundle.writestr(f"{DIGEST}/{name}", data)
    assert dict(read_bundle(path, {DIGEST: list(content)})) == {DIGEST: content}
    damage(path)
    with pytest.raises(StoreError, match=r"b\.zip: the bundle of exports is damaged") as caught:
        store.unpack([(DIGEST, [graph])], path)
    assert "\n" not in str(caught.value)
    assert not store.root.exists() or files(store) == {}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({GRAPH.file: b"other", "model.json": b"{}"}, "does not match its digest"),
        ({GRAPH.file: b"g"}, "There is no item named"),
    ],
)
def test_swapped_artifact_is_refused(store, tmp_path, wrong, words):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as bundle:
        for name, data in wrong.items():
            bundle.writestr(f"{DIGEST}/{name}", data)
    with pytest.raises(StoreError, match=words):
        store.unpack(WANTED, tmp_path / "b.zip")
    assert not store.root.exists()


def test_oversized_artifact_is_refused_unread(store, tmp_path):
    path, mega = tmp_path / "b.zip", b"\0" * 2**20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(f"{DIGEST}/{GRAPH.file}", b"g")
        with bundle.open(f"{DIGEST}/model.json", "w") as member:
            for _ in range(257):
                member.write(mega)
    assert path.stat().st_size < len(mega)
    with pytest.raises(StoreError, match="says that it has 269,484,032 bytes"):
        store.unpack(WANTED, path)
    assert not store.root.exists()
