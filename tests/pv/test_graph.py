from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pv.config import Config, load_config
from pv.contract import Contract, load_contract
from pv.graph import CYCLE, DANGLING, Edge, Graph, build_graph

BARE: Mapping[str, Any] = {"rule": "r", "prediction": "p", "if_fails": "f"}


class Folder:
    """Contracts in a folder, by what joins them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(
        self, stem: str, *falsifiers: Mapping[str, Any], depends_on: list[str], **more: Any
    ) -> Contract:
        metadata = {
            "version": "1.0.0",
            "description": "d",
            "references": ["a book"],
            "kind": "pattern",
            "depends_on": depends_on,
        }
        listed = [{**BARE, **falsifier} for falsifier in falsifiers]
        path = self.root / f"{stem}.yaml"
        document = {"metadata": metadata, "falsification_tests": listed, **more}
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return load_contract(path)

    @property
    def config(self) -> Config:
        return load_config(self.root, required=False)

    def graph(self, *contracts: Contract, known: tuple[Contract, ...] = ()) -> Graph:
        return build_graph(contracts, known, self.config)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_it_does_not_depend_on_the_order_of_contracts(folder: Folder) -> None:
    first = folder.write("b", {"id": "B1", "blocks": ["a#A1"]}, depends_on=["c", "a"])
    second = folder.write("a", {"id": "A1", "ship_blocking": True}, depends_on=["c"])
    third = folder.write("c", depends_on=[])
    graph = folder.graph(first, second, third)
    assert graph == folder.graph(third, second, first)
    assert graph.depends_on == (Edge("a", "c"), Edge("b", "a"), Edge("b", "c"))
    assert graph.blocks == (Edge("b#B1", "a#A1"),)
    assert [(node.stem, node.status) for node in graph.contracts] == [
        ("a", "UNBOUND"), ("b", "NOT GATED"), ("c", "NOT GATED")
    ]  # fmt: skip
    assert not graph.broken
    assert graph.findings == ()


def test_a_cycle_is_an_error_and_is_told_as_a_path(folder: Folder) -> None:
    contracts = [
        folder.write("a", depends_on=["b"]),
        folder.write("b", depends_on=["c"]),
        folder.write("c", depends_on=["d", "a"]),
        folder.write("d", depends_on=["d"]),
    ]
    graph = folder.graph(*contracts)
    assert [(finding.code, finding.message.partition(": ")[2]) for finding in graph.findings] == [
        (CYCLE, "a → b → c → a"),
        (CYCLE, "d → d"),
    ]
    assert graph.broken
    place = graph.findings[0].where
    assert (folder.root / place.path).read_text().splitlines()[place.line - 1].strip() == "- b"


def test_a_cycle_through_contracts_that_were_not_named_is_found_from_one_that_was(folder: Folder) -> None:
    named = folder.write("b", depends_on=["a"])
    other = folder.write("a", depends_on=["b"])
    apart = folder.write("x", depends_on=["x"])
    (finding,) = folder.graph(named, known=(other, apart)).findings
    assert finding.message.endswith("a → b → a")
    assert finding.where.path.endswith("b.yaml")


def test_dangling_edges_are_errors_only_where_our_fields_are_used(folder: Folder) -> None:
    theirs = folder.write("theirs", {"id": "T", "covers": ["NONE"]}, depends_on=["elsewhere"])
    graph = folder.graph(theirs)
    assert [(f.severity, f.where.line) for f in graph.findings] == [("warning", 8), ("warning", 15)]
    assert not graph.broken
    assert [(node.stem, node.status) for node in graph.contracts] == [
        ("elsewhere", None), ("theirs", "NOT GATED")
    ]  # fmt: skip
    ours = folder.write(
        "ours", {"id": "O", "expect": ["x == 1"], "covers": ["NONE"]}, depends_on=["elsewhere"]
    )
    graph = folder.graph(ours)
    assert [finding.severity for finding in graph.findings] == ["error", "error"]
    assert graph.findings[0].code == DANGLING
    assert graph.broken


def test_a_reference_between_falsifiers_that_leads_nowhere_is_an_error(folder: Folder) -> None:
    graph = folder.graph(folder.write("a", {"id": "A", "blocks": ["NOBODY"]}, depends_on=[]))
    assert graph.broken
    assert "blocks names NOBODY" in graph.findings[0].message
    assert graph.blocks == ()


def test_what_is_known_but_was_not_named_keeps_its_status_and_shows_no_falsifiers(folder: Folder) -> None:
    one = folder.write("one", {"id": "A", "blocks": ["two#B"]}, depends_on=["two"])
    two = folder.write("two", {"id": "B", "ship_blocking": True}, depends_on=[])
    graph = folder.graph(one, known=(one, two))
    assert [(n.stem, n.status, len(n.falsifiers)) for n in graph.contracts] == [
        ("one", "NOT GATED", 1), ("two", "UNBOUND", 0)
    ]  # fmt: skip
    assert graph.findings == ()


def test_coverage_is_an_edge_to_an_obligation_that_is_there(folder: Folder) -> None:
    contract = folder.write(
        "a",
        {"id": "A", "covers": ["P", "Q", "P"]},
        depends_on=[],
        proof_obligations=[{"id": "P", "type": "bound", "property": "p"}, {"type": "bound", "property": "q"}],
    )
    (node,) = folder.graph(contract).contracts
    assert node.obligations == ("P",)
    assert node.falsifiers[0].covers == ("P",)
