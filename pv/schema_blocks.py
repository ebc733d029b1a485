"""The blocks of the Rust ``pv``: they must load. Some have rules, most have none."""

from __future__ import annotations

from pydantic_core import core_schema as core

from pv.schema_types import (
    ANYTHING,
    COUNT,
    OPTIONAL_COUNT,
    OPTIONAL_TEXT,
    TEXT,
    TEXTS,
    Schema,
    default,
    mapping,
    one_of,
    optional,
)

__all__ = ["BLOCKS"]

PHASE = mapping("phase", {"name": TEXT, "description": TEXT, "invariant": optional(TEXT)})
KERNEL_STRUCTURE = mapping("kernel_structure", {"phases": default([], core.list_schema(PHASE))})
ENFORCEMENT = mapping(
    "enforcement",
    {
        "description": TEXT,
        "check": default(None, OPTIONAL_TEXT),
        "severity": default(None, OPTIONAL_TEXT),
        "reference": default(None, OPTIONAL_TEXT),
    },
)
VERIFICATION_SUMMARY = mapping(
    "verification_summary",
    {
        "total_obligations": COUNT,
        "l2_property_tested": default(None, OPTIONAL_COUNT),
        "l3_kani_proved": default(None, OPTIONAL_COUNT),
        "l4_lean_proved": default(None, OPTIONAL_COUNT),
        "l4_sorry_count": default(None, OPTIONAL_COUNT),
        "l4_not_applicable": default(None, OPTIONAL_COUNT),
    },
)
TYPE_INVARIANT = mapping(
    "type_invariant",
    {
        "name": default(None, OPTIONAL_TEXT),
        "type": default(None, OPTIONAL_TEXT),
        "predicate": default(None, OPTIONAL_TEXT),
        "description": default(None, OPTIONAL_TEXT),
    },
)
COQ_OBLIGATION = mapping(
    "coq_obligation",
    {
        "links_to": default(None, OPTIONAL_TEXT),
        "coq_lemma": default(None, OPTIONAL_TEXT),
        "status": default("stub", TEXT),
    },
)
COQ_SPEC = mapping(
    "coq_spec",
    {
        "module": default(None, OPTIONAL_TEXT),
        "imports": default([], TEXTS),
        "definitions": default([], core.list_schema(ANYTHING)),
        "obligations": default([], core.list_schema(COQ_OBLIGATION)),
    },
)
BEAT = mapping(
    "beat",
    {
        "pillar": default(None, ANYTHING),
        "incumbent": default(None, OPTIONAL_TEXT),
        "metric": default(None, OPTIONAL_TEXT),
        "direction": default(None, OPTIONAL_TEXT),
        "beat_threshold": default(None, core.nullable_schema(core.float_schema())),
        "approved_compute": default(None, OPTIONAL_TEXT),
        "ci_gate_name": default(None, OPTIONAL_TEXT),
    },
)
STORY = mapping(
    "story",
    {
        "id": default(None, OPTIONAL_TEXT),
        "competitor": default(None, OPTIONAL_TEXT),
        "demand_score": default(None, core.nullable_schema(core.int_schema())),
        "status": optional(one_of("missing", "partial", "supported", "unclear")),
    },
)

BLOCKS: dict[str, Schema] = {
    "kernel_structure": optional(KERNEL_STRUCTURE),
    "simd_dispatch": optional(core.dict_schema(TEXT, core.dict_schema(TEXT, TEXT))),
    "enforcement": optional(core.dict_schema(TEXT, ENFORCEMENT)),
    "verification_summary": optional(VERIFICATION_SUMMARY),
    "type_invariants": default([], core.list_schema(TYPE_INVARIANT)),
    "coq_spec": optional(COQ_SPEC),
    "beat": optional(BEAT),
    "stories": default([], core.list_schema(STORY)),
    "evidence": default(None, ANYTHING),
    "entity": default(None, ANYTHING),
    "ontology": default(None, ANYTHING),
}
"""Key at the top level → its schema."""
