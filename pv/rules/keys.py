"""Which keys of a block are read, and which were meant by those that are not."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pv.contract import SPELLINGS

__all__ = ["Block", "known_keys", "misspelt"]

Block = Literal["contract", "metadata", "obligation", "falsifier"]

_SAID: dict[Block, frozenset[str]] = {
    "contract": frozenset({
        "contract_id", "version", "status", "summary", "motivation", "invariants", "gates", "failure_modes",
        "peer_contracts", "five_whys", "changelog", "name", "scope", "kind", "falsification",
        "implementation_plan", "contract", "title", "kaizen", "parent", "date", "baseline", "target",
    }),
    "metadata": frozenset({"id", "authors", "tags", "peer_contracts", "title", "name", "lessons_learned"}),
    "obligation": frozenset({"name", "title", "description", "evidence", "status", "notes", "reference"}),
    "falsifier": frozenset({
        "method", "title", "harness", "binds_to", "dimensions", "evidence", "evidence_required", "verdict",
        "discharged_evidence", "evidence_discharged_by", "harness_discharged_by", "counter_example_classes",
        "full_discharge_blocks_on", "blocks_full_active_on", "partial_discharge_note", "falsification_id",
        "falsification_test", "reference", "status", "severity", "notes",
    }),
}  # fmt: skip
"""Words that contracts of the Rust ``pv`` have for people, by which they mean no key that is read."""

_OLD_NAMES: dict[Block, dict[str, str]] = {"contract": {"falsification": "falsification_tests"}}
"""Names of blocks that nothing judges, of which there are slips as well → the block that is judged."""


@functools.cache
def known_keys(block: Block) -> frozenset[str]:
    """Return the keys of a block that are read, under every spelling."""
    # Imported late: the rules are listed where nothing is loaded, too.
    from pv import schema

    fields = {
        "contract": schema.CONTRACT,
        "metadata": schema.METADATA,
        "obligation": schema.OBLIGATION,
        "falsifier": schema.FALSIFIER,
    }[block]["fields"]
    spelled = block in {"obligation", "falsifier"}
    return frozenset(word for key in fields for word in (SPELLINGS.get(key, (key,)) if spelled else (key,)))


def misspelt(value: Mapping[str, Any], block: Block) -> Iterator[tuple[str, str]]:
    """Yield each key of `value` that is a slip, and the key that it is a slip of."""
    if _understood(block).issuperset(value):
        return
    unknown = value.keys() - _understood(block)
    for key in value:
        if key in unknown and (meant := _meant(key, block)):
            yield key, meant


@functools.lru_cache(maxsize=1024)
def _meant(key: str, block: Block) -> str | None:
    # Imported late: most contracts have no unknown key.
    from pv.near_miss import nearest

    meant_by = {word: word for word in known_keys(block)} | _OLD_NAMES.get(block, {})
    meant = nearest(key, meant_by)
    return meant and meant_by[meant]


@functools.cache
def _understood(block: Block) -> frozenset[str]:
    return known_keys(block) | _SAID[block]
