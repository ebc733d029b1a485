"""The shape of a contract's YAML, at the edge: what the Rust ``pv`` accepts, and what we add.

Unknown keys are kept. Types are strict: text is never made from a number (``1.10`` would become 1.1).

Written for pydantic's core, without its classes: those take 130 ms to import and build, and a hook that
checks one file runs for 80 ms in all.
"""

from __future__ import annotations

import functools
from typing import Any

from pydantic_core import SchemaValidator
from pydantic_core import core_schema as core

from pv.contract import LEVELS
from pv.needs import gpu_requirement, memory_bytes, module_name, seconds
from pv.schema_blocks import BLOCKS
from pv.schema_property import PROPERTY_OR_NOTE
from pv.schema_types import (
    AMOUNT,
    ANYTHING,
    COUNT,
    NOT_NEGATIVE,
    OPTIONAL_COUNT,
    OPTIONAL_TEXT,
    TEXT,
    TEXTS,
    TRUTH,
    default,
    mapping,
    matching,
    one_of,
    optional,
    rewritten,
)
from pv.schema_values import command, entry_point, identifier, runs

__all__ = ["CONTRACT", "equation_name", "validator"]

KINDS = """
kernel registry model-family model-family-variant tokenizer training-loop pretraining-corpus
training-precondition-gate corpus-assembly pattern schema beat-benchmark kaizen competitive-parity
""".split()  # noqa: SIM905  (one word a line would fill the page)
OBLIGATION_TYPES = """
invariant equivalence bound monotonicity idempotency linearity symmetry associativity conservation ordering
completeness soundness involution determinism roundtrip state_machine classification independence termination
safety liveness precondition postcondition frame loop_invariant loop_variant old_state subcontract
""".split()  # noqa: SIM905


@functools.cache
def validator() -> SchemaValidator:
    """Return the validator of a whole contract, to be called strictly; it fills in every default."""
    return SchemaValidator(CONTRACT)


def equation_name(item: Any, index: int) -> str:
    """Return the name of the equation at `index` of a list: its ``id``, or else ``equation_N``."""
    name = item.get("id") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name else f"equation_{index}"


def _by_level(value: Any) -> Any:
    return value if isinstance(value, dict) else {"*": value}


def _needs_by_level(value: Any) -> Any:
    return value if isinstance(value, dict) and value and set(LEVELS).issuperset(value) else {"*": value}


def _form(value: Any) -> str:
    """Return which of two forms a value has, in brackets: it stands in places of errors, among keys."""
    return "[mapping]" if isinstance(value, dict) else "[list]"


def _change_form(value: Any) -> str:
    return _form(value) if isinstance(value, (dict, list)) else "[text]"


def _named(value: Any) -> Any:
    if not isinstance(value, list):
        return {} if value is None else value
    named = {equation_name(item, index): item for index, item in enumerate(value)}
    if len(named) < len(value):
        raise ValueError("two equations have one id")
    return named


LEVEL = one_of(*LEVELS)
LEVEL_OR_ALL = one_of(*LEVELS, "*")
IDENTIFIER = matching(identifier, "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")
ENTRY_POINT = matching(entry_point, r"^[^\s:]+:[^\s:.]+$")
_NUMBER = "^[0-9]{1,9}([.][0-9]{1,9})? ?"
MEMORY = matching(memory_bytes, _NUMBER + "(B|[kMGT]B|[KMGT]iB)$")
TIME = matching(seconds, _NUMBER + "(s|min|h)$")
GPU = matching(gpu_requirement, "^(any|(>=|==) ?[0-9]{1,2}[.][0-9])$")
MODULE = matching(module_name, "^[A-Za-z_][A-Za-z0-9_]{0,127}$")
CHANGE = core.tagged_union_schema(
    {"[text]": TEXT, "[list]": core.list_schema(ANYTHING), "[mapping]": core.dict_schema(TEXT, ANYTHING)},
    discriminator=_change_form,
)
CHANGELOG = core.tagged_union_schema(
    {"[list]": core.list_schema(CHANGE), "[mapping]": core.dict_schema(TEXT, CHANGE)}, discriminator=_form
)
LINES = core.list_schema(TEXT, min_length=1)
COMMAND = core.no_info_plain_validator_function(command, metadata={"written": (OPTIONAL_TEXT, LINES)})

METADATA = mapping(
    "metadata",
    {
        "version": TEXT,
        "description": TEXT,
        "created": default(None, OPTIONAL_TEXT),
        "author": default(None, OPTIONAL_TEXT),
        "references": default([], TEXTS),
        "depends_on": default([], TEXTS),
        "status": default(None, OPTIONAL_TEXT),
        "updated": default(None, OPTIONAL_TEXT),
        "changelog": optional(CHANGELOG),
        "registry": default(False, TRUTH),
        "kind": optional(one_of(*KINDS)),
        "enforcement_level": optional(one_of("basic", "standard", "strict", "proven")),
        "locked_level": default(None, OPTIONAL_TEXT),
        "competitor": default(None, OPTIONAL_TEXT),
        "model": default(None, OPTIONAL_TEXT),
        "demand_score": optional(core.int_schema()),
        "intake_status": optional(one_of("missing", "partial", "supported", "unclear")),
    },
)
EQUATION = mapping(
    "equation",
    {
        "formula": default("", TEXT),
        "domain": default(None, OPTIONAL_TEXT),
        "codomain": default(None, OPTIONAL_TEXT),
        "invariants": default([], TEXTS),
        "preconditions": default([], TEXTS),
        "postconditions": default([], TEXTS),
        "lean_theorem": default(None, OPTIONAL_TEXT),
        "float_tolerance": default(None, NOT_NEGATIVE),
        "assumes": default(None, ANYTHING),
        "guarantees": default(None, ANYTHING),
    },
)
EQUATIONS = core.dict_schema(TEXT, EQUATION)
LEAN = mapping(
    "lean",
    {
        "theorem": TEXT,
        "module": default(None, OPTIONAL_TEXT),
        "status": default("sorry", one_of("proved", "sorry", "wip", "not-applicable")),
        "depends_on": default([], TEXTS),
        "mathlib_imports": default([], TEXTS),
        "notes": default(None, OPTIONAL_TEXT),
    },
)
OBLIGATION = mapping(
    "obligation",
    {
        "id": default(None, OPTIONAL_TEXT),
        "type": default("invariant", one_of(*OBLIGATION_TYPES)),
        "property": default("", TEXT),
        "formal": default(None, OPTIONAL_TEXT),
        "tolerance": default(None, NOT_NEGATIVE),
        "applies_to": default(None, OPTIONAL_TEXT),
        "requires": default(None, OPTIONAL_TEXT),
        "applies_to_phase": default(None, OPTIONAL_TEXT),
        "parent_contract": default(None, OPTIONAL_TEXT),
        "not_applicable": default(False, TRUTH),
        "na_reason": default(None, OPTIONAL_TEXT),
        "na_owner": default(None, OPTIONAL_TEXT),
        "lean": optional(LEAN),
        # What we add.
        "exhaustive": default(False, TRUTH),
    },
    spelled=("property", "formal"),
)
NEEDS = mapping(
    "needs",
    {
        "memory": optional(MEMORY),
        "timeout": optional(TIME),
        "gpu": optional(GPU),
        "modules": default([], core.list_schema(MODULE)),
        "network": default(False, TRUTH),
    },
    closed=True,
)
NEEDS_BY_LEVEL = core.dict_schema(LEVEL, NEEDS)
SATISFYING_EXAMPLE = mapping(
    "satisfying_example",
    {
        "with": default({}, core.dict_schema(TEXT)),
        "subjects": default({}, core.dict_schema(TEXT, TEXT)),
    },
    closed=True,
)
REPLACEMENT = mapping(
    "replacement",
    {
        "subjects": default({}, core.dict_schema(TEXT, TEXT)),
        "environment": default({}, core.dict_schema(TEXT, TEXT)),
        "modules": default({}, core.dict_schema(TEXT, TEXT)),
        "arguments": optional(TEXTS),
    },
    closed=True,
)
RUNS = mapping(
    "runs",
    {
        "by": one_of("seed", "day", "host"),
        "at_least": optional(core.int_schema(ge=2)),
        "seeds": default([], core.list_schema(COUNT)),
    },
    closed=True,
)
CITED = mapping(
    "cited",
    {"falsifier": TEXT, "metric": TEXT, "level": optional(LEVEL)},
    closed=True,
)
EXPECT = core.dict_schema(LEVEL_OR_ALL, LINES)
FALSIFIER = mapping(
    "falsifier",
    {
        "id": IDENTIFIER,
        "rule": default("", TEXT),
        "prediction": default("", TEXT),
        "if_fails": default("", TEXT),
        "test": default(None, OPTIONAL_TEXT),
        "test_harness": default(None, OPTIONAL_TEXT),
        "name": default(None, OPTIONAL_TEXT),
        # What we add.
        "command": default(None, COMMAND),
        "check": optional(ENTRY_POINT),
        "pytest": default(None, OPTIONAL_TEXT),
        "property": default(None, PROPERTY_OR_NOTE),
        "with": default({}, core.dict_schema(TEXT)),
        "subjects": default({}, core.dict_schema(LEVEL, core.dict_schema(TEXT, TEXT))),
        "expect": default({}, rewritten(_by_level, EXPECT, LINES, EXPECT)),
        "metrics": default([], core.list_schema(core.dict_schema(TEXT))),
        "counter_examples": optional(
            core.tagged_union_schema(
                {"[list]": TEXTS, "[mapping]": core.dict_schema(TEXT, REPLACEMENT)}, discriminator=_form
            )
        ),
        "must_detect": default({}, core.dict_schema(TEXT, AMOUNT)),
        "environment": default({}, core.dict_schema(TEXT, TEXT)),
        "sources": default([], TEXTS),
        "basis": default({}, core.dict_schema(TEXT, CITED)),
        "blocks": default([], TEXTS),
        "blocked_by": default([], TEXTS),
        "model": default(None, OPTIONAL_TEXT),
        "needs": default(
            {}, rewritten(_needs_by_level, core.dict_schema(LEVEL_OR_ALL, NEEDS), NEEDS, NEEDS_BY_LEVEL)
        ),
        "covers": default([], TEXTS),
        "aliases": default([], core.list_schema(IDENTIFIER)),
        "ship_blocking": default(False, TRUTH),
        "discharge_status": default(None, OPTIONAL_TEXT),
        "outcome": default("holds", one_of("holds", "refuted")),
        "satisfying_example": optional(SATISFYING_EXAMPLE),
        "excluded": optional(core.str_schema(min_length=1)),
        "runs": optional(core.no_info_after_validator_function(runs, RUNS)),
        "retries": default(0, core.int_schema(ge=0, le=9)),
        "bound_to": default([], TEXTS),
    },
    spelled=("rule", "prediction", "if_fails"),
)
HYPOTHESIS = mapping(
    "hypothesis",
    {
        "id": IDENTIFIER,
        "statement": core.str_schema(min_length=1),
        "predicts": core.dict_schema(TEXT, one_of("Pass", "Fail"), min_length=1),
        "then": core.str_schema(min_length=1),
    },
    closed=True,
)
HARNESS = mapping(
    "harness",
    {
        "id": TEXT,
        "obligation": TEXT,
        "property": default(None, OPTIONAL_TEXT),
        "bound": default(None, OPTIONAL_COUNT),
        "strategy": optional(one_of("exhaustive", "stub_float", "compositional", "bounded_int")),
        "solver": default(None, OPTIONAL_TEXT),
        "harness": default(None, OPTIONAL_TEXT),
        "actually_verified": default(False, TRUTH),
    },
)
QA_GATE = mapping(
    "qa_gate",
    {
        "id": default("", TEXT),
        "name": default("", TEXT),
        "description": default(None, OPTIONAL_TEXT),
        "checks": default([], TEXTS),
        "pass_criteria": default(None, OPTIONAL_TEXT),
        "falsification": default(None, OPTIONAL_TEXT),
    },
)
CONTRACT = mapping(
    "contract",
    {
        "metadata": METADATA,
        "equations": default(
            {}, rewritten(_named, EQUATIONS, core.nullable_schema(EQUATIONS), core.list_schema(EQUATION))
        ),
        "proof_obligations": default([], core.list_schema(OBLIGATION)),
        "falsification_tests": default([], core.list_schema(FALSIFIER)),
        "hypotheses": default([], core.list_schema(HYPOTHESIS)),
        "kani_harnesses": default([], core.list_schema(HARNESS)),
        "qa_gate": optional(QA_GATE),
        **BLOCKS,
    },
)
