"""What a change does: which contracts are not valid as staged, and which falsifiers stand otherwise now.

The contracts that a change touches are judged in a tree of their own, as git's index (or a commit) has
them: their shape, their rules, and what evidence supports of them, contract and evidence from one tree. The
same is derived of the tree before; the difference is the change's doing. Nothing of the repository is run.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.config import Config, load_config
from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.errors import DocumentError, Location, PvError
from pv.finding import Finding
from pv.freshness import base_level, current_inputs
from pv.gate_inputs import add_inputs
from pv.gate_layout import Layout, layout_of
from pv.gate_scope import Scope, find_scope
from pv.gate_tree import PartialTree
from pv.gate_trust import Held, held_policies
from pv.gate_weakened import weakened
from pv.git import Repository
from pv.git_tree import Tree
from pv.movement import Moved
from pv.project import Project
from pv.rules import judge, needs_project
from pv.tally import Row

__all__ = ["Judged", "judged_change"]

_LOST = "Stage the file itself: a commit holds nothing that lies outside of it."
_BROKEN = frozenset({"FALSIFIED", "VACUOUS"})


@dataclasses.dataclass(frozen=True)
class Judged:
    """What was found of a change. Paths are relative to the top of the repository, findings to their file.

    `config` and the contracts of `rows` are those of a folder that is there as long as the context lasts.
    """

    scope: Scope
    config: Config
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    """Every falsifier of the contracts that were touched, as staged."""
    moved: tuple[Moved, ...]
    notes: tuple[str, ...]
    before: Mapping[str, str]
    """Address → the status before, of the falsifiers that there were."""
    untouched: tuple[Row, ...] | None
    """The falsifiers of all other contracts; None where they were not asked for."""
    waived: Mapping[str, str]
    """Address → its waiver, of what fails and has one in force."""
    inputs: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Address → level → what decides the verdict, as staged, of what is stale and is no gate."""

    @property
    def stale(self) -> list[Row]:
        """The falsifiers that the change made stale."""
        changed = {one.address for one in self.moved if one.after == "STALE"}
        return [row for row in self.rows if row.address in changed]

    @property
    def stale_before(self) -> int:
        """How many of what was touched were stale already."""
        return sum(row.status.name == "STALE" for row in self.rows) - len(self.stale)

    @property
    def broken(self) -> list[Row]:
        """The falsifiers whose evidence says now that they fail, or cannot, or counts by a policy no more."""
        changed = {one.address for one in self.moved if one.after in _BROKEN}
        lowered = {one.address for one in self.moved if one.direction == "demoted"}
        return [
            row for row in self.rows if row.address in changed or (row.status.step and row.address in lowered)
        ]

    @property
    def is_empty(self) -> bool:
        """Whether the change touches nothing of the project, and there is nothing to say."""
        return not (self.scope.touched or self.scope.gone or self.findings or self.notes)

    @property
    def errors(self) -> list[Finding]:
        """The findings that reject."""
        return [finding for finding in self.findings if finding.severity == "error"]


@contextlib.contextmanager
def judged_change(
    repository: Repository,
    tree: Tree,
    prefix: str,
    *,
    named: Sequence[str] = (),
    whole: bool = False,
    tallied: bool = False,
) -> Iterator[Judged]:
    """Judge what the change of `tree` touches in the project in the folder `prefix` of the repository.

    `named` are contracts that are judged even if they did not change; with `whole`, every contract is.
    With `tallied`, the statuses of what is not touched are derived, too.

    Raises
    ------
    ConfigError
        The ``pv.toml`` of the tree cannot be used.
    PolicyError
        A policy that evidence must satisfy cannot be read, at either end.
    SelectionError
        Git does not have what the tree lists.
    """
    settings = tree.entries.get(f"{prefix}/pv.toml" if prefix else "pv.toml")
    stated = next(repository.blobs([settings.blob])) if settings else None
    layout = layout_of(prefix, stated)
    with PartialTree(repository, tree) as view:
        held = held_policies(view, layout, stated)
        scope = find_scope(view, layout, named=named, whole=whole, policies=held.files)
        config = held.at_its_end(_config(view, layout))
        found = _Found(view, scope)
        found.notes += held.notes
        contracts = found.read()
        rest = _rest(view, layout, scope) if tallied else {}
        add_inputs(view, layout, [*contracts.values(), *rest.values()], scope)
        found.judge(contracts, config)
        rows = found.rows(contracts.values())
        untouched = found.rows(rest.values()) if tallied else None
        waived = found.waivers(rows, layout, config)
        inputs = dict(_inputs(rows, found.project.config))
        before = dict(_before(view, layout, scope, found, contracts, held))
        yield Judged(
            scope=scope,
            config=found.project.config,
            findings=tuple(sorted(found.findings, key=lambda one: (one.where, one.code, one.message))),
            rows=tuple(rows),
            moved=tuple(_moved(before, rows)),
            notes=tuple(found.notes),
            before=before,
            untouched=None if untouched is None else tuple(untouched),
            waived=waived,
            inputs=inputs,
        )


class _Found:
    """What is found at one end of the change."""

    def __init__(self, view: PartialTree, scope: Scope) -> None:
        self.view = view
        self.scope = scope
        self.findings: list[Finding] = []
        self.notes = [f"{folder} is evidence of no contract of this project" for folder in scope.orphans]
        self.project = Project(view.top)

    def read(self) -> dict[str, Contract]:
        """Read the contracts that are judged; what is wrong with the shape of one is a finding."""
        contracts: dict[str, Contract] = {}
        for path in self.scope.touched:
            file = self.view.top / path
            try:
                contracts[path] = load_contract(file)
            except NotAContractError as note:
                self._artefact(path, note)
            except ShapeError as error:
                self._take(error.findings)
            except DocumentError as error:
                where = error.where or Location(str(file), 1, 1)
                self._take([Finding(where, error.code, "error", error.what, error.remedy)])
            except PvError as error:
                if path in self.view.present:
                    # A link, say, that leads out of the repository.
                    where = Location(str(file), 1, 1)
                    self._take([Finding(where, "YAML-007", "error", f"not in the tree: {error.what}", _LOST)])
        return contracts

    def _artefact(self, path: str, note: NotAContractError) -> None:
        """Judge what is no contract; a manifest, by the contract of manifests that stands near it."""
        # Imported late: few changes are of such files.
        from pv.artefacts import judge_artefact
        from pv.publish_manifest import places_of_schema

        if note.artefact == "publish manifest":
            top = self.view.top
            near = [place for place in places_of_schema(top / path) if place.is_relative_to(top)]
            self.view.add(place.relative_to(top).as_posix() for place in near)
        found = judge_artefact(note)
        if found is None:
            self.notes.append(f"{path}: {note.what}; it was not checked")
        else:
            self._take(found)

    def judge(self, contracts: Mapping[str, Contract], config: Config) -> None:
        """Judge `contracts` by every rule, those that look at the project included."""
        self.project = _project(config, contracts)
        stems = [contract.stem for contract in contracts.values()]
        for contract in contracts.values():
            self._take(judge(contract))
            if needs_project(contract) or stems.count(contract.stem) > 1:
                # Imported late: a contract that asks nothing of its project need not wait for it.
                from pv.rules.project_rules import judge_in_project

                self._take(judge_in_project(contract, self.project))

    def rows(self, contracts: Iterable[Contract]) -> list[Row]:
        """Derive the status of every falsifier of `contracts`."""
        return [Row(c, f, self.project.status(c, f)) for c in contracts for f in c.falsifiers]

    def waivers(self, rows: Sequence[Row], layout: Layout, config: Config) -> dict[str, str]:
        """Return the waivers of what fails among `rows`; what is wrong with the waivers is a finding."""
        failing = [row for row in rows if row.status.name in _BROKEN]
        if config.waivers is None or not (failing or layout.waivers in self.view.tree.changed):
            return {}
        # Imported late, and all contracts read: what a waiver's id means depends on every one of them.
        from pv.waivers import WaiverError, load_waivers

        paths = [path for path in self.view.tree.entries if layout.is_contract(path)]
        self.view.add(paths)
        everything = [contract for path in paths if (contract := _readable(self.view.top / path))]
        try:
            known = load_waivers(config, contracts=everything)
        except WaiverError as error:
            self._take(error.findings)
            return {}
        except PvError as error:
            self.notes.append(f"the waivers cannot be read: {error.what}")
            return {}
        found = ((row.address, known.of(row.contract, row.falsifier)) for row in failing)
        return {address: waiver.note for address, waiver in found if waiver}

    def _take(self, findings: Iterable[Finding]) -> None:
        top = f"{self.view.top}/"
        for one in findings:
            where = dataclasses.replace(one.where, path=one.where.path.removeprefix(top))
            self.findings.append(dataclasses.replace(one, where=where, message=one.message.replace(top, "")))


def _project(config: Config, contracts: Mapping[str, Contract]) -> Project:
    """Return the project of `contracts`, as its folder has it now, under the policies of `config`."""
    made = Project(config.root, contracts.values())
    made.config = dataclasses.replace(made.config, policies=config.policies)
    return made


def _config(view: PartialTree, layout: Layout) -> Config:
    folder = view.top / layout.prefix if layout.prefix else view.top
    folder.mkdir(parents=True, exist_ok=True)
    return load_config(folder, required=False)


def _inputs(rows: Iterable[Row], config: Config) -> Iterator[tuple[str, Mapping[str, Mapping[str, Any]]]]:
    """Yield what decides the verdict of each stale falsifier that something runs for."""
    for row in rows:
        if row.status.name == "STALE" and not row.falsifier.basis:
            levels = dict.fromkeys((base_level(row.falsifier), *row.falsifier.subjects))
            with contextlib.suppress(PvError):
                found = {level: current_inputs(row.falsifier, level, config).to_json() for level in levels}
                yield row.address, found


def _rest(view: PartialTree, layout: Layout, scope: Scope) -> dict[str, Contract]:
    """Read the contracts that the change does not touch; of those that cannot be read, nothing is told."""
    touched = {*scope.touched}
    paths = [path for path in view.tree.entries if layout.is_contract(path) and path not in touched]
    view.add(paths)
    return {path: contract for path in paths if (contract := _readable(view.top / path))}


def _readable(path: Path) -> Contract | None:
    try:
        return load_contract(path)
    except PvError:
        return None


def _before(
    view: PartialTree,
    layout: Layout,
    scope: Scope,
    found: _Found,
    contracts: Mapping[str, Contract],
    held: Held,
) -> Iterator[tuple[str, str]]:
    """Yield address → status of what was touched, before the change; `view` has that tree afterwards.

    Findings of contracts that the change does not touch themselves are taken out of `found`, where they
    were there before.
    """
    tree = view.tree
    changed = {path for path in tree.changed if not (layout.is_contract(path) or layout.recorded(path))}
    stems = {Path(path).stem for path in (*scope.touched, *scope.gone)}
    changed |= {path for path in tree.changed if (layout.recorded(path) or "") in stems}
    of_before = {path for path in (*scope.touched, *scope.gone, *scope.support) if path in tree.changed}
    bound = any(f.bound or f.excluded for c in contracts.values() for f in c.falsifiers)
    indirect = {*scope.indirect} - {*scope.direct}
    if not bound and not of_before and not any(one.where.path in indirect for one in found.findings):
        return
    view.turn_back([path for path in changed if path in view.present or _counts(view, layout, path)])
    view.turn_back(of_before)
    past = _Found(view, dataclasses.replace(scope, direct=(*scope.direct, *scope.gone)))
    try:
        config = held.at_the_base(_config(view, layout))
    except PvError:
        found.notes.append("pv.toml could not be read before the change: everything counts as new")
        return
    then = past.read()
    add_inputs(view, layout, [*then.values()], scope)
    past.project = _project(config, then)
    if any(one.where.path in indirect for one in found.findings):
        past.judge({path: contract for path, contract in then.items() if path in indirect}, config)
        known = {(one.where.path, one.code, one.message) for one in past.findings}
        found.findings = [
            one
            for one in found.findings
            if one.where.path not in indirect or (one.where.path, one.code, one.message) not in known
        ]
        past.project = _project(config, then)
    for path, contract in then.items():
        if path in contracts:
            found.notes += weakened(contract, contracts[path])
        for falsifier in contract.falsifiers:
            yield f"{contract.stem}#{falsifier.id}", past.project.status(contract, falsifier).name


def _counts(view: PartialTree, layout: Layout, path: str) -> bool:
    """Tell whether a file that was deleted can have decided a status."""
    if view.tree.changed[path].after is not None:
        return False
    return not layout.is_subject(path)


def _moved(before: Mapping[str, str], rows: Sequence[Row]) -> Iterator[Moved]:
    now = {row.address: row for row in rows}
    for address, row in now.items():
        if before.get(address) != row.status.name:
            yield Moved(address, before.get(address), row.status.name, row.status.reason)
    for address in before:
        if address not in now:
            yield Moved(address, before[address], None)
