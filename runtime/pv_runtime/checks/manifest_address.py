"""What a publish manifest points to: an address that answers as it says, and the recipe it was made by."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pv.check import Metric, Run, check
from pv_runtime.checks import doses
from pv_runtime.checks.manifest_text import edited, statements
from pv_runtime.formats import FileBytes

__all__ = ["recipe_digest", "served_file"]

Ask = Callable[[str], tuple[int, int | None]]
_CHUNK = 4 << 20


@check(
    metrics=[
        Metric("files", unit="1", kind="count"),
        Metric("https", unit="1", kind="count"),
        Metric("name_equal", unit="1", kind="count"),
        Metric("status", unit="1", kind="count"),
        Metric("length_equal", unit="1", kind="count"),
    ]
)
def served_file(run: Run, *, manifest: FileBytes, artefact: FileBytes) -> None:
    """Serve `artefact` under its own name on this host, and ask for what `manifest` says that it publishes.

    Of each entry of ``files``: `https` is 1 if its address is one of that scheme; `status` is what a server,
    which has this one file, answers to HEAD for the last part of the address' path, and `length_equal` is 1
    if it announces as many bytes as ``size`` says. `name_equal` is 1 if the path ends with the entry's name.
    """
    said = (statements(manifest) or {}).get("files")
    entries = [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
    run.record("files", len(entries))
    name = PurePosixPath(run.undamaged("artefact").path).name
    with _server(name, artefact.size) as ask:
        asked: Ask = run.role("ask", ask)
        for place, entry in enumerate(entries):
            label = str(entry.get("name", place))
            parts = urlsplit(str(entry.get("url")))
            last = PurePosixPath(parts.path).name
            run.record("https", int(parts.scheme == "https" and bool(parts.hostname)), label=label)
            run.record("name_equal", int(last == entry.get("name")), label=label)
            status, length = asked(last)
            run.record("status", status, label=label)
            run.record("length_equal", int(length is not None and length == entry.get("size")), label=label)


@contextmanager
def _server(name: str, size: int) -> Iterator[Ask]:
    """Serve the head of one file, on a port of this host alone."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            there = self.path == f"/{name}"
            self.send_response(200 if there else 404)
            self.send_header("Content-Length", str(size if there else 0))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing: what is printed is taken for the check's."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def ask(path: str) -> tuple[int, int | None]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        try:
            connection.request("HEAD", f"/{path}")
            answer = connection.getresponse()
            length = answer.getheader("Content-Length")
            return answer.status, int(length) if length is not None else None
        finally:
            connection.close()

    try:
        yield ask
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@served_file.counter_example("uploaded_in_part", of="artefact")
def uploaded_in_part(artefact: FileBytes) -> FileBytes:
    """Serve the first half."""
    return artefact.cut(artefact.size // 2)


@served_file.counter_example("size_of_another_file", of="manifest")
def size_of_another_file(manifest: FileBytes) -> FileBytes:
    """State one byte more."""
    return edited(manifest, lambda said: said["files"][0].update(size=said["files"][0]["size"] + 1))


@served_file.counter_example("moved_away", of="manifest")
def moved_away(manifest: FileBytes) -> FileBytes:
    """Give an address where the file no longer is."""
    return edited(manifest, lambda said: said["files"][0].update(url="https://example.org/old/m.bin"))


@served_file.counter_example("plain_http", of="manifest")
def plain_http(manifest: FileBytes) -> FileBytes:
    """Give an address that anybody on the way can answer."""
    return edited(
        manifest,
        lambda said: said["files"][0].update(url=said["files"][0]["url"].replace("https", "http", 1)),
    )


@served_file.counter_example("no_files", of="manifest")
def no_files(manifest: FileBytes) -> FileBytes:
    """List nothing."""
    return edited(manifest, lambda said: said.update(files=[]))


@served_file.counter_example("says_no_length", of="ask")
def says_no_length(ask: Ask) -> Ask:
    """Answer without a length, as servers do that compress on the way."""
    return lambda path: (ask(path)[0], None)


@check(
    metrics=[
        Metric("named", unit="1", kind="count"),
        Metric("digest_equal", unit="1", kind="count"),
        Metric("recipe_bytes", unit="B", kind="count"),
    ]
)
def recipe_digest(run: Run, *, manifest: FileBytes, recipe: FileBytes) -> None:
    """Compare the recipe that `manifest` names with the bytes of `recipe`, digested now.

    `named` is 1 if the path that is stated ends with the recipe's file name.
    """
    said = (statements(manifest) or {}).get("provenance")
    stated = said if isinstance(said, dict) else {}
    digest = hashlib.sha256()
    for start in range(0, recipe.size, _CHUNK):
        digest.update(recipe.read(start, min(_CHUNK, recipe.size - start)).data)
    path = PurePosixPath(str(stated.get("recipe", "")))
    run.record("named", int(path.name == PurePosixPath(recipe.path).name))
    run.record("digest_equal", int(stated.get("recipe_sha256") == digest.hexdigest()))
    run.record("recipe_bytes", recipe.size)


@recipe_digest.counter_example("digest_left_out", of="manifest")
def digest_left_out(manifest: FileBytes) -> FileBytes:
    """State no digest of the recipe."""
    return edited(manifest, lambda said: said["provenance"].pop("recipe_sha256"))


@recipe_digest.counter_example("another_recipe_named", of="manifest")
def another_recipe_named(manifest: FileBytes) -> FileBytes:
    """Name another file, with this one's digest."""
    return edited(manifest, lambda said: said["provenance"].update(recipe="models/recipe/decoder.py"))


@recipe_digest.counter_example("recipe_cut_short", of="recipe")
def recipe_cut_short(recipe: FileBytes) -> FileBytes:
    """Lose the last line's end."""
    return recipe.cut(recipe.size - 1)


@recipe_digest.dose("flipped_bits", of="recipe")
def flipped_bits(recipe: FileBytes, amount: int, place: int) -> FileBytes:
    """Turn bits of the recipe."""
    return doses.flipped_file_bits(recipe, amount, place)
