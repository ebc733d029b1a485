"""A publish manifest beside the file that it describes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pv.check import CheckError, Metric, Run, check
from pv_runtime.checks import doses
from pv_runtime.formats import FileBytes

__all__ = ["publish_manifest"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHUNK = 4 << 20
_MAX_MANIFEST = 1 << 20


@check(
    metrics=[
        Metric("readable", unit="1", kind="count"),
        Metric("files", unit="1", kind="count"),
        Metric("digest_well_formed", unit="1", kind="count"),
        Metric("digest_equal", unit="1", kind="count"),
        Metric("size_equal", unit="1", kind="count"),
        Metric("https", unit="1", kind="count"),
    ]
)
def publish_manifest(run: Run, *, manifest: FileBytes, artefact: FileBytes) -> None:
    """Compare what `manifest` states of its one file with the bytes of `artefact`.

    `readable` is 1 if the manifest is JSON with a list ``files`` of objects, `files` its length. Of
    each: `digest_well_formed` is 1 if ``sha256`` is 64 lower-case hexadecimal digits, `digest_equal` if
    it is the artefact's, digested now, `size_equal` if ``size`` is its number of bytes, `https` if
    ``url`` is an address of that scheme with a host and a path.
    """
    entries = _entries(manifest)
    run.record("readable", int(entries is not None))
    run.record("files", len(entries or ()))
    digest = _digest(artefact)
    for place, entry in enumerate(entries or ()):
        label = str(entry.get("name", place))
        stated, size = entry.get("sha256"), entry.get("size")
        well_formed = isinstance(stated, str) and _DIGEST.fullmatch(stated) is not None
        run.record("digest_well_formed", int(well_formed), label=label)
        run.record("digest_equal", int(stated == digest), label=label)
        run.record("size_equal", int(type(size) is int and size == artefact.size), label=label)
        run.record("https", int(_is_https(entry.get("url"))), label=label)


def _entries(manifest: FileBytes) -> list[dict[str, Any]] | None:
    if manifest.size > _MAX_MANIFEST:
        return None
    try:
        stated = json.loads(manifest.read(0, manifest.size).tobytes())
    except (ValueError, RecursionError):
        return None
    files = stated.get("files") if isinstance(stated, dict) else None
    if not isinstance(files, list) or not all(isinstance(entry, dict) for entry in files):
        return None
    return files


def _digest(file: FileBytes) -> str:
    digest = hashlib.sha256()
    for start in range(0, file.size, _CHUNK):
        digest.update(file.read(start, min(_CHUNK, file.size - start)).data)
    return digest.hexdigest()


def _is_https(url: object) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme == "https" and bool(parts.hostname and parts.path.strip("/"))


def _edited(manifest: FileBytes, change: Callable[[dict[str, Any]], object]) -> FileBytes:
    entries = _entries(manifest)
    if not entries:
        raise CheckError(f"{manifest.path} states no file to damage")
    change(entries[0])
    text = json.dumps({"files": entries}).encode()
    return manifest.with_head(text, instead_of=manifest.size)


@publish_manifest.counter_example("digest_of_another_file", of="manifest")
def digest_of_another_file(manifest: FileBytes) -> FileBytes:
    """State a digest that differs in its last digit."""

    def change(entry: dict[str, Any]) -> None:
        entry["sha256"] = entry["sha256"][:-1] + ("1" if entry["sha256"][-1] == "0" else "0")

    return _edited(manifest, change)


@publish_manifest.counter_example("digest_in_capitals", of="manifest")
def digest_in_capitals(manifest: FileBytes) -> FileBytes:
    """Spell the right digest in capitals."""
    return _edited(manifest, lambda entry: entry.update(sha256=entry["sha256"].upper()))


@publish_manifest.counter_example("digest_cut_short", of="manifest")
def digest_cut_short(manifest: FileBytes) -> FileBytes:
    """State the first 16 digits of the right digest."""
    return _edited(manifest, lambda entry: entry.update(sha256=entry["sha256"][:16]))


@publish_manifest.counter_example("digest_missing", of="manifest")
def digest_missing(manifest: FileBytes) -> FileBytes:
    """State no digest."""
    return _edited(manifest, lambda entry: entry.pop("sha256"))


@publish_manifest.counter_example("wrong_size", of="manifest")
def wrong_size(manifest: FileBytes) -> FileBytes:
    """State one byte more than there is."""
    return _edited(manifest, lambda entry: entry.update(size=entry["size"] + 1))


@publish_manifest.counter_example("plain_http", of="manifest")
def plain_http(manifest: FileBytes) -> FileBytes:
    """Give an address that anybody on the way can answer."""
    return _edited(manifest, lambda entry: entry.update(url="http" + entry["url"].removeprefix("https")))


@publish_manifest.counter_example("no_files", of="manifest")
def no_files(manifest: FileBytes) -> FileBytes:
    """List nothing: nothing is wrong with nothing."""
    return manifest.with_head(b'{"files": []}', instead_of=manifest.size)


@publish_manifest.counter_example("unreadable", of="manifest")
def unreadable(manifest: FileBytes) -> FileBytes:
    """Cut the manifest's last bracket off."""
    return manifest.cut(manifest.size - 2)


@publish_manifest.counter_example("flipped_bit", of="artefact")
def flipped_bit(artefact: FileBytes) -> FileBytes:
    """Turn one bit of the published file."""
    if not artefact.size:
        raise CheckError(f"{artefact.path} has no byte to damage")
    first = artefact.read(0, 1).tobytes()
    return artefact.with_head(bytes([first[0] ^ 1]), instead_of=1)


@publish_manifest.counter_example("truncated", of="artefact")
def truncated(artefact: FileBytes) -> FileBytes:
    """Cut the last byte of the published file off."""
    return artefact.cut(artefact.size - 1)


@publish_manifest.dose("flipped_bits", of="artefact")
def flipped_bits(artefact: FileBytes, amount: int, place: int) -> FileBytes:
    """Turn bits of the published file."""
    return doses.flipped_file_bits(artefact, amount, place)
