from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pv.blocking import Blocking, Joined, find_cycles, problems, read_blocking
from pv.contract import Contract, load_contract


@pytest.fixture
def make(tmp_path: Path) -> type:
    class Make:
        def __new__(cls, stem: str, **falsifiers: dict[str, object]) -> Contract:  # type: ignore[misc]
            listed = [
                {"id": name, "rule": "r", "prediction": "p", "if_fails": "f", **more}
                for name, more in falsifiers.items()
            ]
            metadata = {"version": "1.0.0", "description": "d", "references": ["a book"], "kind": "pattern"}
            path = tmp_path / f"{stem}.yaml"
            path.write_text(yaml.safe_dump({"metadata": metadata, "falsification_tests": listed}))
            return load_contract(path)

    return Make


def test_both_spellings_say_the_same_and_reach_across_contracts(make: type) -> None:
    first = make("first", A={"blocks": ["B"]}, B={"ship_blocking": True}, C={"blocked_by": ["B"]})
    second = make("second", D={"blocked_by": ["first#C"], "ship_blocking": True}, E={"blocked_by": ["D"]})
    blocking = read_blocking([first, second])
    assert blocking.behind("first#A") == ("first#B", "first#C", "second#D", "second#E")
    assert blocking.before("second#E") == ("second#D", "first#C", "first#B", "first#A")
    assert blocking.lines("first#A") == [
        "4 falsifiers wait on this one, 2 ship-blocking: B, C, second#D, second#E"
    ]
    assert blocking.lines("second#D") == ["1 falsifier waits on this one, 0 ship-blocking: E"]
    assert blocking.lines("second#E") == []


def test_an_id_means_the_own_contract_first_and_aliases_count(make: type) -> None:
    first = make("first", A={"blocks": ["SHARED", "OTHER-NAME"]}, SHARED={})
    second = make("second", SHARED={}, B={"aliases": ["OTHER-NAME"]})
    assert read_blocking([first, second]).behind("first#A") == ("first#SHARED", "second#B")


def test_what_is_excluded_blocks_no_shipping(make: type) -> None:
    contract = make("c", A={"blocks": ["B"]}, B={"ship_blocking": True, "excluded": "a process rule"})
    assert "0 ship-blocking" in read_blocking([contract]).lines("c#A")[0]


def test_references_that_lead_nowhere_are_told_at_their_place(make: type) -> None:
    here = make("here", A={"blocks": ["NOWHERE"]}, B={"blocked_by": ["A", "TWICE"]})
    others = [make("one", TWICE={}), make("two", TWICE={})]
    found = list(problems(here, others))
    assert [message for _, message in found] == [
        "blocks names NOWHERE, which no contract has",
        "blocked_by names TWICE, which is not unique: one#TWICE, two#TWICE",
    ]
    text = (Path(here.path)).read_text().splitlines()
    assert [text[where.line - 1].strip() for where, _ in found] == ["- NOWHERE", "- TWICE"]
    assert read_blocking([here, *others]).waiting == {"here#A": ("here#B",)}


def test_a_circle_through_two_contracts_is_told_in_both(make: type) -> None:
    one = make("one", A={"blocks": ["two#B"]})
    two = make("two", B={"blocks": ["one#A"]}, C={"blocked_by": ["B"]})
    for contract, other in ((one, two), (two, one)):
        ((_, message),) = problems(contract, [other])
        assert message == "it waits on itself: one#A → two#B → one#A"
    assert read_blocking([one, two]).behind("one#A") == ("two#B", "two#C")


def test_to_block_oneself_is_a_circle(make: type) -> None:
    contract = make("c", A={"blocked_by": ["A"]})
    assert [message for _, message in problems(contract, [contract])] == ["it waits on itself: c#A → c#A"]


graphs = st.dictionaries(
    st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefgh"), max_size=4), max_size=7
)


def acyclic(edges: dict[str, set[str]]) -> bool:
    left = {node: set(after) for node, after in edges.items()}
    while True:
        ends = {node for after in left.values() for node in after} - {n for n, after in left.items() if after}
        free = {node for node, after in left.items() if after and after <= ends}
        if not free:
            return not any(left.values())
        for node in free:
            left[node] = set()


@given(graphs)
def test_cycles_are_cycles_and_taking_one_edge_of_each_leaves_none(edges: dict[str, list[str]]) -> None:
    left = {node: set(after) for node, after in edges.items()}
    cycles = find_cycles(edges)
    for cycle in cycles:
        assert cycle[0] == cycle[-1] == min(cycle)
        assert all(then in edges[first] for first, then in itertools.pairwise(cycle))
        left[cycle[-2]].discard(cycle[-1])
    assert acyclic(left)
    assert bool(cycles) != acyclic({node: set(after) for node, after in edges.items()})
    turned = {node: list(reversed(after)) for node, after in reversed(edges.items())}
    assert find_cycles(turned) == cycles


@given(graphs)
def test_behind_and_before_are_each_others_mirror(edges: dict[str, list[str]]) -> None:
    blocking = Blocking({node: tuple(after) for node, after in edges.items()}, frozenset())
    for one in "abcdefgh":
        assert one not in blocking.behind(one)
        for other in blocking.behind(one):
            assert one in blocking.before(other)


def test_many_contracts_are_joined_once(make: type) -> None:
    last = 399
    contracts = [
        make(f"c{n}", **{f"A{n}": {"blocks": [f"A{(n + 1) % last}"]}, f"B{n}": {"blocked_by": [f"A{n}"]}})
        for n in range(last)
    ]
    began = time.process_time()
    joined = Joined(contracts)
    found = [len(list(problems(contract, joined))) for contract in contracts]
    assert time.process_time() - began < 2  # it took a minute when each contract joined all of them
    assert found == [1] * last
    assert list(problems(contracts[0], joined)) == list(problems(contracts[0], contracts))


def test_of_two_contracts_with_one_name_the_own_references_are_judged(make: type) -> None:
    first = make("c", A={"blocks": ["B"]}, B={})
    second = make("c", A={"blocks": ["GONE"]})
    joined = Joined([first, second])
    assert list(problems(first, joined)) == []
    ((_, message),) = problems(second, joined)
    assert message == "blocks names GONE, which no contract has"
