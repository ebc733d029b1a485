"""The shape of a contract's YAML, at the edge: what the Rust ``pv`` accepts, and what we add.

Unknown keys are kept. Types are strict: text is never made from a number (``1.10`` would become 1.1).
Built late and few, since start-up counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from pv.contract import SPELLINGS
from pv.needs import gpu_requirement, memory_bytes, seconds

__all__ = ["ContractModel", "FalsifierModel", "NeedsModel", "equation_name"]

Level = Literal["algorithm", "functional", "live"]
LevelOrAll = Literal["algorithm", "functional", "live", "*"]
Kind = Literal[
    "kernel", "registry", "model-family", "model-family-variant", "tokenizer", "training-loop",
    "pretraining-corpus", "training-precondition-gate", "corpus-assembly", "pattern", "schema",
    "beat-benchmark", "kaizen",
]  # fmt: skip
ObligationType = Literal[
    "invariant", "equivalence", "bound", "monotonicity", "idempotency", "linearity", "symmetry",
    "associativity", "conservation", "ordering", "completeness", "soundness", "involution", "determinism",
    "roundtrip", "state_machine", "classification", "independence", "termination", "safety", "liveness",
    "precondition", "postcondition", "frame", "loop_invariant", "loop_variant", "old_state", "subcontract",
]  # fmt: skip


def _alias(name: str, default: Any = "") -> Any:
    return Field(default=default, validation_alias=AliasChoices(*SPELLINGS[name]))


def _identifier(text: str) -> str:
    # Identifiers name folders of evidence and stand in addresses (contract#ID).
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", text, re.ASCII):
        raise ValueError("expected an identifier of letters, digits and . _ : - (at most 128)")
    return text


def _entry_point(text: str) -> str:
    module, _, function = text.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise ValueError("expected package.module:function")
    return text


def _command(value: Any) -> Any:
    is_argv = isinstance(value, list) and value and all(isinstance(item, str) for item in value)
    if not (is_argv or value is None or isinstance(value, str)):
        raise ValueError("expected a list of arguments (a check), or text (a note on the test)")
    return value


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    def check(text: str) -> str:
        parse(text)
        return text

    return check


def _by_level(value: Any) -> Any:
    return value if isinstance(value, dict) else {"*": value}


def _needs_by_level(value: Any) -> Any:
    levels = {"algorithm", "functional", "live"}
    return value if isinstance(value, dict) and value and levels.issuperset(value) else {"*": value}


def equation_name(item: Any, index: int) -> str:
    """Return the name of the equation at `index` of a list: its ``id``, or else ``equation_N``."""
    name = item.get("id") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name else f"equation_{index}"


def _named(value: Any) -> Any:
    if not isinstance(value, list):
        return {} if value is None else value
    named = {equation_name(item, index): item for index, item in enumerate(value)}
    if len(named) < len(value):
        raise ValueError("two equations have one id")
    return named


Identifier = Annotated[str, AfterValidator(_identifier)]
Count = Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, defer_build=True, protected_namespaces=())


class MetadataModel(_Model):
    """``metadata``."""

    version: str
    description: str
    created: str | None = None
    author: str | None = None
    references: list[str] = []
    depends_on: list[str] = []
    registry: bool = False
    kind: Kind | None = None
    enforcement_level: Literal["basic", "standard", "strict", "proven"] | None = None
    locked_level: str | None = None
    competitor: str | None = None
    demand_score: int | None = None
    intake_status: Literal["missing", "partial", "supported", "unclear"] | None = None


class EquationModel(_Model):
    """One of ``equations``."""

    formula: str = ""
    domain: str | None = None
    codomain: str | None = None
    invariants: list[str] = []
    preconditions: list[str] = []
    postconditions: list[str] = []
    lean_theorem: str | None = None
    float_tolerance: Annotated[float, Field(ge=0)] | None = None


class LeanModel(_Model):
    """``lean`` of a proof obligation."""

    theorem: str
    module: str | None = None
    status: Literal["proved", "sorry", "wip", "not-applicable"] = "sorry"
    depends_on: list[str] = []
    mathlib_imports: list[str] = []
    notes: str | None = None


class ObligationModel(_Model):
    """One of ``proof_obligations``."""

    id: str | None = None
    type: ObligationType = "invariant"
    property: str = _alias("property")
    formal: str | None = _alias("formal", None)
    tolerance: Annotated[float, Field(ge=0)] | None = None
    applies_to: str | None = None
    requires: str | None = None
    applies_to_phase: str | None = None
    parent_contract: str | None = None
    na_reason: str | None = None
    na_owner: str | None = None
    lean: LeanModel | None = None


class NeedsModel(_Model):
    """What a run needs; nothing else may stand here."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    memory: Annotated[str, AfterValidator(_checked(memory_bytes))] | None = None
    timeout: Annotated[str, AfterValidator(_checked(seconds))] | None = None
    gpu: Annotated[str, AfterValidator(_checked(gpu_requirement))] | None = None


class SatisfyingExampleModel(_Model):
    """What to change so that a refuted claim holds; nothing else may stand here."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    with_: dict[str, Any] = Field(default={}, alias="with")
    subjects: dict[str, str] = {}


class FalsifierModel(_Model):
    """One of ``falsification_tests``."""

    id: Identifier
    rule: str = _alias("rule")
    prediction: str = _alias("prediction")
    if_fails: str = _alias("if_fails")
    test: str | None = None
    test_harness: str | None = None
    name: str | None = None
    # What we add.
    command: Annotated[Any, AfterValidator(_command)] = None
    check: Annotated[str, AfterValidator(_entry_point)] | None = None
    pytest: str | None = None
    with_: dict[str, Any] = Field(default={}, alias="with")
    subjects: dict[Level, dict[str, str]] = {}
    expect: Annotated[
        dict[LevelOrAll, Annotated[list[str], Field(min_length=1)]], BeforeValidator(_by_level)
    ] = {}  # fmt: skip
    metrics: list[dict[str, Any]] = []
    counter_examples: list[str] | None = None
    needs: Annotated[dict[LevelOrAll, NeedsModel], BeforeValidator(_needs_by_level)] = {}
    covers: list[str] = []
    aliases: list[Identifier] = []
    ship_blocking: bool = False
    discharge_status: str | None = None
    outcome: Literal["holds", "refuted"] = "holds"
    satisfying_example: SatisfyingExampleModel | None = None
    excluded: Annotated[str, Field(min_length=1)] | None = None
    runs: Any = None


class HarnessModel(_Model):
    """One of ``kani_harnesses``."""

    id: str
    obligation: str
    property: str | None = None
    bound: Count | None = None
    strategy: Literal["exhaustive", "stub_float", "compositional", "bounded_int"] | None = None
    solver: str | None = None
    harness: str | None = None
    actually_verified: bool = False


class QaGateModel(_Model):
    """``qa_gate``."""

    id: str = ""
    name: str = ""
    description: str | None = None
    checks: list[str] = []
    pass_criteria: str | None = None
    falsification: str | None = None


class PhaseModel(_Model):
    """One of ``kernel_structure.phases``."""

    name: str
    description: str
    invariant: str | None = None


class KernelStructureModel(_Model):
    """``kernel_structure``."""

    phases: list[PhaseModel] = []


class EnforcementModel(_Model):
    """One of ``enforcement``."""

    description: str
    check: str | None = None
    severity: str | None = None
    reference: str | None = None


class VerificationSummaryModel(_Model):
    """``verification_summary``: counts that the Rust ``pv`` lets people type."""

    total_obligations: Count
    l2_property_tested: Count | None = None
    l3_kani_proved: Count | None = None
    l4_lean_proved: Count | None = None
    l4_sorry_count: Count | None = None
    l4_not_applicable: Count | None = None


class ContractModel(_Model):
    """A whole contract."""

    metadata: MetadataModel
    equations: Annotated[dict[str, EquationModel], BeforeValidator(_named)] = {}
    proof_obligations: list[ObligationModel] = []
    falsification_tests: list[FalsifierModel] = []
    kani_harnesses: list[HarnessModel] = []
    qa_gate: QaGateModel | None = None
    kernel_structure: KernelStructureModel | None = None
    simd_dispatch: dict[str, dict[str, str]] | None = None
    enforcement: dict[str, EnforcementModel] | None = None
    verification_summary: VerificationSummaryModel | None = None
