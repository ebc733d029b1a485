"""Bring subjects from the Hugging Face hub into its cache, by ``huggingface_hub``.

Only ``pv fetch`` comes here: judging never touches the network. A file counts as there once its bytes have
the digest that ``pv.toml`` pins; what has another is refused and, if it came just now, removed.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pv.config import Config, SubjectSpec
from pv.errors import ConfigError, SubjectError
from pv.hub import HubPath, hub_cache, hub_path
from pv.hub_download import SHA256, Wanted, damage, download, library, look
from pv.hub_errors import FetchError, explained, quiet
from pv.subjects import Artefact, Subjects

__all__ = ["FetchError", "Fetched", "fetch"]

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A subject that is here now: how many files and bytes came, and the digest of all that counts."""

    name: str
    files: int
    bytes: int
    sha256: str
    pinned: bool


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
    api = library()
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    with quiet(), explained(hub):
        wanted = [look(api, hub, name, endpoint) for name in names]
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
            path = download(api, hub, file, endpoint)
            came += [path] if was_there else [path, blob]
        return _counted(spec, config, len(wanted), sum(file.size or 0 for file in wanted))
    except SubjectError:
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


def _refuse_other(spec: SubjectSpec, file: Wanted) -> None:
    """Refuse a large file by the digest that the hub states, before it is fetched."""
    if len(file.etag) == SHA256 and file.etag != spec.sha256:
        raise SubjectError(
            f"subject {spec.name} is not the one that pv.toml pins: the hub has sha256 {file.etag},"
            f" pinned {spec.sha256}; it was not fetched",
            remedy="correct the revision, or the pin",
        )


def _require_space(spec: SubjectSpec, wanted: list[Wanted]) -> None:
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
        if path.is_symlink() and (said := damage(path, path.resolve().name)):
            say(f"{name} in the cache is damaged, and fetched anew: {said}")
            path.resolve().unlink()
            path.unlink()
            found = True
    return found


def _spell(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
