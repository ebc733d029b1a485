"""``hf://owner/repo@revision/file``: what it names, and where the cache of Hugging Face keeps it.

Nothing here touches the network: see :mod:`pv.fetch`.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from pv.config import SubjectSpec
from pv.errors import ConfigError

__all__ = ["HubPath", "hub_cache", "hub_path"]

_HUB = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[\w.-]+)/(?P<file>[\w./-]*)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclasses.dataclass(frozen=True)
class HubPath:
    """A file of a repository at a revision, or a folder of which `files` count; ``""`` is the whole of it."""

    repo: str
    revision: str
    path: str
    files: tuple[str, ...]

    @property
    def is_commit(self) -> bool:
        """Whether the revision is a full commit, which cannot come to mean other bytes."""
        return bool(_COMMIT.fullmatch(self.revision))

    @property
    def names(self) -> tuple[str, ...]:
        """The files in the repository that count."""
        within = self.path.rstrip("/")
        return tuple(f"{within}/{name}".lstrip("/") for name in self.files) or (self.path,)

    @property
    def storage(self) -> Path:
        """The folder of the repository in the cache."""
        return hub_cache() / f"models--{self.repo.replace('/', '--')}"

    @property
    def commit(self) -> str:
        """The revision, or the commit that the cache knows under its name."""
        if not self.is_commit:
            try:
                known = (self.storage / "refs" / self.revision).read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                return self.revision
            return known if _COMMIT.fullmatch(known) else self.revision
        return self.revision

    @property
    def cached(self) -> Path:
        """Where the file or folder lies in the cache, if it is there."""
        return self.storage / "snapshots" / self.commit / self.path

    def missing(self) -> list[str]:
        """Return which of :attr:`names` are not in the cache."""
        snapshot = self.storage / "snapshots" / self.commit
        return [name for name in self.names if not (snapshot / name).exists()]


def hub_path(spec: SubjectSpec) -> HubPath:
    """Read the ``hf://`` path of a subject.

    Raises
    ------
    ConfigError
        It is not of that form, or leaves its repository.
    """
    match = _HUB.fullmatch(spec.path)
    if match is None or match["revision"] in {".", ".."}:
        raise ConfigError(
            f"subject {spec.name}: {spec.path!r} is not hf://owner/repo@revision/file",
            remedy="name the revision: a branch moves, a revision does not",
        )
    found = HubPath(match["repo"], match["revision"], match["file"], spec.files)
    if any(name.startswith("/") or ".." in name.split("/") for name in (found.path, *spec.files)):
        raise ConfigError(
            f"subject {spec.name}: the file leaves its repository", remedy="name a file inside it"
        )
    return found


def hub_cache() -> Path:
    """Return the cache's folder, by the variables that ``huggingface_hub`` reads."""

    def read(name: str) -> Path | None:
        value = os.environ.get(name)
        return Path(os.path.expandvars(value)).expanduser() if value else None

    if cache := read("HF_HUB_CACHE") or read("HUGGINGFACE_HUB_CACHE"):
        return cache
    home = read("HF_HOME") or (read("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return home / "hub"
