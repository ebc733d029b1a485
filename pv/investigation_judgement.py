"""What an investigation refers to, looked up: clauses, evidence, and the clause that refutes it."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from pv.config import Config, find_root, load_config
from pv.contract import Contract, Falsifier
from pv.counted_evidence import counted_record
from pv.errors import EvidenceError, Location, SelectionError
from pv.evidence import records_of
from pv.evidence_files import is_record_name
from pv.finding import Finding, Severity
from pv.investigation import (
    FOLDER,
    FRONT_MATTER,
    SHAPE,
    Investigation,
    InvestigationError,
    investigation_files,
    load_investigation,
)
from pv.selection import load_all, place
from pv.status import derive

__all__ = ["CODES", "investigations_of", "judge_investigation", "judge_investigations"]

UNKNOWN = "PV-FINDING-003"
NO_EVIDENCE = "PV-FINDING-004"
ALTERED = "PV-FINDING-005"
WITHDRAWN = "PV-FINDING-006"
FIVE = "PV-FINDING-007"
HYPOTHESIS = "PV-FINDING-008"
TWICE = "PV-FINDING-009"
SHAKY = "PV-FINDING-010"

CODES: Mapping[str, tuple[Severity, str, str]] = MappingProxyType(
    {
        FRONT_MATTER: (
            "error",
            "an investigation has no front matter that can be read",
            "Begin the file with YAML between two lines `---`.",
        ),
        SHAPE: (
            "error",
            "the front matter of an investigation has a wrong, missing or unknown key",
            "docs/how-to/record-an-investigation.md lists every key.",
        ),
        UNKNOWN: (
            "error",
            "an investigation names a falsifier or clause that no contract has, or that several have",
            "Write contract#ID; `pv status` lists them all.",
        ),
        NO_EVIDENCE: (
            "error",
            "an investigation cites evidence that is not there",
            "Name a record below the evidence folder, or a falsifier that has records.",
        ),
        ALTERED: (
            "error",
            "an investigation cites evidence that does not verify",
            "Restore the record from git, or discharge the falsifier again.",
        ),
        WITHDRAWN: (
            "error",
            "an interpretation is withdrawn without the clause that refutes it, or its status says otherwise",
            "Write `status: withdrawn` and `withdrawn: {date, refuted_by, reason}`, or neither.",
        ),
        FIVE: (
            "error",
            "the Five Whys are not five",
            "Write five, or say under five_whys_omitted why there are not.",
        ),
        HYPOTHESIS: (
            "error",
            "a hypothesis is supported or refuted by nothing that is named",
            "Write under `by:` the falsifier, clause or record that shows it.",
        ),
        TWICE: ("error", "two investigations have one id", "Give each an id of its own."),
        SHAKY: (
            "warning",
            "what an investigation rests on, or what refutes it, has no fresh evidence that bears it out",
            "Discharge the falsifier again, and read the interpretation again.",
        ),
    }
)
"""Code → severity, summary, remedy."""

_BORNE_OUT = frozenset({"DISCHARGED", "REFUTED", "FUNCTIONAL", "PARTIAL_ALGORITHM_LEVEL"})


def judge_investigation(
    path: Path, config: Config, contracts: Sequence[Contract] | None = None
) -> list[Finding]:
    """Return what is wrong with the investigation `path`, sorted by place.

    `contracts` are those of the project, where the caller has them already.

    Raises
    ------
    PvError
        The contracts of the project cannot be read: nothing can be looked up.
    """
    try:
        investigation = load_investigation(path)
    except InvestigationError as error:
        return [_shown(finding, config) for finding in error.findings]
    judge = _Judge(investigation, load_all(config) if contracts is None else contracts, config)
    found = [
        *judge.falsifiers(),
        *judge.evidence(),
        *judge.whys(),
        *judge.hypotheses(),
        *judge.withdrawal(),
        *_twice(investigation, path, config),
    ]
    found = [_shown(finding, config) for finding in found]
    return sorted(found, key=lambda finding: (finding.where, finding.code, finding.message))


def judge_investigations(words: Sequence[str]) -> tuple[list[Finding], int]:
    """Judge the files and folders `words`; return what is wrong, and how many investigations there are.

    Raises
    ------
    SelectionError
        One is not there, or holds no investigation.
    PvError
        A project or its contracts cannot be read.
    """
    files: dict[Path, Path] = {}
    for word in words:
        path = Path(word)
        found = investigation_files(path) if path.is_dir() else [path]
        if not found or not all(os.path.lexists(file) for file in found):
            raise SelectionError(f"there is no investigation {word}", remedy=f"name a *.md file of {FOLDER}/")
        files |= {file.resolve(): file for file in found}
    configs: dict[Path | None, tuple[Config, list[Contract]]] = {}
    findings = []
    for file in files.values():
        root = find_root(file.parent)
        if root not in configs:
            config = load_config(file.parent)
            configs[root] = (config, load_all(config))
        config, contracts = configs[root]
        findings += judge_investigation(file, config, contracts)
    return findings, len(files)


def investigations_of(contract: Contract, falsifier: Falsifier, config: Config) -> list[Investigation]:
    """Return the investigations of the project that name a falsifier; those that cannot be read name none."""
    names = {falsifier.id, *falsifier.aliases}
    names |= {f"{contract.stem}#{name}" for name in names}
    found = []
    for path in investigation_files(config.root):
        try:
            investigation = load_investigation(path)
        except InvestigationError:
            continue
        if names & set(investigation.falsifiers):
            found.append(dataclasses.replace(investigation, path=config.relative(path)))
    return sorted(found, key=lambda one: (one.date, one.id))


class _Judge:
    def __init__(self, investigation: Investigation, contracts: Sequence[Contract], config: Config) -> None:
        self.its = investigation
        self.contracts = contracts
        self.config = config

    def falsifiers(self) -> Iterator[Finding]:
        for index, name in enumerate(self.its.falsifiers):
            where = self.its.where("falsifiers", index)
            found = self._falsifiers_named(name)
            if len(found) != 1:
                yield _finding(where, UNKNOWN, _not_one(name, "falsifier", [c.stem for c, _ in found]))
                continue
            status = derive(*found[0], self.config)
            if status.name == "STALE" and self.its.status != "withdrawn":
                yield _finding(where, SHAKY, f"the evidence of {name} is stale: {status.reason}")

    def evidence(self) -> Iterator[Finding]:
        for index, name in enumerate(self.its.evidence):
            where = self.its.where("evidence", index)
            paths = self._records_named(name)
            if not paths:
                yield _finding(where, NO_EVIDENCE, f"there is no evidence {name}")
            for path in paths:
                try:
                    counted_record(path, self.config)
                except EvidenceError as error:
                    yield _finding(where, ALTERED, f"{name} does not verify: {error.what}")

    def whys(self) -> Iterator[Finding]:
        count, omitted = len(self.its.five_whys), self.its.five_whys_omitted
        if count != 5 and omitted is None:
            yield _finding(
                self.its.where("five_whys"), FIVE, f"{count} of five whys, and five_whys_omitted is missing"
            )
        if count == 5 and omitted is not None:
            yield _finding(
                self.its.where("five_whys_omitted"), FIVE, "it says why there are no five whys, yet there are"
            )

    def hypotheses(self) -> Iterator[Finding]:
        for index, hypothesis in enumerate(self.its.hypotheses):
            where = self.its.where("hypotheses", index, "by")
            if hypothesis.by is None:
                if hypothesis.status != "proposed":
                    yield _finding(where, HYPOTHESIS, f"it is {hypothesis.status}, but by what?")
            elif not self._records_named(hypothesis.by) and (why := self._no_clause(hypothesis.by)):
                yield _finding(where, HYPOTHESIS, f"{why}, nor a record")

    def withdrawal(self) -> Iterator[Finding]:
        withdrawn = self.its.withdrawn
        if withdrawn is None:
            if self.its.status == "withdrawn":
                yield _finding(
                    self.its.where("status"), WITHDRAWN, "it is withdrawn, but `withdrawn:` is missing"
                )
            return
        if self.its.status != "withdrawn":
            yield _finding(
                self.its.where("status"), WITHDRAWN, f"its status is {self.its.status}, yet it was withdrawn"
            )
        where = self.its.where("withdrawn", "refuted_by")
        if withdrawn.date < self.its.date:
            yield _finding(
                self.its.where("withdrawn", "date"), WITHDRAWN, "it was withdrawn before it was made"
            )
        if not withdrawn.refuted_by:
            yield _finding(where, WITHDRAWN, "refuted_by is missing: which clause refutes it?")
        elif why := self._no_clause(withdrawn.refuted_by):
            yield _finding(where, UNKNOWN, why)
        elif not self._borne_out(withdrawn.refuted_by):
            yield _finding(where, SHAKY, f"no fresh evidence bears {withdrawn.refuted_by} out")

    def _falsifiers_named(self, name: str) -> list[tuple[Contract, Falsifier]]:
        stem, _, identifier = name.rpartition("#")
        return [
            (contract, falsifier)
            for contract in self.contracts
            if stem in {"", contract.stem}
            for falsifier in contract.falsifiers
            if identifier in {falsifier.id, *falsifier.aliases}
        ]

    def _obligations_named(self, name: str) -> list[Contract]:
        stem, _, identifier = name.rpartition("#")
        return [
            contract
            for contract in self.contracts
            if stem in {"", contract.stem} and identifier in {o.id for o in contract.obligations}
        ]

    def _no_clause(self, name: str) -> str:
        """Say why `name` is not one falsifier or obligation; empty if it is."""
        stems = [contract.stem for contract, _ in self._falsifiers_named(name)]
        stems += [contract.stem for contract in self._obligations_named(name)]
        return "" if len(stems) == 1 else _not_one(name, "falsifier or obligation", stems)

    def _borne_out(self, name: str) -> bool:
        falsifiers = self._falsifiers_named(name)
        if not falsifiers:
            identifier = name.rpartition("#")[2]
            falsifiers = [
                (contract, falsifier)
                for contract in self._obligations_named(name)
                for falsifier in contract.falsifiers
                if identifier in falsifier.covers
            ]
        return any(derive(contract, f, self.config).name in _BORNE_OUT for contract, f in falsifiers)

    def _records_named(self, name: str) -> list[Path]:
        """Return the record file `name`, or all records of the falsifier `name`; empty if there is none."""
        if name.endswith(".json"):
            path = self.config.root / name
            inside = path.resolve().is_relative_to(self.config.evidence.resolve())
            plain = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
            record = is_record_name(path.name)
            return [path] if inside and plain and record and path.is_file() else []
        found = self._falsifiers_named(name)
        if len(found) != 1:
            return []
        contract, falsifier = found[0]
        return records_of(self.config.evidence, contract.stem, falsifier.id)


def _not_one(name: str, what: str, stems: Sequence[str]) -> str:
    if not stems:
        return f"{name} is no {what} of this project"
    return f"{name} is not unique: it is in {', '.join(stems)}"


def _twice(investigation: Investigation, path: Path, config: Config) -> Iterator[Finding]:
    here = path.resolve()
    for other in investigation_files(config.root):
        if other.resolve() == here:
            continue
        stamp = other.stat()
        if _id_of(other, stamp.st_mtime_ns, stamp.st_size, stamp.st_ino) == investigation.id:
            message = f"{config.relative(other)} has the id {investigation.id}, too"
            yield _finding(investigation.where("id"), TWICE, message)


def _shown(finding: Finding, config: Config) -> Finding:
    return dataclasses.replace(finding, where=place(finding.where, config))


@functools.lru_cache(maxsize=4096)
def _id_of(path: Path, _modified: int, _size: int, _inode: int) -> str | None:
    """Return the id of an investigation, read once; None where it cannot be read."""
    try:
        return load_investigation(path).id
    except InvestigationError:
        return None


def _finding(where: Location, code: str, message: str) -> Finding:
    severity, _, remedy = CODES[code]
    return Finding(where, code, severity, message, remedy)
