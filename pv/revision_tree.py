"""The tree of a git revision in a temporary folder: what a status was derived from, then.

Read from git's objects, not through ``git archive``: attributes of the tree (``export-ignore``,
``export-subst``, end-of-line conversion) must not change what a status is derived from. The bytes of
large subjects are left out: their pins stand for them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pv.config import FILE_NAME, Config, load_config
from pv.errors import ConfigError, PvError, SelectionError
from pv.git import find_repository
from pv.toml_text import parse_toml

__all__ = ["LARGEST_SUBJECT_BYTES", "PastTree", "materialised"]

LARGEST_SUBJECT_BYTES = 1 << 20
"""Files of subjects larger than this are left out."""

_BYTES_AT_ONCE = 64 << 20
_LINK = "120000"
_FILES = {"100644", "100755", "100664"}


@dataclasses.dataclass(frozen=True)
class PastTree:
    """A project as it stood at `commit`, readable while the context lasts."""

    config: Config
    commit: str


@dataclasses.dataclass(frozen=True)
class _Entry:
    mode: str
    blob: str
    size: int
    path: PurePosixPath


@contextlib.contextmanager
def materialised(root: Path, reference: str) -> Iterator[PastTree]:
    """Write the project at `root` as it stood at `reference` into a temporary folder, and take it away again.

    Raises
    ------
    SelectionError
        `root` is in no git repository, `reference` is no commit of it, or the project was not there then.
    ConfigError
        Its ``pv.toml`` was not one that we read.
    """
    commit = _commit(root, reference)
    prefix = PurePosixPath(root.resolve().relative_to(find_repository(root).top.resolve()))
    entries = _listed(root, commit)
    by_path = {entry.path: entry for entry in entries}
    settings = by_path.get(prefix / FILE_NAME)
    if settings is None:
        raise SelectionError(
            f"{reference} has no {FILE_NAME}: there was no project then", remedy="name a later revision"
        )
    stated = _settings(_blobs(root, [settings])[0])
    wanted = [entry for entry in entries if _counts(entry, prefix, stated)]
    with tempfile.TemporaryDirectory(prefix="pv-at-") as folder:
        top = Path(folder).resolve()
        links = [entry for entry in wanted if entry.mode == _LINK]
        files = [entry for entry in wanted if entry.mode in _FILES]
        for entry, data in _each(root, files):
            path = top.joinpath(*entry.path.parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        # Last, so that no file is written through one.
        for entry, data in _each(root, links):
            _link(top, entry.path, os.fsdecode(data))
        try:
            config = load_config(top.joinpath(*prefix.parts))
        except ConfigError as error:
            raise ConfigError(
                f"at {reference}: {error.what}", where=error.where, remedy="name a later revision"
            ) from error
        yield PastTree(_with_policies(config, root, top), commit)


def _with_policies(config: Config, root: Path, top: Path) -> Config:
    """Have a policy that lies outside of the repository found where it is: it is in no commit."""
    policies = {
        name: path if Path(os.path.normpath(path)).is_relative_to(top) else root / name
        for name, path in config.policies.items()
    }
    return dataclasses.replace(config, policies=policies)


def _commit(root: Path, reference: str) -> str:
    try:
        return _text(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    except PvError:
        raise SelectionError(
            f"{reference!r} is no git revision here", remedy="name a commit, a branch or a tag"
        ) from None


def _listed(root: Path, commit: str) -> list[_Entry]:
    """List the blobs of the whole repository at `commit`; what lies outside of the top is refused."""
    found = []
    for line in _git(root, "ls-tree", "-r", "-z", "-l", "--full-tree", commit).split(b"\0"):
        if not line:
            continue
        head, _, name = line.partition(b"\t")
        mode, kind, blob, size = head.decode("ascii").split()
        path = PurePosixPath(os.fsdecode(name))
        if kind != "blob":  # a submodule is another repository
            continue
        if path.is_absolute() or not path.parts or {"..", ".git"} & set(path.parts):
            raise SelectionError(f"the revision holds a file named {path}", remedy="mend the repository")
        found.append(_Entry(mode, blob, int(size), path))
    return found


def _settings(data: bytes) -> dict[str, Any]:
    """Return what a ``pv.toml`` says, or nothing where it is no TOML: loading it will say what is wrong."""
    try:
        return parse_toml(data)
    except ValueError:
        return {}


def _counts(entry: _Entry, prefix: PurePosixPath, stated: dict[str, Any]) -> bool:
    """Tell whether a file can decide a status: one of the project or what it names, and no large subject."""
    folders = [prefix, *(_normal(prefix / name) for name in _folders(stated.get("project")))]
    folders += [_normal(prefix / name).parent for name in _policies(stated.get("signatures"))]
    if not any(entry.path.is_relative_to(folder) for folder in folders):
        return False
    if entry.size <= LARGEST_SUBJECT_BYTES or entry.path.suffix == ".py":
        return True
    subjects = stated.get("subjects", {})
    tables = subjects.values() if isinstance(subjects, dict) else ()
    paths = [_normal(prefix / str(t["path"])) for t in tables if isinstance(t, dict) and "path" in t]
    return not any(entry.path.is_relative_to(path) for path in paths if path != prefix)


def _folders(project: Any) -> Iterator[str]:
    """Yield the folders that a project names; loading it will say which are not of the right shape."""
    for key in ("sources", "contracts", "evidence"):
        named = project.get(key) if isinstance(project, dict) else None
        yield from (str(name) for name in (named if isinstance(named, list) else [named] if named else []))


def _policies(signatures: Any) -> Iterator[str]:
    """Yield the policy that evidence must satisfy; the keys that it names lie beside it."""
    named = signatures.get("policy") if isinstance(signatures, dict) else None
    if isinstance(named, str):
        yield named


def _normal(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(os.path.normpath(path))


def _link(top: Path, name: PurePosixPath, target: str) -> None:
    """Make a symbolic link, but none that leads out of the folder: what lies there now was not there then."""
    path = top.joinpath(*name.parts)
    end = Path(os.path.normpath(path.parent / target))
    if not end.is_relative_to(top) or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _each(root: Path, entries: Sequence[_Entry]) -> Iterator[tuple[_Entry, bytes]]:
    """Yield entries with their bytes; not all of them are in memory at once."""
    part: list[_Entry] = []
    size = 0
    for entry in entries:
        part.append(entry)
        size += entry.size
        if size > _BYTES_AT_ONCE:
            yield from zip(part, _blobs(root, part), strict=True)
            part, size = [], 0
    yield from zip(part, _blobs(root, part), strict=True)


def _blobs(root: Path, entries: Sequence[_Entry]) -> list[bytes]:
    """Return the bytes of blobs, read by one process."""
    return list(find_repository(root).blobs([entry.blob for entry in entries]))


def _text(root: Path, *arguments: str) -> str:
    return os.fsdecode(_git(root, *arguments)).removesuffix("\n")


def _git(root: Path, *arguments: str) -> bytes:
    return find_repository(root).run(*arguments)
