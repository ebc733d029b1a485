"""One file from the hub into its cache, taken up where an earlier attempt broke off.

``huggingface_hub`` takes a broken connection up, but nothing across processes: it names each partial file
anew, because locks do not hold on every file system. We may keep one name, because we read the bytes again:
a file that does not have the digest that the hub states is removed, however it came to be so.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import re
from pathlib import Path
from typing import Any

from pv import __version__
from pv.hub import HubPath, hub_cache
from pv.hub_errors import FetchError, explained, quiet

__all__ = ["SHA256", "Wanted", "damage", "download", "library", "look"]

_ETAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
SHA256, SHA1 = 64, 40
"""Characters of an ETag: of large files the digest, of others git's."""
_NAMED = {"library_name": "pv", "library_version": __version__}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file that is not here: its name in the repository, and what the hub says of it."""

    name: str
    size: int | None
    etag: str
    parts: bool
    """Whether it comes over HTTP, and not in the chunks of Xet, which are kept by themselves."""


def library() -> Any:
    """Import ``huggingface_hub``.

    Raises
    ------
    FetchError
        It is not installed, or may not use the network.
    """
    # It would also say which versions of torch and which programs are here.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
        from huggingface_hub import constants
    except ImportError:
        raise FetchError(
            "huggingface_hub is not installed, which fetches from the hub",
            remedy="type: python -m pip install 'pv[hub]'",
        ) from None
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    if offline or constants.HF_HUB_OFFLINE:
        raise FetchError(
            "HF_HUB_OFFLINE is set: nothing is fetched",
            remedy="unset it, or bring the files into the cache otherwise",
        )
    return huggingface_hub


def look(api: Any, hub: HubPath, name: str, endpoint: str | None) -> Wanted:
    """Ask the hub for the size and the digest of a file.

    Raises
    ------
    FetchError
        What answers is no hub, or answers for another commit.
    """
    url = api.hf_hub_url(hub.repo, name, revision=hub.revision, endpoint=endpoint)
    said = api.get_hf_file_metadata(url)
    if said.etag is None or said.commit_hash is None:
        raise FetchError(
            f"what answered for {hub.repo} is no hub: it names neither commit nor digest",
            remedy="look at HF_ENDPOINT, and at a proxy between",
        )
    if hub.is_commit and said.commit_hash != hub.revision:
        raise FetchError(
            f"the hub answered with commit {said.commit_hash} where {hub.revision} was asked for",
            remedy="look at HF_ENDPOINT",
        )
    if not _ETAG.fullmatch(said.etag):  # it will be the name of a file
        raise FetchError(f"what the hub states of {name} is no digest", remedy="look at HF_ENDPOINT")
    # Xet: https://huggingface.co/docs/hub/storage-backends
    chunks = getattr(said, "xet_file_data", None) is not None and not os.environ.get("HF_HUB_DISABLE_XET")
    return Wanted(name, said.size, said.etag, parts=not chunks)


def download(api: Any, hub: HubPath, file: Wanted, endpoint: str | None) -> Path:
    """Bring `file` into the cache, and return where it lies there.

    Raises
    ------
    FetchError
        It cannot be had, or arrived damaged; then nothing of it stays.
    """
    blob = hub.storage / "blobs" / file.etag
    checked = not blob.exists() and _take_up(api, hub, file, endpoint, blob)
    with quiet(), explained(hub, file.name):
        path = Path(
            api.hf_hub_download(
                hub.repo,
                file.name,
                revision=hub.revision,
                cache_dir=str(hub_cache()),
                endpoint=endpoint,
                **_NAMED,
            )
        )
    if not checked and (said := damage(path, file.etag)):
        path.unlink(missing_ok=True)
        blob.unlink(missing_ok=True)
        raise _damaged(hub, file, said)
    return path


def _take_up(api: Any, hub: HubPath, file: Wanted, endpoint: str | None, blob: Path) -> bool:
    """Bring the bytes of `file` to `blob`, whole and verified; False where the library has to do it."""
    if not file.parts or len(file.etag) not in {SHA256, SHA1}:
        return False
    try:
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers
    except ImportError:
        return False
    url = api.hf_hub_url(hub.repo, file.name, revision=hub.revision, endpoint=endpoint)
    partial = blob.with_name(f"{file.etag}.pv-partial")
    lock = hub_cache() / ".locks" / hub.storage.name / f"{file.etag}.pv.lock"
    for folder in (blob.parent, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with quiet(), explained(hub, file.name), lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        while not blob.exists():
            with partial.open("ab") as target:
                if file.size is not None and target.tell() > file.size:
                    target.truncate(0)
                    target.seek(0)
                start = target.tell()
                http_get(
                    url,
                    target,
                    resume_size=start,
                    # What is compressed on the way cannot be taken up in its middle.
                    headers={**build_hf_headers(**_NAMED), "Accept-Encoding": "identity"},
                    expected_size=file.size,
                    displayed_filename=file.name,
                )
                target.flush()
                os.fsync(target.fileno())
            if said := damage(partial, file.etag):
                partial.unlink()
                if not start:
                    raise _damaged(hub, file, said)
                continue  # once more, from its beginning
            partial.chmod(0o644)
            partial.replace(blob)
    return True


def _damaged(hub: HubPath, file: Wanted, said: str) -> FetchError:
    return FetchError(f"{file.name} of {hub.repo} came damaged: {said}", remedy="fetch it again")


def damage(path: Path, etag: str) -> str:
    """Return in which way the bytes of `path` are not those of `etag`; empty where nothing tells."""
    if len(etag) not in {SHA256, SHA1}:
        return ""
    kind = "sha256" if len(etag) == SHA256 else "sha1"
    digest = hashlib.new(kind, usedforsecurity=kind == "sha256")
    with path.open("rb") as file:
        if kind == "sha1":  # git's, of a blob: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
            digest.update(f"blob {os.fstat(file.fileno()).st_size}\0".encode())
        while part := file.read(1 << 20):
            digest.update(part)
    found = digest.hexdigest()
    return "" if found == etag else f"{kind} {found}, the hub says {etag}"
