"""Bring subjects from the Hugging Face hub into its cache, by ``huggingface_hub``.

Only ``pv fetch`` comes here: judging never touches the network. A file counts as there once its bytes have
the digest that ``pv.toml`` pins; what has another is refused and, if it came just now, removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pv import __version__
from pv.config import Config, SubjectSpec
from pv.errors import ConfigError, PvError, SubjectError
from pv.hub import HubPath, hub_cache, hub_path
from pv.subjects import Artefact, Subjects

__all__ = ["FetchError", "Fetched", "fetch"]

Say = Callable[[str], None]
_ETAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_SHA256, _SHA1 = 64, 40
"""Characters of an ETag: of large files the digest, of others git's."""


class FetchError(PvError):
    """A subject cannot be brought here."""


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A subject that is here now: how many files and bytes came, and the digest of all that counts."""

    name: str
    files: int
    bytes: int
    sha256: str
    pinned: bool


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """A file that is not here: its name in the repository, and what the hub says of it."""

    name: str
    size: int | None
    etag: str


def fetch(spec: SubjectSpec, config: Config, say: Say) -> Fetched:
    """Bring `spec` here, unless it is, and hold it against its pinned digest; `say` is told of each file.

    Raises
    ------
    ConfigError
        Its path or its revision is none that can be fetched.
    FetchError
        The hub, the network or the disk does not allow it, or a file arrived damaged.
    SubjectError
        What there is has not the digest that is pinned; the message has both.
    """
    hub = hub_path(spec)
    _require_fixed(spec, hub)
    if not hub.missing() and (there := _there(spec, hub, config, say)):
        return there
    names = hub.missing() or list(hub.names)  # all of them where a branch has moved
    api = _library()
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    with _quiet(), _explained(hub):
        wanted = [_look(api, hub, name, endpoint) for name in names]
    if spec.sha256 and not spec.files:
        _refuse_other(spec, wanted[0])
    _require_space(spec, wanted)
    came: list[Path] = []
    try:
        for file in wanted:
            size = "" if file.size is None else f" ({_spell(file.size)})"
            say(f"{spec.name}: fetching {file.name}{size}")
            blob = hub.storage / "blobs" / file.etag
            was_there = blob.exists()
            with _quiet(), _explained(hub, file.name):
                path = Path(
                    api.hf_hub_download(
                        hub.repo,
                        file.name,
                        revision=hub.revision,
                        cache_dir=str(hub_cache()),
                        endpoint=endpoint,
                        library_name="pv",
                        library_version=__version__,
                    )
                )
            came += [path] if was_there else [path, blob]
            if said := _damage(path, file.etag):
                raise FetchError(f"{file.name} of {hub.repo} came damaged: {said}", remedy="fetch it again")
        return _counted(spec, config, len(wanted), sum(file.size or 0 for file in wanted))
    except (FetchError, SubjectError):
        for path in came:
            path.unlink(missing_ok=True)
        raise


def _require_fixed(spec: SubjectSpec, hub: HubPath) -> None:
    if spec.path.endswith("/") and not spec.files:
        raise ConfigError(
            f"subject {spec.name}: {spec.path} is a folder, and nothing says which of its files count",
            remedy="name them under `files`",
        )
    if not hub.is_commit and spec.sha256 is None:
        raise ConfigError(
            f"subject {spec.name}: the revision {hub.revision!r} can come to mean other bytes",
            remedy="write the full commit, 40 hexadecimal digits, or pin the sha256",
        )


def _library() -> Any:
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


def _look(api: Any, hub: HubPath, name: str, endpoint: str | None) -> _Wanted:
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
    return _Wanted(name, said.size, said.etag)


def _refuse_other(spec: SubjectSpec, file: _Wanted) -> None:
    """Refuse a large file by the digest that the hub states, before it is fetched."""
    if len(file.etag) == _SHA256 and file.etag != spec.sha256:
        raise SubjectError(
            f"subject {spec.name} is not the one that pv.toml pins: the hub has sha256 {file.etag},"
            f" pinned {spec.sha256}; it was not fetched",
            remedy="correct the revision, or the pin",
        )


def _require_space(spec: SubjectSpec, wanted: list[_Wanted]) -> None:
    needed = sum(file.size or 0 for file in wanted)
    folder = hub_cache().absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed >= free:
        raise FetchError(
            f"subject {spec.name} needs {_spell(needed)}, and the cache's disk has {_spell(free)} left",
            remedy="make room, or let HF_HUB_CACHE name a folder on another disk",
        )


def _counted(spec: SubjectSpec, config: Config, files: int, size: int) -> Fetched:
    found = Subjects(config).resolve(spec.name)
    if not isinstance(found, Artefact):
        raise FetchError(f"subject {spec.name} is not in the cache after all", remedy="fetch it again")
    return Fetched(spec.name, files, size, found.sha256, pinned=spec.sha256 is not None)


def _there(spec: SubjectSpec, hub: HubPath, config: Config, say: Say) -> Fetched | None:
    """Return what is in the cache; None where it has to be fetched anew."""
    if spec.sha256 is None and _remove_damaged(hub, say):
        return None
    try:
        return _counted(spec, config, 0, 0)
    except SubjectError:
        # Damaged, or another commit by now: else the pin is of other bytes than the hub's.
        if _remove_damaged(hub, say) or not hub.is_commit:
            return None
        raise


def _remove_damaged(hub: HubPath, say: Say) -> bool:
    """Remove files of the cache whose bytes are not those that their names promise; tell if there were."""
    found = False
    snapshot = hub.storage / "snapshots" / hub.commit
    for name in hub.names:
        path = snapshot / name
        if path.is_symlink() and (said := _damage(path, path.resolve().name)):
            say(f"{name} in the cache is damaged, and fetched anew: {said}")
            path.resolve().unlink()
            path.unlink()
            found = True
    return found


def _damage(path: Path, etag: str) -> str:
    """Return in which way the bytes of `path` are not those of `etag`; empty where nothing tells."""
    if len(etag) not in {_SHA256, _SHA1}:
        return ""
    kind = "sha256" if len(etag) == _SHA256 else "sha1"
    digest = hashlib.new(kind, usedforsecurity=kind == "sha256")
    with path.open("rb") as file:
        if kind == "sha1":  # git's, of a blob: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
            digest.update(f"blob {os.fstat(file.fileno()).st_size}\0".encode())
        while part := file.read(1 << 20):
            digest.update(part)
    found = digest.hexdigest()
    return "" if found == etag else f"{kind} {found}, the hub says {etag}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from printing addresses, which may hold signatures."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _explained(hub: HubPath, name: str = "") -> Iterator[None]:
    """Turn what the library raises into one sentence; its own may hold addresses with signatures in them."""
    try:
        yield
    except PvError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise FetchError("the disk of the cache is full", remedy="make room, and fetch again") from None
        raise _why(error, hub, name) from None
    except Exception as error:
        raise _why(error, hub, name) from None


def _why(error: Exception, hub: HubPath, name: str) -> FetchError:
    shown = f"{hub.repo}@{hub.revision}"
    response = getattr(error, "response", None)
    if response is None:
        response = getattr(error.__cause__, "response", None)
    status = getattr(response, "status_code", None)
    code = response.headers.get("X-Error-Code", "") if response is not None else ""
    file = name or " or ".join(hub.names[:3])
    match status, code:
        case _, "GatedRepo":
            return FetchError(
                f"{hub.repo} is gated: its owner grants access one by one",
                remedy="ask for it on the hub's page, then log in: hf auth login",
            )
        case 401 | 403, _:
            return FetchError(
                f"the hub does not let us read {shown} ({status}): it is private, or not there",
                remedy="log in with an account that may: hf auth login",
            )
        case 404, "RevisionNotFound":
            return FetchError(f"{hub.repo} has no revision {hub.revision}", remedy="correct it in pv.toml")
        case 404, "EntryNotFound":
            return FetchError(f"{shown} has no file {file}", remedy="correct it in pv.toml")
        case 404, _:
            return FetchError(
                f"the hub has no {shown}, or no file {file} in it", remedy="correct it in pv.toml"
            )
        case int(), _:
            return FetchError(f"the hub answered {status} for {shown}", remedy="try again later")
    if isinstance(error, OSError) and "Consistency check" in str(error):
        return FetchError(f"{file} of {shown} ended early, or has another size", remedy="fetch it again")
    kind = type(error.__cause__ or error).__name__
    return FetchError(
        f"the hub cannot be reached for {shown}, or the connection broke ({kind})",
        remedy="look at the network, and fetch again: files that came whole are kept",
    )


def _spell(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
