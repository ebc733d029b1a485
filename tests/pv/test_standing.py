from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pv.exits import Exit
from pv.standing import HOLDS, STATES, State, throughout
from tests.pv.conftest import CLAUSE, Project

STEMS = [f"c{number}" for number in range(7)]


@given(
    st.dictionaries(st.sampled_from(STEMS), st.lists(st.sampled_from([*STEMS, "missing"]), max_size=3)),
    st.dictionaries(st.sampled_from(STEMS), st.sampled_from(STATES)),
)
def test_what_holds_throughout_reaches_only_what_holds_and_no_circle(
    edges: Mapping[str, list[str]], states: Mapping[str, State]
) -> None:
    def reached(stem: str) -> set[str]:
        found: set[str] = set()
        waiting = list(edges.get(stem, ()))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += edges.get(name, ())
        return found

    here = set(STEMS)
    wanted = {
        stem
        for stem in here
        if reached(stem) <= here
        and all(states.get(one, "nothing") in HOLDS for one in {stem, *reached(stem)})
        and all(one not in reached(one) for one in {stem, *reached(stem)})
    }
    found = throughout(
        STEMS, lambda stem: edges.get(stem, []) if stem in here else None, lambda s: states.get(s, "nothing")
    )
    assert found == wanted


class Stated:
    """A small project whose falsifier, a program that prints numbers, covers an obligation."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def write(self, *, unit: Mapping[str, Any] | None = None, printed: str = "1", **obligation: Any) -> None:
        extra = {"name": "proved", "pointer": "", **(unit or {})}
        clause = {
            **{key: value for key, value in CLAUSE.items() if key not in {"check", "subjects", "expect"}},
            "command": ["python", "-c", f"print({printed})", "{numbers}"],
            "subjects": {"live": {"numbers": "shipped"}},
            "metrics": [extra],
            "expect": [f"min({extra['name']}) >= 1"],
            "counter_examples": {"none": {"arguments": ["-c", "print(0)"]}},
            "covers": ["HOLDS-001"],
        }
        stated = {"id": "HOLDS-001", "type": "bound", "property": "it holds", **obligation}
        path = self.project.contract(clause)
        document = yaml.safe_load(path.read_text())
        document["proof_obligations"] = [stated]
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def discharge(self) -> None:
        ended = self.project.pv("discharge", "FALSIFY-SMALL-001")
        assert ended.code == Exit.ACCEPTED, ended.said

    def standing(self) -> tuple[str, list[str], str, bool]:
        (node,) = self.project.pv("graph", "--json").json["contracts"]
        one = node["states"]["HOLDS-001"]
        return one["state"], one["claims"], node["state"], node["throughout"]


@pytest.fixture
def stated(project: Project) -> Stated:
    return Stated(project)


@pytest.mark.parametrize("word", ["proved", "exhaustive"])
def test_a_record_that_says_so_makes_it_proved_or_exhaustive(stated: Stated, word: str) -> None:
    stated.write(unit={"name": word, "kind": "count", "low": 0, "high": 1})
    assert stated.standing() == ("nothing", [], "nothing", False)
    stated.discharge()
    assert stated.standing() == (word, [], word, True)
    stated.write(unit={"name": word, "kind": "count", "low": 0, "high": 1}, printed="1.0 / 1 and 1")
    assert stated.standing() == ("stale", [], "stale", False)


def test_a_count_of_other_things_is_no_proof(stated: Stated) -> None:
    stated.write(unit={"kind": "count", "low": 0, "high": 9})
    stated.discharge()
    assert stated.standing() == ("covered", [], "covered", True)


def test_what_an_author_says_is_shown_as_a_claim(stated: Stated) -> None:
    lean = {"theorem": "T", "status": "proved"}
    stated.write(unit={"name": "seen"}, lean=lean, exhaustive=True)
    assert stated.standing() == ("nothing", ["proved", "exhaustive"], "nothing", False)
    stated.discharge()
    assert stated.standing() == ("covered", ["proved", "exhaustive"], "covered", True)
    ended = stated.project.pv("graph")
    assert "  HOLDS-001  covered (claimed proved, exhaustive)" in ended.out


def test_a_claim_alone_holds_nothing(project: Project) -> None:
    path = project.contract(discharge_status=None)
    document = yaml.safe_load(path.read_text())
    lean = {"theorem": "T", "status": "proved"}
    document["proof_obligations"] = [{"id": "A", "type": "bound", "property": "p", "lean": lean}]
    path.write_text(yaml.safe_dump(document))
    (node,) = project.pv("graph", "--json").json["contracts"]
    assert node["states"] == {"A": {"state": "claimed proved", "claims": ["proved"]}}
    assert not node["throughout"]


def test_a_falsified_ship_blocking_falsifier_is_the_state_of_its_contract(project: Project) -> None:
    project.contract(expect=["max(distance) <= 0.0", "count(distance) == expected"])
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == Exit.REJECTED
    (node,) = project.pv("graph", "--json").json["contracts"]
    assert (node["state"], node["throughout"]) == ("falsified", False)


def test_what_depends_on_something_that_does_not_hold_does_not_hold_throughout(copied: Project) -> None:
    copied.contract(stem="base-v1", id="FALSIFY-BASE-001")
    path = Path(copied.root / "contracts" / "small-v1.yaml")
    path.write_text(path.read_text().replace("metadata:", "metadata:\n  depends_on: [base-v1]"))
    nodes = {node["contract"]: node for node in json.loads(copied.pv("graph", "--json").out)["contracts"]}
    assert (nodes["small-v1"]["state"], nodes["small-v1"]["throughout"]) == ("covered", False)
    assert nodes["base-v1"]["state"] == "nothing"
