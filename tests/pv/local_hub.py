"""A hub on 127.0.0.1 that speaks what ``huggingface_hub`` asks for, and misbehaves where it is told to."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


class LocalHub(ThreadingHTTPServer):
    """One repository, ``owner/repo``, with a branch ``main`` at :attr:`commit`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.large: set[str] = set()
        """Files that are stored as large ones: their ETag is the sha256."""
        self.commit = COMMIT
        self.answers: dict[str, tuple[int, str]] = {}
        """File → the status and the error code in its place."""
        self.cuts: list[int] = []
        """After how many bytes the next downloads are cut off."""
        self.served: dict[str, bytes] = {}
        """File → the bytes that are sent in place of its own."""
        self.headers: dict[str, str] = {}
        """Headers in place of its own."""
        self.stall_at: int | None = None
        """Where downloads stand still until :attr:`released`."""
        self.released = threading.Event()
        self.asked: list[tuple[str, str, str]] = []
        """Method, file and range of every request."""
        self.authorization: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def etag(self, file: str) -> str:
        data = self.files[file]
        if file in self.large:
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    @property
    def downloads(self) -> list[tuple[str, str]]:
        """File and range of what was asked for beyond its headers."""
        return [(file, part) for method, file, part in self.asked if method == "GET" and file]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LocalHub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class calls it so
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, *, body: bool) -> None:
        hub = self.server
        found = _RESOLVE.fullmatch(self.path)
        file = found["file"] if found else ""
        asked = self.headers.get("Range") or ""
        hub.asked.append((self.command, file, asked))
        hub.authorization.append(self.headers.get("Authorization"))
        if file in hub.answers:
            return self._refuse(*hub.answers[file])
        if found is None or found["repo"] != "owner/repo":
            return self._refuse(404, "RepoNotFound")
        if found["revision"] not in {"main", hub.commit}:
            return self._refuse(404, "RevisionNotFound")
        if file not in hub.files:
            return self._refuse(404, "EntryNotFound")
        data = hub.served.get(file, hub.files[file])
        start = int(asked.removeprefix("bytes=").rstrip("-")) if body and asked else 0
        self.send_response(206 if start else 200)
        for name, value in {
            "ETag": f'"{hub.etag(file)}"',
            "X-Repo-Commit": hub.commit,
            **hub.headers,
        }.items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not body:
            return None
        end = hub.cuts.pop(0) if hub.cuts else len(data)
        with contextlib.suppress(ConnectionError):
            for at in range(start, end, 1 << 16):
                if hub.stall_at is not None and at >= hub.stall_at:
                    hub.released.wait(60)
                self.wfile.write(data[at : min(end, at + (1 << 16))])
        self.close_connection |= end < len(data)
        return None


@contextlib.contextmanager
def local_hub() -> Iterator[LocalHub]:
    """Serve a hub while the context lasts."""
    with LocalHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hub
        finally:
            hub.released.set()
            hub.shutdown()
            thread.join()
