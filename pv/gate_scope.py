"""Which contracts a change touches: those that it changes, and those whose judgement may follow from it.

It errs on the side of too many: whether anything came of it is derived afterwards. What is too many costs
time; what is left out would be a hole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.closure import find_closure, find_module
from pv.contract import Contract, load_contract
from pv.errors import PvError
from pv.gate_layout import Layout, layout_of
from pv.gate_search import Search
from pv.gate_tree import PartialTree
from pv.toml_text import parse_toml

__all__ = ["Scope", "find_scope"]

_HIDDEN = "?"


@dataclasses.dataclass(frozen=True)
class Scope:
    """Paths of contracts, relative to the top of the repository.

    `direct` changed, or their evidence did. `indirect` is path → what it mentions that changed. `support`
    are others that these refer to, or that refer to them: they are read, and not judged. `gone` are not
    there any more.
    """

    direct: tuple[str, ...]
    indirect: Mapping[str, str]
    support: frozenset[str]
    gone: tuple[str, ...]
    orphans: tuple[str, ...] = ()
    """Folders of evidence that changed and are about no contract."""

    @property
    def touched(self) -> tuple[str, ...]:
        """All that are judged."""
        return (*self.direct, *(path for path in self.indirect if path not in self.direct))


def find_scope(
    view: PartialTree,
    layout: Layout,
    *,
    named: Sequence[str] = (),
    whole: bool = False,
    policies: Container[str] = (),
) -> Scope:
    """Find what the change of `view`'s tree touches, and write what its judgement reads into `view`.

    `named` are contracts that are judged although they did not change; with `whole`, all are. `policies` are
    the files of the policies that evidence must satisfy.

    Raises
    ------
    SelectionError
        Git does not have what the tree lists.
    """
    tree = view.tree
    listed = [path for path in tree.entries if layout.is_contract(path)]
    changed = [path for path in tree.changed if layout.is_contract(path)]
    gone = tuple(path for path in changed if path not in tree.entries)
    stems = {stem for path in tree.changed if (stem := layout.recorded(path))}
    links = [path for path in listed if tree.entries[path].is_link]
    changed += [path for path in links if view.target(path) in tree.changed and path not in changed]
    direct = set(listed) if whole else {path for path in changed if path in tree.entries} | set(named)
    direct |= {path for path in listed if _stem(path) in stems}
    others = [path for path in listed if path not in direct]
    view.add([layout.settings, layout.waivers, *sorted(direct)])
    elsewhere = [path for path in tree.changed if not layout.is_contract(path) and not layout.recorded(path)]
    if not (direct or gone or elsewhere or stems):
        return Scope((), {}, frozenset(), ())
    search = Search(others, view.repository.blobs([tree.entries[path].blob for path in others]))
    indirect: dict[str, str] = {}
    for path, what in _by_sources(view, layout, search, elsewhere) if elsewhere else ():
        indirect.setdefault(path, what)
    if policy := next((path for path in elsewhere if path in policies), None):
        indirect |= dict.fromkeys(search.paths, policy)  # whose word counts decides every status
    view.add(indirect)
    now = {path: contract for path in (*direct, *indirect) if (contract := _read(view.top / path))}
    then = _past_names(view, [path for path in changed if path in tree.changed])
    # Names that were, or are, in a contract that changed: who refers to them may be wrong now, or a twin.
    names = dict.fromkeys(name for path in now for name in _names(now[path]))
    names |= dict.fromkeys((*then, *(_stem(path) for path in (*direct, *gone))))
    citing = search.citing() | search.blocking()
    support: set[str] = set()
    for path, name in search.naming(names).items():
        if path in citing and path not in indirect:
            indirect[path] = f"it mentions {name}" if name != _HIDDEN else "it may mention what changed"
        support.add(path)
    view.add(indirect)
    now |= {path: contract for path in indirect if path not in now and (contract := _read(view.top / path))}
    support |= _referred(now.values(), search)
    namesakes = {_stem(path) for path in now}
    support |= {path for path in others if _stem(path) in namesakes}
    support -= {*direct, *indirect}
    view.add(support)
    known = {_stem(path) for path in (*listed, *gone)}
    orphans = tuple(f"{layout.evidence}/{stem}" for stem in sorted(stems - known))
    return Scope(tuple(sorted(direct)), indirect, frozenset(support), gone, orphans)


def _by_sources(
    view: PartialTree, layout: Layout, search: Search, elsewhere: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the contracts that rest on what changed besides contracts and evidence, and on what of it."""
    changed = [path for path in elsewhere if layout.is_source(path)]
    subjects = _changed_subjects(view, layout) if layout.settings in elsewhere else set()
    if subjects is None:
        yield from ((path, layout.settings) for path in search.paths)
        return
    if changed:
        view.add(path for path in view.tree.entries if layout.is_source(path))
        deleted = view.add_deleted(changed)
        try:
            yield from _by_modules(view, layout, search, set(changed))
            subjects |= set(_resting(view, layout, set(changed)))
        finally:
            view.remove(deleted)
    subjects |= _derived(layout, subjects)
    yield from (
        (path, f"subject {name}" if name != _HIDDEN else "a subject, perhaps")
        for path, name in search.naming(sorted(subjects)).items()
        if subjects
    )
    rest = [path for path in elsewhere if layout.is_within(path) and path != layout.waivers]
    if rest:
        yield from ((path, rest[0]) for path in sorted(search.running()))
    yield from _by_references(view, search, elsewhere)


def _by_references(view: PartialTree, search: Search, elsewhere: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the contracts that refer to a file that is gone, or to a name within one that changed."""
    sought = {}
    for path in elsewhere:
        name = path.rpartition("/")[2]
        if view.tree.changed[path].after is None:
            sought[name] = path
        elif name.endswith((".py", ".rs")):
            sought[f"{name}::"] = path
    yield from ((path, sought[text]) for path, text in search.holding(sought).items() if text in sought)


def _by_modules(
    view: PartialTree, layout: Layout, search: Search, changed: set[str]
) -> Iterator[tuple[str, str]]:
    for module, paths in sorted(search.checks().items()):
        if not module:
            yield from ((path, "a check, perhaps") for path in sorted(paths))
        elif what := _reached(view, layout, module, changed):
            yield from ((path, what) for path in sorted(paths))


def _reached(view: PartialTree, layout: Layout, module: str, changed: set[str]) -> str:
    """Return the first changed file in the closure of `module`; empty where there is none."""
    sources = [view.top / folder for folder in layout.sources]
    try:
        closure = find_closure([module], sources)
    except PvError:
        if find_module(module, sources) is not None:
            return min(changed)  # a file of it cannot be parsed: what it imports is not known
        ends = tuple(f"/{module.replace('.', '/')}{end}" for end in (".py", "/__init__.py"))
        return next((path for path in sorted(changed) if f"/{path}".endswith(ends)), "")
    files = {view.show(str(path)) for _, path in closure.modules}
    return min(files & changed, default="")


def _resting(view: PartialTree, layout: Layout, changed: set[str]) -> Iterator[str]:
    """Yield the subjects whose loader or builder rests on a changed file."""
    reached: dict[str, str] = {}
    for name, table in layout.subjects.items():
        for key in ("loader", "builder"):
            module = str(table.get(key, "")).partition(":")[0]
            if module and module not in reached:
                reached[module] = _reached(view, layout, module, changed)
            if module and reached[module]:
                yield name


def _derived(layout: Layout, names: set[str]) -> set[str]:
    """Return the subjects that are built from `names`, at whatever distance."""
    found = set(names)
    while True:
        more = {
            name
            for name, table in layout.subjects.items()
            if name not in found and not found.isdisjoint(map(str, table.get("derived_from") or ()))
        }
        if not more:
            return found - names
        found |= more


def _changed_subjects(view: PartialTree, layout: Layout) -> set[str] | None:
    """Return the subjects of which ``pv.toml`` says something else now; None where more than that changed."""
    change = view.tree.changed[layout.settings]
    entries = [entry for entry in (change.before, change.after) if entry]
    blobs = list(view.repository.blobs([entry.blob for entry in entries]))
    if len(blobs) < 2 or _besides_subjects(blobs[0]) != _besides_subjects(blobs[1]):
        return None
    before, after = (layout_of(layout.prefix, blob).subjects for blob in blobs)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _besides_subjects(settings: bytes) -> Mapping[str, Any] | bytes:
    try:
        stated = parse_toml(settings)
    except ValueError:
        return settings
    # The policy of the gate, and where sweeps run, decide no status.
    return {key: value for key, value in stated.items() if key in {"project", "signatures"}}


def _past_names(view: PartialTree, changed: Sequence[str]) -> list[str]:
    """Return the names that the contracts `changed` had before."""
    before = {path: entry for path in changed if (entry := view.tree.changed[path].before)}
    found: list[str] = []
    blobs = view.repository.blobs([entry.blob for entry in before.values()])
    for path, data in zip(before, blobs, strict=True):
        kept = view.top / ".git" / f"before{Path(path).suffix}"
        kept.write_bytes(data)
        contract = _read(kept)
        found += _names(contract) if contract else ()
        kept.unlink()
    return found


def _referred(contracts: Iterable[Contract], search: Search) -> set[str]:
    """Return the other contracts that `contracts` refer to; where falsifiers wait, all that may wait too."""
    cited: set[str] = set()
    waits = False
    for contract in contracts:
        for falsifier in contract.falsifiers:
            cited |= {one.falsifier.rpartition("#")[2] for one in falsifier.basis.values()}
            waiting = (*falsifier.blocks, *falsifier.blocked_by)
            cited |= {name.rpartition("#")[2] for name in waiting}
            waits = waits or bool(waiting)
    found = set(search.naming(sorted(cited))) if cited else set()
    return found | search.blocking() if waits else found


def _names(contract: Contract) -> list[str]:
    return [name for f in contract.falsifiers for name in (f.id, *f.aliases)]


def _read(path: Path) -> Contract | None:
    """Return the contract at `path`; of one that cannot be read, its own findings tell."""
    try:
        return load_contract(path)
    except PvError:
        return None


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]
