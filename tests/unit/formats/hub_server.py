"""A server on this machine that speaks TensorFlow Hub's protocol."""

import contextlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def packed(folder):
    """Return a SavedModel's folder as Hub serves it, a compressed archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder, arcname=".")
    return archive.getvalue()


def archive_of(members):
    """Return a compressed archive of (name, content) pairs; content may be a whole `TarInfo`'s settings."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, dict):
                for key, value in content.items():
                    setattr(info, key, value)
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return archive.getvalue()


class Hub:
    """What a server serves, and what it was asked for.

    Attributes:
        address: the server's, `http://127.0.0.1:<port>`.
        archives: bytes by path, answered to requests for the compressed format.
        redirects: addresses by path.
        requests: paths with queries, in the order they were asked for.
        types: content types by path.
        stalls: paths of which only half of the archive is sent, until `go_on` is set.
        go_on: lets the second halves be sent.
    """

    def __init__(self):
        self.address = ""
        self.archives = {}
        self.redirects = {}
        self.requests = []
        self.types = {}
        self.stalls = set()
        self.go_on = threading.Event()

    def halves(self, path):
        """Yield what is sent for a path, with a pause in between where it stalls."""
        content = self.archives[path]
        yield content[: len(content) // 2]
        if path in self.stalls:
            self.go_on.wait(timeout=60)
        yield content[len(content) // 2 :]


@contextlib.contextmanager
def served():
    """Yield a running server."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            hub.requests.append(self.path)
            parts = urlsplit(self.path)
            compressed = parse_qs(parts.query).get("tf-hub-format") == ["compressed"]
            if parts.path in hub.redirects:
                self.send_response(302)
                self.send_header("Location", hub.redirects[parts.path])
                self.end_headers()
            elif parts.path in hub.archives and (compressed or parts.path.endswith(".tar.gz")):
                self.send_response(200)
                self.send_header("Content-Length", str(len(hub.archives[parts.path])))
                if parts.path in hub.types:
                    self.send_header("Content-Type", hub.types[parts.path])
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    for half in hub.halves(parts.path):
                        self.wfile.write(half)
            else:
                self.send_error(404)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
