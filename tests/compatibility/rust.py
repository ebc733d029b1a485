"""What the Rust ``pv`` says of a contract, judged apart from our code: PyYAML's values and its rules as told.

Two versions: February (0.1.0: thirteen rules, no kinds) and the newest of which we know the rules, those of
autumn 2026 (kinds, aliases, defaults, PROVABILITY-001, SCHEMA-014 to 024, and what `kinds.py` and
`artefacts.py` hold). Kept plain on purpose: it shares nothing with `pv`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal, Protocol

import yaml

from tests.compatibility.artefacts import artefact, manifest_violations, registry_violations
from tests.compatibility.kinds import KINDS, kind_shape, kind_violations
from tests.compatibility.shapes import UnparsableError, need

Version = Literal["february", "newest"]


class Judge(Protocol):
    """Says what the Rust tool says of `text`; `owner` is the contract of manifests, where one is near."""

    def __call__(self, text: str, version: Version, *, owner: str | None = None) -> dict[str, int] | str: ...


PARSE_FAILURE = "does not parse"
UNKNOWN = "by rules of its own"
"""Of comparisons with competitors, whose 28 rules ask for dates by the day on which they are read."""

OLD_TYPES = (
    "invariant equivalence bound monotonicity idempotency linearity symmetry associativity conservation "
    "ordering completeness soundness"
)
NEW_TYPES = OLD_TYPES + (
    " involution determinism roundtrip state_machine classification independence termination safety liveness"
    " precondition postcondition frame loop_invariant loop_variant old_state subcontract"
)
STRATEGIES = {"exhaustive", "stub_float", "compositional", "bounded_int"}
BLOCKS = {
    *("metadata", "equations", "proof_obligations", "falsification_tests", "kani_harnesses", "qa_gate"),
    *("kernel_structure", "simd_dispatch", "enforcement", "verification_summary", "type_invariants"),
    *("coq_spec", "beat", "stories", "falsification", "parity"),
}
ALIASES = {"rule": "description", "prediction": "expected", "if_fails": "fails_if", "test": "command"} | {
    "property": "statement",
    "formal": "verification",
}


class StrictLoader(yaml.CSafeLoader):
    """PyYAML's loader, refusing a key that occurs twice, with the name of the block that it is in."""

    def get_single_node(self) -> Any:
        root = super().get_single_node()
        for key, block in root.value if isinstance(root, yaml.MappingNode) else ():
            waiting = [block]
            while waiting:
                node = waiting.pop()
                if isinstance(node, yaml.MappingNode):
                    keys = [name.value for name, _ in node.value]
                    if len(set(keys)) < len(keys):
                        raise UnparsableError(key.value)
                    waiting += [value for _, value in node.value]
                elif isinstance(node, yaml.SequenceNode):
                    waiting += node.value
        return root


def judge(text: str, version: Version, *, owner: str | None = None) -> dict[str, int] | str:
    """Return code → how often, or a word that says why nothing was judged."""
    try:
        document = yaml.load(text, StrictLoader)  # noqa: S506  (a safe loader's child)
    except UnparsableError as error:
        untyped = version == "newest" and error.args[0] not in BLOCKS
        return {"SCHEMA-020": 1} if untyped else PARSE_FAILURE
    except yaml.YAMLError:
        return PARSE_FAILURE
    if not isinstance(document, dict):
        return PARSE_FAILURE
    try:
        match artefact(document) if version == "newest" else "contract":
            case "binding":
                codes = [*registry_violations(document)]
            case "manifest":
                codes = [*manifest_violations(document, owner)]
            case _ if (
                version == "newest" and document.get("metadata", {}).get("kind") == "competitive-parity"
            ):
                return UNKNOWN
            case _:
                codes = [*violations(document, typed(document, version), version)]
    except UnparsableError:
        return PARSE_FAILURE
    return dict(sorted(Counter(codes).items()))


def text_of(item: Any, key: str, *, required: bool, aliases: bool) -> str:
    need(isinstance(item, dict))
    alias = ALIASES.get(key, key) if aliases else key
    need(alias == key or not (key in item and alias in item))
    value = item.get(key, item.get(alias))
    need(isinstance(value, str) or (value is None and not required))
    return value or ""


def typed(document: Any, version: Version) -> dict[str, Any]:
    """Return the parts that the rules are about."""
    new = version == "newest"
    metadata = document.get("metadata")
    need(isinstance(metadata, dict))
    for key in ("version", "description"):
        need(isinstance(metadata.get(key), str))
    equations = document.get("equations")
    need(new or isinstance(equations, dict))
    need(equations is None or isinstance(equations, dict | list))
    listed = equations if isinstance(equations, list) else list((equations or {}).values())
    parts: dict[str, list[Any]] = {}
    for section in ("proof_obligations", "falsification_tests", "kani_harnesses"):
        parts[section] = document.get(section, [])
        need(isinstance(parts[section], list))
    types = (NEW_TYPES if new else OLD_TYPES).split()
    obligations = [
        {
            **item,
            "property": text_of(item, "property", required=not new, aliases=new),
            "formal": text_of(item, "formal", required=False, aliases=new),
            "type": text_of(item, "type", required=not new, aliases=False) or "invariant",
        }
        for item in parts["proof_obligations"]
    ]
    need(all(item["type"] in types for item in obligations))
    falsifiers = [
        {
            "id": text_of(item, "id", required=True, aliases=False),
            "test": text_of(item, "test", required=False, aliases=new),
            **{
                key: text_of(item, key, required=not new, aliases=new)
                for key in ("rule", "prediction", "if_fails")
            },
        }
        for item in parts["falsification_tests"]
    ]
    for item in parts["kani_harnesses"]:
        text_of(item, "id", required=True, aliases=False)
        text_of(item, "obligation", required=True, aliases=False)
        need(item.get("strategy") in STRATEGIES | {None})
        need(item.get("bound") is None or isinstance(item["bound"], int))
    gate = document.get("qa_gate")
    if gate is not None:
        text_of(gate, "id", required=not new, aliases=False)
        text_of(gate, "name", required=not new, aliases=False)
    kind = metadata.get("kind") or "kernel" if new else "kernel"
    need(kind in KINDS)
    if new:
        kind_shape(document, metadata, kind)
    return {
        "metadata": metadata,
        "kind": kind,
        "kernel": not new or (kind == "kernel" and metadata.get("registry") is not True),
        "formulas": [text_of(item, "formula", required=not new, aliases=False) for item in listed],
        "obligations": obligations,
        "falsifiers": falsifiers,
        "harnesses": parts["kani_harnesses"],
        "gate": gate,
    }


def repeated(values: list[str]) -> int:
    return len(values) - len(set(values))


def violations(document: Any, parts: dict[str, Any], version: Version) -> Iterator[str]:
    """Yield the code of every violation."""
    metadata, kernel = parts["metadata"], parts["kernel"]
    obligations, falsifiers, harnesses = parts["obligations"], parts["falsifiers"], parts["harnesses"]
    counts = {
        "SCHEMA-001": not metadata.get("references"),
        "SCHEMA-002": not metadata["version"].strip(),
        "SCHEMA-003": kernel and not parts["formulas"],
        "SCHEMA-004": kernel and sum(not formula.strip() for formula in parts["formulas"]),
        "SCHEMA-005": sum(not item["property"].strip() for item in obligations),
        "SCHEMA-006": repeated([item["formal"] for item in obligations if item["formal"]]),
        "SCHEMA-007": repeated([item["id"] for item in falsifiers]),
        "SCHEMA-008": sum(not item["prediction"].strip() for item in falsifiers),
        "SCHEMA-009": sum(not item["if_fails"].strip() for item in falsifiers),
        "SCHEMA-010": repeated([item["id"] for item in harnesses]),
        "SCHEMA-011": sum(not item["obligation"].strip() for item in harnesses),
        "SCHEMA-012": sum(item.get("bound") is None for item in harnesses),
        "SCHEMA-013": kernel and parts["gate"] is None,
    }
    if version == "newest":
        yield from kind_violations(document, metadata, parts["kind"], obligations, falsifiers)
        counts |= newest(document, parts)
        if kernel:
            lacking = sum(not part for part in (obligations, falsifiers, harnesses))
            counts["PROVABILITY-001"] = lacking + (len(falsifiers) < len(obligations))
    for code, count in counts.items():
        yield from [code] * int(count)


def newest(document: Any, parts: dict[str, Any]) -> dict[str, int]:
    """Count the violations of the rules that February did not have."""
    metadata, obligations = parts["metadata"], parts["obligations"]

    def count(key: str, *types: str) -> int:
        return sum(item.get(key) is not None and item["type"] not in types for item in obligations)

    def forms(key: str) -> set[str]:
        plain = "".join(letter for letter in key.lower() if letter.isascii() and letter.isalnum())
        return {plain, plain.removesuffix("s"), plain.removesuffix("es")} - {""}

    near = set[str]().union(*map(forms, BLOCKS))
    aside = [item for item in obligations if item.get("applies_to") == "not_applicable"]
    children = [item.get("parent_contract") for item in obligations if item["type"] == "subcontract"]
    return {
        "SCHEMA-014": count("requires", "postcondition"),
        "SCHEMA-015": count("applies_to_phase", "loop_invariant", "loop_variant"),
        "SCHEMA-016": count("parent_contract", "subcontract"),
        "SCHEMA-017": sum(parent not in metadata.get("depends_on", []) for parent in children if parent),
        "SCHEMA-018": int("kind" in document),
        "SCHEMA-019": sum(
            key not in BLOCKS and key != "kind" and bool(forms(key) & near) for key in document
        ),
        "SCHEMA-021": sum(not (item.get("na_reason") or "").strip() for item in aside),
        "SCHEMA-022": sum(not (item.get("na_owner") or "").strip() for item in aside),
        "SCHEMA-023": sum(
            item.get(key) is not None
            for item in obligations
            if item not in aside
            for key in ("na_reason", "na_owner")
        ),
        "SCHEMA-024": int(drifted(document, parts)),
    }


def drifted(document: Any, parts: dict[str, Any]) -> bool:
    summary, there = document.get("verification_summary"), len(parts["obligations"])
    if summary is None or (parts["kind"] == "schema" and not there):
        return False
    return bool(summary["total_obligations"] != there)
