"""Which policies hold for what a change brings: that of the base, which a change cannot loosen, and its own.

Each is written as git has it, with the keys that it names, into a folder beside the tree that is judged. One
that lies outside of the repository is in no commit, and is the same at both ends.
"""

from __future__ import annotations

import dataclasses
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pv.config import Config
from pv.gate_layout import Layout
from pv.gate_tree import PartialTree
from pv.git_tree import Entry, Tree
from pv.toml_text import parse_toml

__all__ = ["NONE", "Held", "held_policies"]

_LINKS = 40
"""So many links are followed by Linux as well."""
_Lookup = Callable[[str], Entry | None]


@dataclasses.dataclass(frozen=True)
class Held:
    """The policies of a change, by what messages call them: those `now`, and those `before` it.

    `files` are the paths of the repository that any of them rests on.
    """

    now: Mapping[str, Path]
    before: Mapping[str, Path]
    files: frozenset[str]
    notes: tuple[str, ...] = ()

    def at_its_end(self, config: Config) -> Config:
        """Return `config` with the policies that what the change brings is held against."""
        return dataclasses.replace(config, policies=self.now)

    def at_the_base(self, config: Config) -> Config:
        """Return `config` with the policies that there were before."""
        return dataclasses.replace(config, policies=self.before)


NONE = Held({}, {}, frozenset())


def held_policies(view: PartialTree, layout: Layout, settings: bytes | None) -> Held:
    """Find the policies that ``pv.toml`` names at both ends of the change of `view`, and write them.

    Parameters
    ----------
    settings
        The bytes of ``pv.toml`` as it is judged; None where there is none.

    Raises
    ------
    SelectionError
        Git does not have the bytes.
    """
    tree = view.tree
    then = settings
    if layout.settings in tree.changed:
        before = tree.changed[layout.settings].before
        then = next(view.repository.blobs([before.blob])) if before else None
    named, was_named = _named(settings), _named(then) if tree.base else ""
    if not (named or was_named):
        return NONE
    base = _Policy(view, layout, was_named, "base", lambda path: _before(tree, path)) if was_named else None
    own = _Policy(view, layout, named, "tree", tree.entries.get) if named else None
    files = frozenset(path for one in (base, own) if one for path in one.files)
    if base is None:
        return Held({named: own.file} if own else {}, {}, files)
    before_it = {was_named: base.file}
    if own is not None and own.files == base.files and own.outside == base.outside:
        return Held(before_it, before_it, files)
    of_base = {f"{was_named} of the base": base.file}
    if own is None:
        note = f"pv.toml names no policy any more: evidence is held against {was_named} of the base"
        return Held(of_base, before_it, files, (note,))
    note = f"the policy {named} is changed: evidence is held against that of the base as well"
    return Held(of_base | {named: own.file}, before_it, files, (note,))


class _Policy:
    """A policy at one end, whose entries `lookup` knows: `file` is where it was written.

    `files` has the blob of each file of the repository that it is made of; of a policy `outside` of the
    repository, none.
    """

    def __init__(self, view: PartialTree, layout: Layout, name: str, end: str, lookup: _Lookup) -> None:
        self._view = view
        self._lookup = lookup
        self._folder = view.top / ".git" / "policies" / end
        self.files: dict[str, str] = {}
        path = layout.within(name)
        self.outside = ""
        if _is_outside(path):
            self.outside = name
            self.file = view.repository.top / layout.prefix / name
            return
        self.file = self._folder / path
        if (data := self._write(path)) is not None:
            for key in _keys(data):
                beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), key))
                if not _is_outside(beside):
                    self._write(beside)

    def _write(self, path: str) -> bytes | None:
        """Write the file at `path`, or what it leads to, under its own name; what is not there is left out.

        Reading the policy says what is missing then.
        """
        found = path
        for _ in range(_LINKS):
            entry = self._lookup(found)
            self.files[found] = entry.blob if entry else ""
            if entry is None:
                return None
            (data,) = self._view.repository.blobs([entry.blob])
            if not entry.is_link:
                place = self._folder / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
                return data
            found = posixpath.normpath(posixpath.join(posixpath.dirname(found), os.fsdecode(data)))
        return None


def _before(tree: Tree, path: str) -> Entry | None:
    return tree.changed[path].before if path in tree.changed else tree.entries.get(path)


def _is_outside(path: str) -> bool:
    return path.startswith("/") or path.partition("/")[0] == ".."


def _named(settings: bytes | None) -> str:
    """Return what ``pv.toml`` calls its policy; empty where it has none. Loading it says what is wrong."""
    found = _table(_table(_parsed(settings or b"")).get("signatures")).get("policy")
    return found if isinstance(found, str) else ""


def _keys(policy: bytes) -> Iterator[str]:
    for one in _table(_table(_parsed(policy)).get("keys")).values():
        if isinstance(file := _table(one).get("file"), str) and file:
            yield file


def _parsed(data: bytes) -> Any:
    try:
        return parse_toml(data)
    except ValueError:
        return {}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
