"""In what two versions of a contract differ: examples by kind of change, and the algebra of the whole."""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.contract import SPELLINGS, Contract, ShapeError
from pv.document import parse
from pv.gate_weakened import weakened
from pv.meaning.change import REVERSED, Bump, Change, bump_of
from pv.meaning.contracts import compare_contracts
from pv.shape import build

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
Edit = Callable[[dict[str, Any]], object]

BASE: dict[str, Any] = {
    "metadata": {
        "version": "1.2.3",
        "description": "numbers",
        "references": ["a book"],
        "kind": "kernel",
        "depends_on": ["other-v1"],
        "locked_level": "L3",
    },
    "equations": {
        "rope": {
            "formula": "y = x",
            "domain": "x >= 0",
            "invariants": ["even", "odd"],
            "float_tolerance": 0.1,
        },
        "norm": {"formula": "z = x", "preconditions": ["x > 0"]},
    },
    "proof_obligations": [
        {"id": "A-1", "type": "bound", "property": "near", "formal": "|y| <= 1", "tolerance": 0.5},
        {"type": "invariant", "property": "every   length is kept", "applies_to": "all"},
    ],
    "falsification_tests": [
        {
            "id": "FALSIFY-A-001",
            "rule": "near",
            "prediction": "near",
            "if_fails": "far",
            "covers": ["A-1"],
            "check": "checks.near:near",
            "with": {"scale": 1},
            "subjects": {"functional": {"numbers": "small"}, "live": {"numbers": "large"}},
            "expect": ["min(cosine) >= 0.99", "count(cosine) == expected"],
            "counter_examples": ["flipped", "missing"],
            "must_detect": {"scale": 0.5},
            "needs": {"memory": "1 GiB", "gpu": "any"},
            "ship_blocking": True,
        },
        {
            "id": "FALSIFY-A-002",
            "rule": "prose",
            "prediction": "p",
            "if_fails": "f",
            "test": "somebody looks",
        },
    ],
    "kani_harnesses": [{"id": "KANI-1", "obligation": "A-1", "bound": 8}],
    "qa_gate": {"id": "QA", "name": "gate", "checks": ["one"], "min_coverage": 0.9},
    "kernel_structure": {"phases": [{"name": "load", "description": "loads"}]},
}


def contract(document: dict[str, Any]) -> Contract:
    return build(parse(json.dumps(document), "a-v1.yaml"))


def edited(*edits: Edit) -> dict[str, Any]:
    document = copy.deepcopy(BASE)
    for edit in edits:
        edit(document)
    return document


def put(*path: str | int, value: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        part: Any = document
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = copy.deepcopy(value)  # the next edit may reach into it

    return edit


def drop(*path: str | int) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        part: Any = document
        for step in path[:-1]:
            part = part[step]
        del part[path[-1]]

    return edit


def changes(*edits: Edit) -> tuple[Change, ...]:
    return compare_contracts(unchanged(), contract(edited(*edits)))


@cache
def unchanged() -> Contract:
    return contract(BASE)


ONE = ("falsification_tests", 0)
EDITS: dict[str, tuple[Edit, str, str]] = {
    "description": (put("metadata", "description", value="other"), "metadata", "reworded"),
    "source": (put("metadata", "references", value=["a book", "a paper"]), "metadata", "reworded"),
    "kind": (put("metadata", "kind", value="pattern"), "metadata", "changed"),
    "dependency": (put("metadata", "depends_on", value=[]), "metadata", "removed"),
    "enforced": (put("metadata", "enforcement_level", value="strict"), "metadata", "strengthened"),
    "formula": (put("equations", "rope", "formula", value="y = 2 x"), "equation rope", "changed"),
    "equation gone": (drop("equations", "norm"), "equation norm", "removed"),
    "equation new": (put("equations", "new", value={"formula": "w"}), "equation new", "added"),
    "invariant": (put("equations", "rope", "invariants", value=["odd"]), "equation rope", "removed"),
    "presumed": (
        put("equations", "norm", "preconditions", value=["x > 0", "x < 9"]),
        "equation norm",
        "weakened",
    ),
    "looser": (put("equations", "rope", "float_tolerance", value=0.2), "equation rope", "weakened"),
    "words": (put("proof_obligations", 0, "property", value="close"), "obligation A-1", "reworded"),
    "formal": (put("proof_obligations", 0, "formal", value="|y| <= 2"), "obligation A-1", "changed"),
    "tighter": (put("proof_obligations", 0, "tolerance", value=0.25), "obligation A-1", "strengthened"),
    "narrower": (
        put("proof_obligations", 1, "applies_to", value="rope"),
        "obligation every length is kept",
        "weakened",
    ),
    "withdrawn": (put("proof_obligations", 0, "not_applicable", value=True), "obligation A-1", "weakened"),
    "exhaustive": (put("proof_obligations", 0, "exhaustive", value=True), "obligation A-1", "strengthened"),
    "obligation gone": (drop("proof_obligations", 1), "obligation every length is kept", "removed"),
    "falsifier gone": (drop("falsification_tests", 1), "falsifier FALSIFY-A-002", "removed"),
    "prose rule": (put("falsification_tests", 1, "rule", value="x"), "falsifier FALSIFY-A-002", "changed"),
    "bound": (
        put("falsification_tests", 1, "check", value="a.b:c"),
        "falsifier FALSIFY-A-002",
        "strengthened",
    ),
    "rule's words": (put(*ONE, "rule", value="close"), "falsifier FALSIFY-A-001", "reworded"),
    "weaker": (put(*ONE, "expect", 0, value="min(cosine) >= 0.9"), "falsifier FALSIFY-A-001", "weakened"),
    "stronger": (
        put(*ONE, "expect", 0, value="min(cosine) > 0.99"),
        "falsifier FALSIFY-A-001",
        "strengthened",
    ),
    "another": (put(*ONE, "expect", 0, value="min(slope) >= 0.9"), "falsifier FALSIFY-A-001", "changed"),
    "in other words": (
        put(*ONE, "expect", 0, value="all(cosine >= 0.99)"),
        "falsifier FALSIFY-A-001",
        "reworded",
    ),
    "line gone": (drop(*ONE, "expect", 1), "falsifier FALSIFY-A-001", "weakened"),
    "by level": (
        put(*ONE, "expect", value={"live": ["min(cosine) >= 0.99", "count(cosine) == expected"]}),
        "falsifier FALSIFY-A-001",
        "weakened",
    ),
    "plant gone": (put(*ONE, "counter_examples", value=["flipped"]), "falsifier FALSIFY-A-001", "weakened"),
    "all plants": (drop(*ONE, "counter_examples"), "falsifier FALSIFY-A-001", "strengthened"),
    "level gone": (drop(*ONE, "subjects", "live"), "falsifier FALSIFY-A-001", "weakened"),
    "subject": (put(*ONE, "subjects", "live", "numbers", value="huge"), "falsifier FALSIFY-A-001", "changed"),
    "smaller dose": (put(*ONE, "must_detect", "scale", value=0.1), "falsifier FALSIFY-A-001", "strengthened"),
    "dose gone": (drop(*ONE, "must_detect"), "falsifier FALSIFY-A-001", "weakened"),
    "argument": (put(*ONE, "with", "scale", value=2), "falsifier FALSIFY-A-001", "changed"),
    "memory": (put(*ONE, "needs", "memory", value="2 GiB"), "falsifier FALSIFY-A-001", "reworded"),
    "no GPU": (drop(*ONE, "needs", "gpu"), "falsifier FALSIFY-A-001", "weakened"),
    "excluded": (put(*ONE, "excluded", value="nobody can"), "falsifier FALSIFY-A-001", "weakened"),
    "uncovered": (drop(*ONE, "covers"), "falsifier FALSIFY-A-001", "weakened"),
    "not blocking": (drop(*ONE, "ship_blocking"), "falsifier FALSIFY-A-001", "weakened"),
    "unknown key": (put(*ONE, "dimensions", value=3), "falsifier FALSIFY-A-001", "changed"),
    "claimed": (put(*ONE, "discharge_status", value="FUNCTIONAL"), "falsifier FALSIFY-A-001", "noted"),
    "harness": (put("kani_harnesses", 0, "bound", value=4), "harness KANI-1", "weakened"),
    "gate": (put("qa_gate", "checks", value=["one", "two"]), "qa_gate", "added"),
    "gate's threshold": (put("qa_gate", "min_coverage", value=0.1), "qa_gate", "changed"),
    "gate's words": (put("qa_gate", "description", value="words"), "qa_gate", "reworded"),
    "unlocked": (put("metadata", "locked_level", value="L2"), "metadata", "weakened"),
    "proved": (
        put("proof_obligations", 0, "lean", value={"theorem": "T", "status": "proved"}),
        "obligation A-1",
        "strengthened",
    ),
    "block": (drop("kernel_structure"), "kernel_structure", "changed"),
    "summary": (put("summary", value="words"), "summary", "reworded"),
}
"""Each in a part of its own, or in a key of its own: any two of them can be made together."""


@pytest.mark.parametrize("name", EDITS)
def test_one_change_is_one_difference_in_its_part_with_its_effect(name: str) -> None:
    edit, part, effect = EDITS[name]
    found = changes(edit)
    assert {(change.part, change.effect) for change in found} == {(part, effect)}, found
    assert all(change.what and change.where.path == "a-v1.yaml" for change in found)


def test_a_rule_is_compared_at_each_level_at_which_the_claim_is_judged() -> None:
    without = [
        contract(edited(drop(*ONE, "subjects"), put(*ONE, "expect", value=expect)))
        for expect in (["a <= 1"], {"live": ["a <= 1"]}, {"live": ["a <= 1"], "algorithm": ["a <= 1"]})
    ]
    said = [
        [(change.effect, change.what) for change in compare_contracts(without[0], other)] for other in without
    ]
    assert said == [
        [],
        [("weakened", "expect.algorithm: weakened")],
        [("reworded", "expect: levels are told apart otherwise")],
    ]


@pytest.mark.parametrize(
    ("key", "old", "new", "effect"),
    [
        ("locked_level", "L3", None, "weakened"),
        ("locked_level", "L3", "L4", "strengthened"),
        ("locked_level", "L3", "other", "changed"),
        ("enforcement_level", "basic", None, "weakened"),
        ("enforcement_level", "proven", "strict", "weakened"),
    ],
)
def test_a_level_that_may_not_be_fallen_below(key: str, old: str, new: str | None, effect: str) -> None:
    before, after = (contract(edited(put("metadata", key, value=value))) for value in (old, new))
    assert [change.effect for change in compare_contracts(before, after)] == [effect]


def test_a_proof_that_is_no_longer_said_to_be_one_is_a_weaker_claim() -> None:
    proved = {"theorem": "T", "status": "proved"}
    before, other, lost = (
        contract(edited(put("proof_obligations", 0, "lean", value=block)))
        for block in (proved, proved | {"theorem": "U"}, proved | {"status": "sorry"})
    )
    assert [change.effect for change in compare_contracts(before, other)] == ["reworded"]
    assert [change.effect for change in compare_contracts(before, lost)] == ["weakened"]


def test_what_the_gate_calls_weakened_is_weaker_here() -> None:
    edits = [EDITS[name][0] for name in ("uncovered", "not blocking")]
    after = contract(edited(*edits, drop("proof_obligations", 0)))
    assert len([*weakened(contract(BASE), after)]) == 3
    found = compare_contracts(contract(BASE), after)
    assert [change.effect for change in found] == ["removed", "weakened", "weakened"]


def test_an_obligation_that_gets_an_id_and_a_falsifier_that_is_renamed_stay_what_they_were() -> None:
    (named,) = changes(put("proof_obligations", 1, "id", value="A-2"))
    assert (named.effect, named.key) == ("reworded", "id")
    renamed = changes(put(*ONE, "id", value="FALSIFY-A-009"), put(*ONE, "aliases", value=["FALSIFY-A-001"]))
    assert {(change.effect, change.key) for change in renamed} == {
        ("reworded", "id"),
        ("reworded", "aliases"),
    }
    gone = changes(put(*ONE, "id", value="FALSIFY-A-009"))
    assert {change.effect for change in gone} == {"removed", "added"}


@pytest.mark.parametrize("block", ["proof_obligations", "falsification_tests", "kani_harnesses"])
def test_what_stands_twice_is_two(block: str) -> None:
    def again(document: dict[str, Any]) -> None:
        document[block].append(copy.deepcopy(document[block][0]))

    twice = contract(edited(again))
    assert compare_contracts(twice, twice) == ()
    (change,) = compare_contracts(contract(BASE), twice)
    assert change.effect == "added"
    (change,) = compare_contracts(twice, contract(BASE))
    assert change.effect == "removed"


def test_the_same_under_every_spelling_is_no_difference() -> None:
    other = edited()
    (first, second) = other["falsification_tests"]
    for name in ("rule", "prediction", "if_fails"):
        first[SPELLINGS[name][1]] = first.pop(name)
    other["proof_obligations"][0]["statement"] = other["proof_obligations"][0].pop("property")
    other["proof_obligations"][1]["property"] = "every length\n  is kept"
    other["equations"] = [{"id": name} | equation for name, equation in other["equations"].items()]
    first["expect"] = {"*": ["count(cosine)==expected", "(min(cosine)  >= 0.99)"]}
    first["needs"]["memory"] = "1024 MiB"
    first["counter_examples"].reverse()
    del other["proof_obligations"][1]["applies_to"]
    other["falsification_tests"] = [second, first]
    other["proof_obligations"].reverse()
    assert compare_contracts(contract(BASE), contract(shuffled(other, 1))) == ()
    text = yaml.safe_dump(other, sort_keys=True).replace("\n- ", "\n# a comment\n\n- ")
    assert compare_contracts(contract(BASE), build(parse(text, "a-v1.yaml"))) == ()


def shuffled(value: Any, seed: int) -> Any:
    """Return `value` with the keys of all mappings in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.Random(seed).shuffle(keys)
        return {key: shuffled(value[key], seed) for key in keys}
    return [shuffled(part, seed) for part in value] if isinstance(value, list) else value


SOME = st.lists(st.sampled_from(sorted(EDITS)), unique=True, max_size=6)


def applied(names: list[str]) -> Contract | None:
    """Return the contract after the edits; None where they do not fit together."""
    try:
        return contract(edited(*(EDITS[name][0] for name in names)))
    except (LookupError, TypeError, ShapeError):
        return None


@cache
def by_itself(name: str) -> tuple[Change, ...]:
    return changes(EDITS[name][0])


def told(found: tuple[Change, ...]) -> Counter[tuple[str, str, str]]:
    return Counter((change.part, change.key, change.effect) for change in found)


@settings(deadline=None, max_examples=40)
@given(SOME, st.integers())
def test_nothing_differs_from_itself_in_whatever_order(names: list[str], seed: int) -> None:
    if (one := applied(names)) is not None:
        again = build(parse(json.dumps(shuffled(one.document.value, seed)), "b-v1.yaml"))
        assert compare_contracts(one, one) == ()
        assert compare_contracts(one, again) == ()


@settings(deadline=None, max_examples=60)
@given(SOME, SOME)
def test_turned_round_what_came_went_and_what_was_weaker_is_stronger(one: list[str], two: list[str]) -> None:
    before, after = applied(one), applied(two)
    if before is None or after is None:
        return
    there, back = compare_contracts(before, after), compare_contracts(after, before)
    turned = tuple(
        Change(change.part, change.key, REVERSED[change.effect], change.what, change.where)
        for change in there
    )
    assert told(back) == told(turned)


@given(SOME, SOME)
def test_more_changes_ask_for_no_less(one: list[str], two: list[str]) -> None:
    first, second = ([change for name in names for change in by_itself(name)] for names in (one, two))
    both = bump_of([*first, *second])
    assert both == max(bump_of(first), bump_of(second))
    assert bump_of(first) == max((bump_of(by_itself(name)) for name in one), default=Bump.NONE)


APART = ("description", "formula", "tighter", "narrower", "weaker", "argument", "harness", "gate", "summary")


@settings(deadline=None, max_examples=40)
@given(st.sets(st.sampled_from(APART)), st.sets(st.sampled_from(APART)))
def test_changes_of_different_parts_ask_together_for_what_the_greatest_asks(
    one: set[str], two: set[str]
) -> None:
    bumps = [bump_of(changes(*(EDITS[name][0] for name in names))) for names in (one, two, one | two)]
    assert bumps[2] == max(bumps[:2])
    assert {*told(changes(*(EDITS[name][0] for name in one)))} <= {
        *told(changes(*(EDITS[name][0] for name in one | two)))
    }


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the contracts written by others are not here")
def test_contracts_of_others_differ_from_each_other_and_not_from_themselves() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(CORPUS.glob("*-kernel-v1.yaml"))[:12]]
    contracts = [build(parse(text, "a-v1.yaml")) for text in texts]
    assert len(contracts) == 12
    for one in contracts:
        assert compare_contracts(one, one) == ()
    assert all(compare_contracts(*two) for two in itertools.pairwise(contracts))
