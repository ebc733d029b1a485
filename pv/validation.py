"""From files to findings: the shape and the rules of contracts, each by itself and in its project."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.examined import Asks, Examined, examine, pack, unpack
from pv.finding import Finding
from pv.shared_work import share

if TYPE_CHECKING:
    from pv.project import Project

__all__ = ["Validation", "validate"]


@dataclasses.dataclass(frozen=True)
class Validation:
    """What was found, unsorted, and in what: `files`; `judged` is kind of file → how many of it."""

    findings: list[Finding]
    files: list[Path]
    judged: Mapping[str, int]
    _of_shape: Sequence[Examined] = ()

    def contracts(self) -> list[Contract]:
        """Return those that have the shape of a contract."""
        return [one.contract() for one in self._of_shape]


def validate(found: Mapping[str, Path], note: Callable[[str], None]) -> Validation:
    """Validate the files `found`, by their absolute path without links, in order.

    Parameters
    ----------
    found
        See :func:`pv.repository.resolved_contracts`.
    note
        Is told of each file that is no contract, and why it was not checked.

    Raises
    ------
    SelectionError
        A file cannot be read.
    ConfigError
        The ``pv.toml`` of a project cannot be read.
    """
    paths = [*found.values()]
    findings: list[Finding] = []
    files: list[Path] = []
    judged: Counter[str] = Counter()
    contracts: dict[str, Examined] = {}
    examined = share(
        len(paths),
        lambda number: examine(paths[number]),
        pack,
        lambda number, packed: unpack(paths[number], packed),
    )
    for resolved, path, one in zip(found, paths, examined, strict=True):
        if one.note:
            note(f"{path}: note: {one.note}; it was not checked")
            continue
        files.append(path)
        judged[one.noun] += 1
        findings += one.findings
        if one.is_contract:
            contracts[resolved] = one
    findings += _in_projects(contracts)
    return Validation(findings, files, judged, [*contracts.values()])


def _in_projects(contracts: Mapping[str, Examined]) -> Iterable[Finding]:
    """Yield what must be said of `contracts` in their projects: of checks, subjects, evidence, each other."""
    stems = Counter(one.stem for one in contracts.values())
    asking = [
        (resolved, one, "everything" if stems[one.stem] > 1 else one.asks)
        for resolved, one in contracts.items()
        if one.asks != "nothing" or stems[one.stem] > 1
    ]
    if not asking:
        return
    # Imported late: evidence and configuration are of no use to a contract that asks nothing of them, and
    # most rules are of none to one that names files and is otherwise somebody else's.
    from pv.config import find_root
    from pv.gathered_contracts import GatheredContracts
    from pv.project import Project

    gathered = GatheredContracts(contracts.items())
    projects: dict[Path, Project] = {}
    of_folder: dict[str, Project] = {}
    for resolved, one, asks in asking:
        folder = os.path.dirname(resolved)  # noqa: PTH120  (of thousands)
        if folder not in of_folder:
            root = find_root(Path(folder)) or Path(folder)
            of_folder[folder] = projects.setdefault(root, Project(root, gathered))
        yield from _judge(one.contract(), of_folder[folder], asks)


def _judge(contract: Contract, project: Project, asks: Asks) -> Iterable[Finding]:
    if asks == "files":
        from pv.rules.dangling import dangling

        return dangling.check(contract, project)
    from pv.rules.project_rules import judge_in_project

    return judge_in_project(contract, project)
