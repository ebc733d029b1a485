from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.contract import Contract
from pv.errors import SelectionError
from pv.examined import Examined, examine, names_of, pack, unpack

RESOURCES = Path(__file__).parent / "rules" / "resources"


def known(examined: Examined) -> dict[str, Any]:
    return {
        name: getattr(examined, name)
        for name in ("path", "stem", "findings", "note", "noun", "is_contract", "names", "asks")
    }


@pytest.mark.parametrize("path", sorted(RESOURCES.glob("*.yaml")), ids=lambda path: path.name)
def test_what_another_process_says_is_what_this_one_would(path: Path) -> None:
    here = examine(path)
    packed = pack(here)
    assert packed is not None
    there = unpack(path, packed)
    assert known(there) == known(here)
    if here.is_contract:
        assert there.built is None
        ours, theirs = here.contract(), there.contract()
        assert theirs == ours
        assert theirs is there.contract()
        assert places(theirs) == places(ours)


def places(contract: Contract) -> list[tuple[int, int]]:
    clauses = (*contract.equations, *contract.obligations, *contract.falsifiers, *contract.kani)
    found = [clause.where for clause in clauses] + [c.key_where(key) for c in clauses for key in c.raw]
    return [(where.line, where.column) for where in found]


NUMBERS = st.integers(-(10**308), 10**308) | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_values_survive_the_way_between_processes(value: Any) -> None:
    import json

    from pydantic_core import to_json

    try:
        packed = to_json(value)
    except ValueError:  # a lone surrogate, which no document holds
        return
    assert repr(json.loads(packed)) == repr(value)


def test_a_document_with_aliases_stays_where_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a-v1.yaml"
    path.write_text('metadata: {version: &v "1", description: *v}\n', encoding="utf-8")
    examined = examine(path)
    assert examined.is_contract
    assert pack(examined) is None


def test_a_file_of_any_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("bindings: []\ntarget_crate: x\n", encoding="utf-8")
    registry = examine(path)
    assert registry.noun == "Binding registry (kind: binding)"
    assert {finding.severity for finding in registry.findings} == {"error"}
    assert not registry.note
    path.write_text("schema: ont-sigma-1\n", encoding="utf-8")
    assert examine(path).note == "this is an ontology, not a contract"
    path.write_text("[", encoding="utf-8")
    assert [finding.code for finding in examine(path).findings] == ["YAML-001"]
    path.write_text("just text", encoding="utf-8")
    assert [finding.code for finding in examine(path).findings] == ["SCHEMA-000"]
    with pytest.raises(SelectionError):
        examine(tmp_path / "none.yaml")


def test_the_names_of_a_contract() -> None:
    contract = examine(RESOURCES / "SCHEMA-007.good.yaml").contract()
    falsifier = dataclasses.replace(contract.falsifiers[0], id="A", aliases=("B",))
    assert [*names_of(dataclasses.replace(contract, falsifiers=(falsifier,)))] == ["A", "B"]
