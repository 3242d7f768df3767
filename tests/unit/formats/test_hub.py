"""Handles of TensorFlow Hub: what they give, once, and that nothing half-written is ever left."""

import contextlib
import gzip
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from perfcast.errors import SourceError, UsageError
from perfcast.formats.archive import unpack
from perfcast.formats.hub import resolve
from perfcast.formats.tensorflow_graph import read_saved_model
from tests.unit.formats import tensorflow_files as files
from tests.unit.formats.hub_server import archive_of, packed, served
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

PATH = "/google/imagenet/mobilenet_v2_035_32/classification/5"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network after some steps of training, and the folder it was saved to."""
    model = files.small_network()
    folder = tmp_path_factory.mktemp("trained")
    model.export(str(folder), verbose=False)
    return model, folder


@pytest.fixture(scope="module")
def archive(trained):
    return packed(trained[1])


@pytest.fixture
def hub():
    with served() as hub:
        yield hub


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(handle, cache, match):
    with pytest.raises(SourceError, match=match) as caught:
        resolve(handle)
    assert str(caught.value).startswith(f"{handle}: ")
    assert "\n" not in str(caught.value)
    assert not cache.exists() or files_in(cache) == []


def test_address_gives_the_served_model_with_its_values(trained, archive, hub, tmp_path):
    model, _ = trained
    hub.archives[PATH] = archive
    folder = resolve(hub.address + PATH)
    assert hub.requests == [f"{PATH}?tf-hub-format=compressed"]
    found = read_saved_model(folder, {}, keep_values=True)
    inputs = files.images(model)
    (outputs,) = files.run(found.graph, found.interface, [inputs], tmp_path)
    np.testing.assert_allclose(outputs, model.predict(inputs, verbose=0), atol=1e-5)


def test_resolving_twice_makes_one_request(archive, hub, cache):
    hub.archives[PATH] = archive
    first = resolve(hub.address + PATH)
    assert cache in first.parents
    assert resolve(hub.address + PATH) == first
    assert len(hub.requests) == 1


def test_tensorflow_hub_finds_the_cached_model(archive, hub):
    import tensorflow_hub

    hub.archives[PATH] = archive
    assert tensorflow_hub.resolve(hub.address + PATH) == str(resolve(hub.address + PATH))
    assert len(hub.requests) == 1


def test_redirections_are_followed(archive, hub):
    hub.redirects[PATH] = f"{hub.address}/storage/model.tar.gz"
    hub.archives["/storage/model.tar.gz"] = archive
    assert (resolve(hub.address + PATH) / "saved_model.pb").is_file()
    assert len(hub.requests) == 2


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://192.0.2.1/model.tar.gz"])
def test_redirections_to_forbidden_addresses_are_refused(target, hub, cache):
    hub.redirects[PATH] = target
    refused(hub.address + PATH, cache, "(?i)redirect")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_archive_is_refused_and_leaves_nothing(archive, hub, cache, share):
    hub.archives[PATH] = archive[: int(len(archive) * share)]
    refused(hub.address + PATH, cache, "damaged or truncated")
    hub.archives[PATH] = archive
    assert (resolve(hub.address + PATH) / "saved_model.pb").is_file()


def test_archive_truncated_between_members_is_refused(archive, hub, cache):
    content = gzip.decompress(archive)
    first = content.index(b"saved_model.pb")
    hub.archives[PATH] = gzip.compress(content[:first])[:-8]
    refused(hub.address + PATH, cache, "damaged or truncated")


EVIL = {
    "parent": [("../evil", b"x")],
    "hidden parent": [("a/../../evil", b"x")],
    "absolute": [("/tmp/perfcast-evil", b"x")],
    "link outside": [("link", {"type": b"2", "linkname": "/etc"})],
    "link to the parent": [("link", {"type": b"2", "linkname": ".."}), ("link/evil", b"x")],
    "hard link outside": [("link", {"type": b"1", "linkname": "../../evil"})],
    "device": [("device", {"type": b"3"})],
    "pipe": [("pipe", {"type": b"6"})],
}


@pytest.mark.parametrize("name", EVIL)
def test_path_traversal_in_an_archive_is_refused(name, hub, cache, tmp_path):
    hub.archives[PATH] = archive_of([("saved_model.pb", b""), *EVIL[name]])
    refused(hub.address + PATH, cache, "member")
    (tmp_path / "model.tar.gz").write_bytes(hub.archives[PATH])
    refused(str(tmp_path / "model.tar.gz"), cache, "member")
    assert not (tmp_path / "evil").exists()


def test_unknown_address_is_refused(hub, cache):
    refused(hub.address + "/nothing/1", cache, "404")


def test_unreachable_server_is_refused(hub, cache):
    with served() as gone:
        address = gone.address
    refused(address + PATH, cache, "cannot be reached")


def test_archive_without_a_saved_model_is_refused(hub, cache):
    hub.archives[PATH] = archive_of([("readme.txt", b"nothing")])
    refused(hub.address + PATH, cache, "holds no SavedModel")


def test_missing_signature_is_refused_with_the_existing_ones(hub, tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.call = tf.function(lambda x: x + 1.0, input_signature=[tf.TensorSpec((None, 4), name="x")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"image_feature_vector": module.call})
    hub.archives[PATH] = packed(tmp_path / "model")
    with pytest.raises(SourceError, match="image_feature_vector"):
        read_saved_model(resolve(hub.address + PATH), {})


def test_a_local_archive_is_unpacked_once_into_the_cache(archive, cache, tmp_path):
    path = tmp_path / "model.tgz"
    path.write_bytes(archive)
    folder = resolve(str(path))
    assert cache in folder.parents
    (folder / "mark").touch()
    shutil.copy(path, tmp_path / "again.tar.gz")
    assert resolve(str(tmp_path / "again.tar.gz")) == folder
    assert (folder / "mark").exists()
    assert len(list(cache.iterdir())) == 1
    assert read_saved_model(folder, {}).interface["weights"] > 0


def test_a_local_archive_may_hold_the_models_folder(trained, cache, tmp_path):
    members = [("model/saved_model.pb", (trained[1] / "saved_model.pb").read_bytes())]
    (tmp_path / "model.tar.gz").write_bytes(archive_of(members))
    assert resolve(str(tmp_path / "model.tar.gz")).name == "model"


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_local_archive_leaves_nothing(archive, cache, tmp_path, share):
    (tmp_path / "model.tar.gz").write_bytes(archive[: int(len(archive) * share)])
    refused(str(tmp_path / "model.tar.gz"), cache, "damaged or truncated")


def test_archive_bomb_is_refused(tmp_path):
    (tmp_path / "bomb.tar.gz").write_bytes(archive_of([("saved_model.pb", bytes(3_000_000))]))
    (tmp_path / "room").mkdir()
    assert (tmp_path / "bomb.tar.gz").stat().st_size < 10_000
    with pytest.raises(SourceError, match="unpacks to more than"):
        unpack(tmp_path / "bomb.tar.gz", tmp_path / "room", largest=1_000_000)


def test_local_folder_is_not_copied(trained, cache):
    assert resolve(str(trained[1])) == trained[1]
    assert not cache.exists()


@pytest.mark.parametrize(
    "handle",
    ["nothing.tar.gz", "nothing", "http://example.com/model/1", "ftp://example.com/model", "https://", "file:///etc"],
)
def test_invalid_or_missing_handle_is_a_usage_error(handle):
    with pytest.raises(UsageError, match=f"^{handle}: "):
        resolve(handle)


def test_an_archive_of_two_models_is_refused_by_their_names(hub, cache):
    hub.archives["/two/1"] = archive_of([("b/saved_model.pb", b""), ("a/saved_model.pb", b"")])

    refused(hub.address + "/two/1", cache, r"2 SavedModels \(a, b\)")


def test_redirection_loop_is_one_line(hub, cache):
    hub.redirects[PATH] = hub.address + PATH
    refused(hub.address + PATH, cache, r"redirects without end \(302\)")


def test_web_page_instead_of_an_archive_is_refused(hub, cache):
    hub.archives[PATH] = b"<!doctype html><html>" + b"log in first " * 100
    hub.types[PATH] = "text/html; charset=utf-8"
    refused(hub.address + PATH, cache, "answered text/html; charset=utf-8, which is not an archive")


SLOW = "/slow/1"
_RESOLVE = "import sys; from perfcast.formats.hub import resolve; print(resolve(sys.argv[1]))"


@contextlib.contextmanager
def half_downloaded(hub, cache):
    """Yield a process that has begun to download what stalls."""
    hub.archives[SLOW] = archive_of([("saved_model.pb", b"model" * 1000)])
    hub.stalls.add(SLOW)
    command = [sys.executable, "-c", _RESOLVE, hub.address + SLOW]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: process.poll() is not None or list(cache.glob(".download.*/model.tar.gz")))
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.communicate()


def test_killed_download_leaves_no_lock_and_no_files(hub, cache):
    with half_downloaded(hub, cache) as process:
        process.kill()
        process.wait()
    left = files_in(cache)
    assert any(name.endswith(".lock") for name in left)
    assert any(name.endswith(".tmp") for name in left)
    hub.stalls.clear()

    began = time.monotonic()
    folder = resolve(hub.address + SLOW)

    assert time.monotonic() - began < 5
    assert files_in(cache) == sorted([folder.name, f"{folder.name}/saved_model.pb", f"{folder.name}.descriptor.txt"])


def test_waiting_for_another_download_is_reported(hub, cache, capsys):
    with half_downloaded(hub, cache) as process:
        waiting = threading.Timer(0.5, hub.go_on.set)
        waiting.start()
        folder = resolve(hub.address + SLOW)
        output, _ = process.communicate(timeout=60)
    assert output.strip() == str(folder)
    assert len(hub.requests) == 1
    assert capsys.readouterr().err == f"waiting for another process that is downloading {hub.address + SLOW}\n"


def test_lock_of_tensorflow_hub_is_kept(hub, cache, monkeypatch):
    hub.archives[SLOW] = archive_of([("saved_model.pb", b"model")])
    folder = resolve(hub.address + SLOW)
    lock = cache / f"{folder.name}.lock"
    shutil.rmtree(folder)
    lock.write_text("elsewhere.1.abc")
    (cache / f".{folder.name}.perfcast-lock").write_text("elsewhere.12.")
    seen = []

    def wait(handle, path, timeout):
        seen.append(lock.exists())
        lock.unlink()

    monkeypatch.setattr("tensorflow_hub.resolver._wait_for_lock_to_disappear", wait)
    assert (resolve(hub.address + SLOW) / "saved_model.pb").is_file()
    assert seen == [True]
