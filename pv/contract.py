"""A contract as the engine sees it: typed, frozen, each part knowing where it stands in its file."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pv.document import Document, load
from pv.errors import ContractError, Location
from pv.finding import FindingsError
from pv.needs import Needs

__all__ = [
    "LEVELS",
    "SPELLINGS",
    "Cited",
    "Clause",
    "Contract",
    "Equation",
    "Falsifier",
    "Harness",
    "Hypothesis",
    "Level",
    "NotAContractError",
    "Obligation",
    "QaGate",
    "Replacement",
    "Runs",
    "ShapeError",
    "load_contract",
]

Level = Literal["algorithm", "functional", "live"]
LEVELS: tuple[Level, ...] = ("algorithm", "functional", "live")
"""Lowest first."""


class ShapeError(FindingsError, ContractError):
    """A document does not have the shape of a contract, or of another artefact that it is."""


class NotAContractError(ContractError):
    """The document is another kind of artefact, which `artefact` names; that is no fault of it.

    `document` is there where the artefact has rules of its own (:func:`pv.artefacts.judge_artefact`).
    """

    def __init__(self, artefact: str, where: Location, document: Document | None = None) -> None:
        article = "an" if artefact[0] in "aeiou" else "a"
        what = f"this is {article} {artefact}, not a contract"
        super().__init__(what, where=where, remedy="Name a contract.")
        self.artefact = artefact
        self.document = document


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clause:
    """A part of a contract: the mapping as written, and where it stands."""

    raw: Mapping[str, Any]
    path: tuple[str | int, ...] = dataclasses.field(compare=False)
    document: Document = dataclasses.field(repr=False, compare=False)

    @property
    def where(self) -> Location:
        """Where the clause begins."""
        return self.document.where(*self.path)

    def key_where(self, name: str) -> Location:
        """Where the key `name` stands, under whichever spelling; else where the clause's own key does."""
        return self.document.where_key(*self.path, self._spelling(name))

    def value_where(self, name: str, *rest: str | int) -> Location:
        """Where the value of `name`, or a part of that value, stands; else where the clause does."""
        return self.document.where(*self.path, self._spelling(name), *rest)

    def _spelling(self, name: str) -> str:
        return next((key for key in SPELLINGS.get(name, ()) if key in self.raw), name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Equation(Clause):
    """One of ``equations``; `name` is its key, its id in a list, or ``equation_N``."""

    name: str
    formula: str
    domain: str | None
    codomain: str | None
    invariants: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Obligation(Clause):
    """One of ``proof_obligations``."""

    id: str | None
    type: str
    property: str
    formal: str | None
    tolerance: float | None
    applies_to: str | None
    requires: str | None
    applies_to_phase: str | None
    parent_contract: str | None
    not_applicable: bool
    """``applies_to: not_applicable``, or the key of that name, which only we have."""
    na_reason: str | None
    na_owner: str | None
    proved: bool
    """Its ``lean`` block says proved."""
    exhaustive: bool
    """The check that covers it enumerates the whole domain."""

    def where_set_aside(self) -> Location:
        """Return where it says that it does not apply, under whichever key."""
        return self.key_where("not_applicable" if self.raw.get("not_applicable") else "applies_to")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hypothesis(Clause):
    """One of ``hypotheses``: what might explain a defect. Its state is derived (:mod:`pv.hypotheses`).

    `predicts` is falsifier → the verdict that would be seen if the hypothesis were so.
    """

    id: str
    statement: str
    predicts: Mapping[str, Literal["Pass", "Fail"]]
    then: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Harness(Clause):
    """One of ``kani_harnesses``."""

    id: str
    obligation: str
    bound: int | None
    strategy: str | None
    harness: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class QaGate(Clause):
    """``qa_gate``."""

    id: str
    name: str
    checks: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Replacement:
    """A counter-example of a ``pytest:`` or ``command:`` check: what it puts in the place of what.

    `subjects` is role → path; `modules` is path of a module → path of the one that takes its place;
    `arguments` are the words after the program, or after the test's name.
    """

    subjects: Mapping[str, str]
    environment: Mapping[str, str]
    modules: Mapping[str, str]
    arguments: tuple[str, ...] | None


@dataclasses.dataclass(frozen=True)
class Runs:
    """A claim over several runs, told apart `by` seed, UTC day or host; `at_least` so many are needed."""

    by: Literal["seed", "day", "host"]
    at_least: int
    seeds: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Cited:
    """One metric of another falsifier's evidence, at `level`, or at the highest that it was judged at."""

    falsifier: str
    metric: str
    level: Level | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Falsifier(Clause):
    """One of ``falsification_tests``.

    At most one of `check`, `pytest`, `command`, `stated_property` and `basis` is set; without, it is unbound.
    `stated_property` is its ``property:``, with every default (:mod:`pv.properties.stated`).
    `subjects` is level → role → subject; `expect` and `needs` have levels, or ``"*"`` for all, as keys.
    `retries` is how often a sweep may run it again where it ended in Error; a verdict is never sought again.
    `bound_to` is what of its host a record of it is good for: ``gpu``, ``driver``, or a library.
    `counter_examples` are names; for ``pytest:`` and ``command:`` checks, `replacements` says what they are.
    `must_detect` is way to do damage → the smallest amount that the rule may not miss (:mod:`pv.dosing`).
    """

    id: str
    rule: str
    prediction: str
    if_fails: str
    test: str | None
    covers: tuple[str, ...]
    aliases: tuple[str, ...]
    check: str | None
    pytest: str | None
    command: tuple[str, ...] | None
    stated_property: Mapping[str, Any] | None
    arguments: Mapping[str, Any]
    subjects: Mapping[str, Mapping[str, str]]
    expect: Mapping[str, tuple[str, ...]]
    metrics: tuple[Mapping[str, Any], ...]
    counter_examples: tuple[str, ...] | None
    replacements: Mapping[str, Replacement]
    must_detect: Mapping[str, int | float]
    environment: Mapping[str, str]
    sources: tuple[str, ...]
    basis: Mapping[str, Cited]
    blocks: tuple[str, ...]
    blocked_by: tuple[str, ...]
    model: str | None
    needs: Mapping[str, Needs]
    ship_blocking: bool
    discharge_status: str | None
    outcome: Literal["holds", "refuted"]
    satisfying_example: Mapping[str, Any] | None
    excluded: str | None
    runs: Runs | None
    retries: int
    bound_to: tuple[str, ...]

    @property
    def bound(self) -> bool:
        """Whether something is bound to it: a check, a test, a command, a property, or evidence of others."""
        return bool(self.check or self.pytest or self.command or self.stated_property or self.basis)

    def expectations(self, level: str) -> tuple[str, ...]:
        """Return the lines that must all hold at `level`; empty where the contract has none."""
        return self.expect.get(level, self.expect.get("*", ()))

    def needs_at(self, level: str) -> Needs:
        """Return what a run at `level` needs."""
        return self.needs.get(level, self.needs.get("*", Needs()))

    def expectation_where(self, level: str, index: int) -> Location:
        """Where line `index` of the expectations at `level` stands."""
        within = () if isinstance(self.raw.get("expect"), list) else (level,)
        return self.value_where("expect", *within, index)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contract:
    """A contract of the right shape, which is not yet to say a valid one (see :mod:`pv.rules`).

    `path` is as given; `stem` is the file's name without its ending, by which contracts refer to
    each other. `kind` is the effective one: ``registry: true`` makes a kernel a registry.
    """

    path: str
    stem: str
    version: str
    kind: str
    kind_declared: bool
    registry: bool
    model: str | None
    references: tuple[str, ...]
    depends_on: tuple[str, ...]
    metadata: Mapping[str, Any]
    equations: tuple[Equation, ...]
    obligations: tuple[Obligation, ...]
    falsifiers: tuple[Falsifier, ...]
    hypotheses: tuple[Hypothesis, ...]
    kani: tuple[Harness, ...]
    qa_gate: QaGate | None
    document: Document = dataclasses.field(repr=False, compare=False)

    @functools.cached_property
    def uses_our_fields(self) -> bool:
        """Whether a falsifier says how it is measured or judged: only we have such keys."""
        return any(f.bound or f.expect or f.subjects for f in self.falsifiers)

    @property
    def is_kernel(self) -> bool:
        """Whether the rules for kernels apply."""
        return self.kind == "kernel"


SPELLINGS: Mapping[str, tuple[str, str]] = {
    "rule": ("rule", "description"),
    "prediction": ("prediction", "expected"),
    "if_fails": ("if_fails", "fails_if"),
    "property": ("property", "statement"),
    "formal": ("formal", "verification"),
}
"""Canonical key → the spellings under which contracts have it."""


def load_contract(path: str | Path) -> Contract:
    """Read and type the contract `path`; nothing that it names is run or imported.

    Raises
    ------
    SelectionError
        There is no such file.
    DocumentError
        It is not a YAML document that we accept.
    ShapeError
        It does not have the shape of a contract; the error carries every problem.
    NotAContractError
        It is another artefact that we know: a binding registry, say, or a publish manifest.
    """
    # Imported late: pydantic is most of the start-up time.
    from pv.shape import build

    return build(load(Path(path)))
