from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pv.codes import find_code
from pv.contract import load_contract
from pv.explain.code import render as render_code
from pv.explain.falsifier import SECTIONS, as_json, render, sections
from pv.project import Project as Surroundings

if TYPE_CHECKING:
    from pv.explain.section import Section
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def told(project: Project, identifier: str = ID) -> dict[str, Section]:
    contract = load_contract(project.root / "contracts" / "small-v1.yaml")
    falsifier = next(f for f in contract.falsifiers if f.id == identifier)
    found = sections(contract, falsifier, Surroundings(project.root))
    json.dumps(as_json(falsifier.id, found))
    return found


def test_a_discharged_falsifier(discharged: Project) -> None:
    found = told(discharged)
    assert list(found) == [
        *("claim", "check", "rule", "subjects", "counter_examples", "status", "verdict", "citations")
    ]
    text = "\n".join(render("small-v1#A", found))
    for line in (
        "small-v1#A",
        "  prediction   none lies further than a quarter from a whole one",
        "  small_checks.wholeness:wholeness  (small_checks/wholeness.py:19)",
        "      Record the distance of every number.",
        "  records distance  a number from 0 to 0.5",
        "  records expected  a count, at least 0",
        "  at every level:\n      max(distance) <= 0.25\n      count(distance) == expected",
        "  functional: numbers = stand-in (sha256 ",
        "  one_half: damages numbers (caught)",
        "  DISCHARGED: ",
        "  live: Pass on shipped, nearest ",
        "      evidence/small-v1/FALSIFY-SMALL-001/live-shipped-cpu.json",
        "cites\n  a book",
    ):
        assert line in text
    assert found["verdict"].data[-1]["outcome"] == "Pass"
    assert found["counter_examples"].data == [
        {"name": name, "damages": "numbers", "caught": True} for name in ("one_half", "one_missing")
    ]


def test_one_that_never_ran(project: Project) -> None:
    project.contract(
        aliases=["FALSIFY-OLD-001"],
        subjects={"functional": {"numbers": "stand-in"}, "live": {"numbers": "far-away"}},
        expect={"*": ["max(distance) <= 0.25"], "live": ["max(distance) <= 0.2"]},
        counter_examples=None,
        discharge_status="DISCHARGED",
        needs={"live": {"gpu": ">=8.0", "modules": ["json"]}},
        outcome="refuted",
        satisfying_example={"with": {"copies": 2}},
        **{"with": {"copies": 1}},
    )
    found = told(project)
    text = "\n".join(render(ID, found))
    for line in (
        "known as     FALSIFY-OLD-001",
        "refuted: it is known to be false",
        "with copies = 1",
        "at algorithm, functional level:\n      max(distance) <= 0.25\n  at live level:",
        "live: numbers = far-away (not pinned: supports no status)",
        "that it holds where only this is otherwise:\n      with: copies = 2",
        "the contract says DISCHARGED",
        f"pv discharge small-v1#{ID}",
        "the live level needs a GPU of >=8.0",
        "the live level needs the module json",
    ):
        assert line in text
    assert "verdict" not in found


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"check": "small_checks.gone:gone"}, "nothing: module small_checks.gone is in none of"),
        ({"check": None, "expect": None}, f"nothing: small-v1.yaml:8:3: no check is bound to {ID}"),
        ({"counter_examples": []}, "nothing: no counter-example shows that it can fail"),
        ({"counter_examples": None}, "harmless: damages numbers (no evidence)"),
        ({"counter_examples": ["gone"]}, "gone: damages nothing, it is not planted (no evidence)"),
        ({"subjects": {"live": {"numbers": "gone"}}}, "live: numbers = gone (not in pv.toml)"),
        ({"covers": ["GONE"]}, "GONE: the contract has no such obligation"),
        ({"excluded": "a rule about meetings"}, "excluded     a rule about meetings"),
    ],
)
def test_what_is_wrong_is_said(project: Project, changes: dict[str, Any], line: str) -> None:
    project.contract(**changes)
    text = "\n".join(render(ID, told(project)))
    assert line in text.replace(f"{project.root}/contracts/", "")


def test_what_it_covers_and_who_waits(project: Project) -> None:
    first = dict(project.load().falsifiers[0].raw) | {"covers": ["O-001"], "blocked_by": ["B"]}
    path = project.contract(first, {"id": "B"}, {"id": "C", "blocked_by": [ID], "ship_blocking": True})
    path.write_text(
        path.read_text(encoding="utf-8")
        + "proof_obligations: [{id: O-001, type: bound, property: whole, formal: d <= 1/4}]\n",
        encoding="utf-8",
    )
    found = told(project)
    assert found["covers"].lines == ["O-001 (bound): whole", "    d <= 1/4"]
    assert found["waiting"].data == {"blocks": ["small-v1#C"], "blocked_by": ["small-v1#B"]}
    assert found["waiting"].lines[0] == "waits on small-v1#B"


def test_a_gate_says_what_it_cites(project: Project) -> None:
    first = dict(project.load().falsifiers[0].raw)
    basis = {"d": {"falsifier": ID, "metric": "distance", "level": "live"}}
    project.contract(first, {"id": "GATE", "basis": basis, "expect": ["max(d) <= 0.2"]})
    found = told(project, "GATE")
    assert found["check"].lines == [f"d: distance of {ID} at live level, from its evidence"]
    assert found["check"].data == basis


def test_a_command_and_an_investigation(project: Project) -> None:
    project.contract(
        check=None,
        command=["python", "-c", "print(1)"],
        metrics=[{"name": "exit_code", "kind": "count"}, {"name": "time", "unit": "s", "pointer": ""}],
        subjects=None,
        expect=["exit_code == 0"],
        counter_examples={"other": {"arguments": ["-c", "print(2)"]}},
    )
    front = {
        "id": "FINDING-A",
        "title": "t",
        "date": "2026-11-20",
        "status": "open",
        "falsifiers": [ID],
        "evidence": [ID],
        "interpretation": "numbers drift",
        "five_whys_omitted": "seen at once",
    }
    (project.root / "findings").mkdir()
    (project.root / "findings" / "a.md").write_text(f"---\n{json.dumps(front)}\n---\n", encoding="utf-8")
    found = told(project)
    text = "\n".join(render(ID, found))
    assert "command:python -c print(1)" in text
    assert "records time       a number, in s" in text
    assert "FINDING-A (2026-11-20, open): t" in text


def test_every_section_is_reached(discharged: Project) -> None:
    assert set(told(discharged)) < set(SECTIONS)


def test_a_code_says_where_it_weighs_less() -> None:
    code = find_code("PV-COVER-001")
    assert code is not None
    lines = list(render_code(code))
    assert lines[0] == "PV-COVER-001 (error; nothing in contracts that use none of our fields)"
    assert lines[1] == f"  {code.summary}"
    assert f"    {code.bad.splitlines()[0]}" in lines
    assert all(len(line) <= 120 for line in lines)
