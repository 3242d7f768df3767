"""Handles of TensorFlow Hub resolved to folders of SavedModels, by Hub's own protocol and in its own cache."""

from __future__ import annotations

import http.client
import ipaddress
import shutil
import tempfile
import urllib.error
import urllib.request
import warnings
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from perfcast.errors import SourceError, UsageError
from perfcast.formats.archive import LARGEST, is_zipped, unpack
from perfcast.formats.hub_lock import downloading, prefix_of
from perfcast.storage import digest_of_file
from perfcast.text import escape_control

_ARCHIVES = (".tar.gz", ".tgz")
_SAVED_MODEL = "saved_model.pb"
_SCHEMES = ("http", "https")
_PIECE = 1 << 20
_REDIRECTIONS = frozenset((301, 302, 303, 307, 308))
_SILENCE_S = 60
_MAX_NAMED = 5


def resolve(handle: str) -> Path:
    """Return the folder of the SavedModel that a handle names.

    Args:
        handle: an `https` address (`http` on this machine only), the path of a `.tar.gz` or `.tgz` file, or
            a SavedModel's folder. Addresses and archives are unpacked into the folder that TensorFlow Hub
            caches in (`TFHUB_CACHE_DIR`) and found there the next time; a folder is used where it is.

    Raises:
        UsageError: it is no handle, or there is nothing there.
        SourceError: it cannot be downloaded, or is not a SavedModel; the cache then keeps nothing of it.
    """
    if "://" in handle:
        _check_address(handle)
        return _model_folder(handle, _download(handle))
    path = Path(handle)
    if path.is_dir():
        return _model_folder(handle, path)
    if not path.name.lower().endswith(_ARCHIVES):
        raise UsageError(f"{handle}: must be an address, a .tar.gz file or the folder of a SavedModel")
    if not path.is_file():
        raise UsageError(f"{handle}: there is no such file")
    return _model_folder(handle, _unpacked(handle, path))


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError as error:
        raise UsageError(f"{address}: not a valid address ({error})") from error
    if parts.scheme.lower() not in _SCHEMES or not host:
        raise UsageError(f"{address}: must begin with https:// and a host")
    if parts.scheme.lower() == "http" and not _is_this_machine(host):
        raise UsageError(f"{address}: use https; http is allowed for this machine only: others could change the model")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _model_folder(handle: str, folder: Path) -> Path:
    """Return the folder that `saved_model.pb` is in: this one, or the only one in it.

    Raises:
        SourceError: it is in neither, or in several.
    """
    if (folder / _SAVED_MODEL).is_file():
        return folder
    found = [path.parent for path in sorted(folder.glob(f"*/{_SAVED_MODEL}")) if path.is_file()]
    if not found:
        raise SourceError(f"{handle}: holds no SavedModel: it has no file {_SAVED_MODEL}")
    if len(found) > 1:
        names = ", ".join(escape_control(path.name)[:80] for path in found[:_MAX_NAMED])
        raise SourceError(f"{handle}: holds {len(found)} SavedModels ({names}); take one of them by itself")
    return found[0]


def _unpacked(handle: str, archive: Path) -> Path:
    """Return the folder in the cache that holds what an archive holds, unpacked now unless it is there."""
    cache = Path(_hub().resolver.tfhub_cache_dir(use_temp=True))
    folder = cache / digest_of_file(archive)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name[:16]}.", dir=cache))
    try:
        _fill(handle, archive, aside)
        aside.chmod(0o755)
        _put_in_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _fill(handle: str, archive: Path, folder: Path) -> None:
    try:
        unpack(archive, folder)
    except SourceError as error:
        raise SourceError(f"{handle}: {error}") from error
    _model_folder(handle, folder)


def _put_in_place(aside: Path, folder: Path) -> None:
    try:
        aside.rename(folder)
    except OSError:
        # Another process unpacked the same archive meanwhile.
        if not folder.is_dir():
            raise


def _download(address: str) -> Path:
    """Return the folder in the cache that holds what Hub has at an address, downloaded now unless it is there."""
    import tensorflow as tf

    try:
        return Path(_resolver()(address))
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceError(f"{address}: {_answered(error)}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise SourceError(f"{address}: cannot be reached ({reason})") from error
    except tf.errors.OpError as error:
        raise SourceError(f"{address}: the cache cannot be written ({error.message.splitlines()[0]})") from error
    except OSError as error:
        raise SourceError(f"{address}: the cache cannot be written ({error.strerror or error})") from error


def _answered(error: urllib.error.HTTPError) -> str:
    if error.code in _REDIRECTIONS:
        return f"the server redirects without end ({error.code})"
    return f"the server answers {error.code} {' '.join(str(error.reason).split())[:200]}".rstrip()


def _resolver() -> Any:
    """Return Hub's resolver of addresses, with what it lacks.

    Hub's own takes an archive that is cut off between two members for a whole one, unpacks without a bound,
    and follows a redirection to anywhere. All else is its own: the query, the name in the cache, the lock, and
    that a download becomes visible by being renamed.
    """
    hub = _hub()

    class CheckedResolver(hub.HttpCompressedFileResolver):  # type: ignore[misc, name-defined]
        def __call__(self, handle: str) -> str:
            def download(handle: str, folder: str) -> None:
                request = urllib.request.Request(self._append_compressed_format_query(handle))
                with self._call_urlopen(request) as answer:
                    _receive(handle, answer, Path(folder))

            name = hub._module_dir(handle)
            if Path(name).is_dir() and any(Path(name).iterdir()):
                return name
            with downloading(Path(name), handle):
                return hub.resolver.atomic_download(handle, download, name, self._lock_file_timeout_sec())

        def _call_urlopen(self, request: urllib.request.Request) -> Any:
            https = urllib.request.HTTPSHandler(context=self._context)
            return urllib.request.build_opener(https, _SafeRedirections()).open(request, timeout=_SILENCE_S)

    return CheckedResolver()


def _hub() -> Any:
    """Return Hub's module of addresses and its cache."""
    with warnings.catch_warnings():
        # It imports pkg_resources, which says of itself that it is deprecated.
        warnings.filterwarnings("ignore", message="(?s).*pkg_resources")
        from tensorflow_hub import compressed_module_resolver
    return compressed_module_resolver


def _receive(handle: str, answer: Any, folder: Path) -> None:
    """Write what a server answers to a file and unpack that."""
    with tempfile.TemporaryDirectory(prefix=prefix_of(folder.name), dir=folder.parent) as room:
        archive = Path(room) / "model.tar.gz"
        with archive.open("wb") as file:
            received = _copy(handle, answer, file)
        announced = answer.headers.get("Content-Length", "")
        if announced.isdigit() and received != int(announced):
            raise SourceError(f"{handle}: the download was cut off after {received} of {announced} bytes")
        try:
            _fill(handle, archive, folder)
        except SourceError as error:
            kind = " ".join(answer.headers.get("Content-Type", "").split())[:80]
            if not received or not kind or is_zipped(archive):
                raise
            raise SourceError(f"{handle}: the server answered {kind}, which is not an archive of a model") from error


def _copy(handle: str, answer: Any, file: IO[bytes]) -> int:
    received = 0
    while piece := answer.read(_PIECE):
        received += len(piece)
        if received > LARGEST:
            raise SourceError(f"{handle}: the download is larger than {LARGEST / 1e9:g} GB")
        file.write(piece)
    return received


class _SafeRedirections(urllib.request.HTTPRedirectHandler):
    """Follows redirections to addresses alone that a handle may have itself."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _check_address(newurl)
        except UsageError as error:
            fp.close()
            raise urllib.error.URLError(f"it redirects to {newurl[:200]}, which is not https") from error
        return super().redirect_request(req, fp, code, msg, headers, newurl)
