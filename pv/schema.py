"""The shape of a contract's YAML, at the edge: what the Rust ``pv`` accepts, and what we add.

Unknown keys are kept. Types are strict: text is never made from a number (``1.10`` would become 1.1).

Written for pydantic's core, without its classes: those take 130 ms to import and build, and a hook that
checks one file runs for 80 ms in all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pydantic_core import SchemaValidator
from pydantic_core import core_schema as core

from pv.contract import LEVELS, SPELLINGS
from pv.needs import gpu_requirement, memory_bytes, seconds
from pv.schema_values import command, entry_point, identifier, runs

__all__ = ["CONTRACT", "equation_name", "validator"]

KINDS = """
kernel registry model-family model-family-variant tokenizer training-loop pretraining-corpus
training-precondition-gate corpus-assembly pattern schema beat-benchmark kaizen
""".split()  # noqa: SIM905  (one word a line would fill the page)
OBLIGATION_TYPES = """
invariant equivalence bound monotonicity idempotency linearity symmetry associativity conservation ordering
completeness soundness involution determinism roundtrip state_machine classification independence termination
safety liveness precondition postcondition frame loop_invariant loop_variant old_state subcontract
""".split()  # noqa: SIM905

Schema = core.CoreSchema

TEXT: Schema = core.str_schema()
OPTIONAL_TEXT: Schema = core.nullable_schema(TEXT)
TEXTS: Schema = core.list_schema(TEXT)
NOT_NEGATIVE: Schema = core.nullable_schema(core.float_schema(ge=0))
COUNT: Schema = core.int_schema(ge=0)
OPTIONAL_COUNT: Schema = core.nullable_schema(COUNT)
TRUTH: Schema = core.bool_schema()


@functools.cache
def validator() -> SchemaValidator:
    """Return the validator of a whole contract, to be called strictly; it fills in every default."""
    return SchemaValidator(CONTRACT)


def equation_name(item: Any, index: int) -> str:
    """Return the name of the equation at `index` of a list: its ``id``, or else ``equation_N``."""
    name = item.get("id") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name else f"equation_{index}"


def _one_of(*words: str) -> Schema:
    return core.literal_schema(list(words))


def _with(default: Any, schema: Schema) -> Schema:
    return core.with_default_schema(schema, default=default)


def _then(schema: Schema, parse: Callable[[Any], Any]) -> Schema:
    return core.no_info_after_validator_function(parse, schema)


def _mapping(fields: dict[str, Schema], *, closed: bool = False) -> Schema:
    """Return a mapping of `fields`; one with a default may be left out, and others go by their spellings."""
    typed = {}
    for name, schema in fields.items():
        spellings: list[list[str | int]] = [[spelling] for spelling in SPELLINGS.get(name, (name,))]
        required = schema["type"] != "default"
        typed[name] = core.typed_dict_field(schema, required=required, validation_alias=spellings)
    return core.typed_dict_schema(typed, extra_behavior="forbid" if closed else "allow")


def _by_level(value: Any) -> Any:
    return value if isinstance(value, dict) else {"*": value}


def _needs_by_level(value: Any) -> Any:
    return value if isinstance(value, dict) and value and set(LEVELS).issuperset(value) else {"*": value}


def _form(value: Any) -> str:
    return "mapping" if isinstance(value, dict) else "list"


def _named(value: Any) -> Any:
    if not isinstance(value, list):
        return {} if value is None else value
    named = {equation_name(item, index): item for index, item in enumerate(value)}
    if len(named) < len(value):
        raise ValueError("two equations have one id")
    return named


LEVEL = _one_of(*LEVELS)
LEVEL_OR_ALL = _one_of(*LEVELS, "*")
IDENTIFIER = _then(TEXT, identifier)

METADATA = _mapping(
    {
        "version": TEXT,
        "description": TEXT,
        "created": _with(None, OPTIONAL_TEXT),
        "author": _with(None, OPTIONAL_TEXT),
        "references": _with([], TEXTS),
        "depends_on": _with([], TEXTS),
        "registry": _with(False, TRUTH),
        "kind": _with(None, core.nullable_schema(_one_of(*KINDS))),
        "enforcement_level": _with(
            None, core.nullable_schema(_one_of("basic", "standard", "strict", "proven"))
        ),
        "locked_level": _with(None, OPTIONAL_TEXT),
        "competitor": _with(None, OPTIONAL_TEXT),
        "model": _with(None, OPTIONAL_TEXT),
        "demand_score": _with(None, core.nullable_schema(core.int_schema())),
        "intake_status": _with(
            None, core.nullable_schema(_one_of("missing", "partial", "supported", "unclear"))
        ),
    }
)
EQUATION = _mapping(
    {
        "formula": _with("", TEXT),
        "domain": _with(None, OPTIONAL_TEXT),
        "codomain": _with(None, OPTIONAL_TEXT),
        "invariants": _with([], TEXTS),
        "preconditions": _with([], TEXTS),
        "postconditions": _with([], TEXTS),
        "lean_theorem": _with(None, OPTIONAL_TEXT),
        "float_tolerance": _with(None, NOT_NEGATIVE),
    }
)
LEAN = _mapping(
    {
        "theorem": TEXT,
        "module": _with(None, OPTIONAL_TEXT),
        "status": _with("sorry", _one_of("proved", "sorry", "wip", "not-applicable")),
        "depends_on": _with([], TEXTS),
        "mathlib_imports": _with([], TEXTS),
        "notes": _with(None, OPTIONAL_TEXT),
    }
)
OBLIGATION = _mapping(
    {
        "id": _with(None, OPTIONAL_TEXT),
        "type": _with("invariant", _one_of(*OBLIGATION_TYPES)),
        "property": _with("", TEXT),
        "formal": _with(None, OPTIONAL_TEXT),
        "tolerance": _with(None, NOT_NEGATIVE),
        "applies_to": _with(None, OPTIONAL_TEXT),
        "requires": _with(None, OPTIONAL_TEXT),
        "applies_to_phase": _with(None, OPTIONAL_TEXT),
        "parent_contract": _with(None, OPTIONAL_TEXT),
        "not_applicable": _with(False, TRUTH),
        "na_reason": _with(None, OPTIONAL_TEXT),
        "na_owner": _with(None, OPTIONAL_TEXT),
        "lean": _with(None, core.nullable_schema(LEAN)),
        # What we add.
        "exhaustive": _with(False, TRUTH),
    }
)
NEEDS = _mapping(
    {
        "memory": _with(None, core.nullable_schema(_then(TEXT, memory_bytes))),
        "timeout": _with(None, core.nullable_schema(_then(TEXT, seconds))),
        "gpu": _with(None, core.nullable_schema(_then(TEXT, gpu_requirement))),
    },
    closed=True,
)
SATISFYING_EXAMPLE = _mapping(
    {
        "with": _with({}, core.dict_schema(TEXT)),
        "subjects": _with({}, core.dict_schema(TEXT, TEXT)),
    },
    closed=True,
)
REPLACEMENT = _mapping(
    {
        "subjects": _with({}, core.dict_schema(TEXT, TEXT)),
        "environment": _with({}, core.dict_schema(TEXT, TEXT)),
        "modules": _with({}, core.dict_schema(TEXT, TEXT)),
        "arguments": _with(None, core.nullable_schema(TEXTS)),
    },
    closed=True,
)
RUNS = _mapping(
    {
        "by": _one_of("seed", "day", "host"),
        "at_least": _with(None, core.nullable_schema(core.int_schema(ge=2))),
        "seeds": _with([], core.list_schema(COUNT)),
    },
    closed=True,
)
CITED = _mapping(
    {"falsifier": TEXT, "metric": TEXT, "level": _with(None, core.nullable_schema(LEVEL))},
    closed=True,
)
FALSIFIER = _mapping(
    {
        "id": IDENTIFIER,
        "rule": _with("", TEXT),
        "prediction": _with("", TEXT),
        "if_fails": _with("", TEXT),
        "test": _with(None, OPTIONAL_TEXT),
        "test_harness": _with(None, OPTIONAL_TEXT),
        "name": _with(None, OPTIONAL_TEXT),
        # What we add.
        "command": _with(None, core.no_info_plain_validator_function(command)),
        "check": _with(None, core.nullable_schema(_then(TEXT, entry_point))),
        "pytest": _with(None, OPTIONAL_TEXT),
        "with": _with({}, core.dict_schema(TEXT)),
        "subjects": _with({}, core.dict_schema(LEVEL, core.dict_schema(TEXT, TEXT))),
        "expect": _with(
            {},
            core.no_info_before_validator_function(
                _by_level, core.dict_schema(LEVEL_OR_ALL, core.list_schema(TEXT, min_length=1))
            ),
        ),
        "metrics": _with([], core.list_schema(core.dict_schema(TEXT))),
        "counter_examples": _with(
            None,
            core.nullable_schema(
                core.tagged_union_schema(
                    {"list": TEXTS, "mapping": core.dict_schema(TEXT, REPLACEMENT)}, discriminator=_form
                )
            ),
        ),
        "environment": _with({}, core.dict_schema(TEXT, TEXT)),
        "sources": _with([], TEXTS),
        "basis": _with({}, core.dict_schema(TEXT, CITED)),
        "blocks": _with([], TEXTS),
        "blocked_by": _with([], TEXTS),
        "model": _with(None, OPTIONAL_TEXT),
        "needs": _with(
            {},
            core.no_info_before_validator_function(_needs_by_level, core.dict_schema(LEVEL_OR_ALL, NEEDS)),
        ),
        "covers": _with([], TEXTS),
        "aliases": _with([], core.list_schema(IDENTIFIER)),
        "ship_blocking": _with(False, TRUTH),
        "discharge_status": _with(None, OPTIONAL_TEXT),
        "outcome": _with("holds", _one_of("holds", "refuted")),
        "satisfying_example": _with(None, core.nullable_schema(SATISFYING_EXAMPLE)),
        "excluded": _with(None, core.nullable_schema(core.str_schema(min_length=1))),
        "runs": _with(None, core.nullable_schema(_then(RUNS, runs))),
    }
)
HARNESS = _mapping(
    {
        "id": TEXT,
        "obligation": TEXT,
        "property": _with(None, OPTIONAL_TEXT),
        "bound": _with(None, OPTIONAL_COUNT),
        "strategy": _with(
            None,
            core.nullable_schema(_one_of("exhaustive", "stub_float", "compositional", "bounded_int")),
        ),
        "solver": _with(None, OPTIONAL_TEXT),
        "harness": _with(None, OPTIONAL_TEXT),
        "actually_verified": _with(False, TRUTH),
    }
)
QA_GATE = _mapping(
    {
        "id": _with("", TEXT),
        "name": _with("", TEXT),
        "description": _with(None, OPTIONAL_TEXT),
        "checks": _with([], TEXTS),
        "pass_criteria": _with(None, OPTIONAL_TEXT),
        "falsification": _with(None, OPTIONAL_TEXT),
    }
)
PHASE = _mapping({"name": TEXT, "description": TEXT, "invariant": _with(None, OPTIONAL_TEXT)})
ENFORCEMENT = _mapping(
    {
        "description": TEXT,
        "check": _with(None, OPTIONAL_TEXT),
        "severity": _with(None, OPTIONAL_TEXT),
        "reference": _with(None, OPTIONAL_TEXT),
    }
)
VERIFICATION_SUMMARY = _mapping(
    {
        "total_obligations": COUNT,
        "l2_property_tested": _with(None, OPTIONAL_COUNT),
        "l3_kani_proved": _with(None, OPTIONAL_COUNT),
        "l4_lean_proved": _with(None, OPTIONAL_COUNT),
        "l4_sorry_count": _with(None, OPTIONAL_COUNT),
        "l4_not_applicable": _with(None, OPTIONAL_COUNT),
    }
)
CONTRACT = _mapping(
    {
        "metadata": METADATA,
        "equations": _with(
            {}, core.no_info_before_validator_function(_named, core.dict_schema(TEXT, EQUATION))
        ),
        "proof_obligations": _with([], core.list_schema(OBLIGATION)),
        "falsification_tests": _with([], core.list_schema(FALSIFIER)),
        "kani_harnesses": _with([], core.list_schema(HARNESS)),
        "qa_gate": _with(None, core.nullable_schema(QA_GATE)),
        "kernel_structure": _with(
            None, core.nullable_schema(_mapping({"phases": _with([], core.list_schema(PHASE))}))
        ),
        "simd_dispatch": _with(
            None, core.nullable_schema(core.dict_schema(TEXT, core.dict_schema(TEXT, TEXT)))
        ),
        "enforcement": _with(None, core.nullable_schema(core.dict_schema(TEXT, ENFORCEMENT))),
        "verification_summary": _with(None, core.nullable_schema(VERIFICATION_SUMMARY)),
    }
)
