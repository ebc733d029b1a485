"""Old spellings rewritten: what is said of a contract and its clauses stays, and every other byte."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pv.contract import SPELLINGS
from pv.document import parse
from pv.normal_form import clause_digest
from pv.rewrites import old_spellings
from pv.rewriting import Rewritten, judged, rewrite
from pv.shape import build

HEAD = """\
metadata:
  version: "1.0.0"
  description: x
  references: [a book]
  kind: pattern
"""


def migrated(text: str) -> Rewritten:
    return rewrite(text, "x.yaml", old_spellings)


def codes(text: str) -> Counter[tuple[str, str]]:
    return Counter((finding.code, finding.severity) for finding in judged(text, "x.yaml").findings)


def test_a_contract_without_old_spellings_is_left_and_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pv.rewriting.judged", None)
    text = f"{HEAD}falsification_tests:\n- {{id: A-1, rule: r, prediction: p, if_fails: f}}\n"
    assert migrated(text) == Rewritten(text, (), (), ())


def test_each_alias_is_rewritten_where_it_stands_and_nothing_else() -> None:
    text = HEAD + (
        "proof_obligations:\n"
        '- {type: bound, statement: "a", "verification": a < 1} # description: no key\n'
        "falsification_tests:\n"
        "- id: A-1\n"
        "  description:   r # expected\n"
        "  'expected': |\n"
        "    fails_if: no key\n"
        "\n"
        "  fails_if: f\n"
        "  command: cargo test x\n"
        "  unknown: {description: kept, expected: kept}\n"
        "other: {description: kept, statement: kept}\n"
    )
    after = migrated(text)
    assert after.text == HEAD + (
        "proof_obligations:\n"
        '- {type: bound, property: "a", "formal": a < 1} # description: no key\n'
        "falsification_tests:\n"
        "- id: A-1\n"
        "  rule:   r # expected\n"
        "  'prediction': |\n"
        "    fails_if: no key\n"
        "\n"
        "  if_fails: f\n"
        "  test: cargo test x\n"
        "  unknown: {description: kept, expected: kept}\n"
        "other: {description: kept, statement: kept}\n"
    )
    assert [f"{one.where.line}:{one.where.column} {one.said}" for one in after.made] == [
        "7:17 statement is now property",
        "7:33 verification is now formal",
        "10:3 description is now rule",
        "11:3 expected is now prediction",
        "14:3 fails_if is now if_fails",
        "15:3 command is now test",
    ]
    assert (after.left, after.reworded) == ((), ())


def test_a_command_that_is_run_is_no_old_spelling() -> None:
    clause = "{id: A-1, rule: r, prediction: p, if_fails: f, command: [echo, x]}"
    text = f"{HEAD}falsification_tests:\n- {clause}\n"
    assert migrated(text).text == text


@pytest.mark.parametrize("name", ["falsification", "falsifications", "falsifiers", "falsification_test"])
def test_falsifiers_that_nothing_reads_are_read_and_then_spelled_anew(name: str) -> None:
    item = "- {id: A-1, description: r, expected: p, fails_if: f}\n"
    after = migrated(f"{HEAD}{name}:\n{item}")
    assert after.text == f"{HEAD}falsification_tests:\n- {{id: A-1, rule: r, prediction: p, if_fails: f}}\n"
    assert codes(after.text) == Counter()
    assert codes(f"{HEAD}{name}:\n{item}")


LEFT = {
    "falsification: {method: by hand}\n": "falsification_tests has: it is no list with items",
    "falsification: []\n": "it is no list with items",
    "falsification:\n- by hand\n": "item 1 is no mapping",
    "falsification:\n- {id: A-1, rule: r}\n- {rule: r}\n": "item 2 has no id",
    "falsifiers:\n- {id: A-1, name: n}\n": "item 1 has none of basis, check, command, description,",
    "falsification:\n- {id: A-1, rule: r}\nfalsification_tests: []\n": "there is falsification_tests already",
    "falsification:\n- {id: A-1, rule: r, if_fails: f}\n": "it would bring error[SCHEMA-008]",
    "falsification:\n- {id: A-1, rule: 1}\n": "it would bring error[SCHEMA-000]",
    "obligations:\n- {name: n}\n": "item 1 has none of formal, property, statement, verification",
    "qa-gate: text\n": "it would bring error[SCHEMA-000]",
    "kind: schema\n": "metadata.kind is 'pattern'; keep one of the two",
    "kind: nothing\n": "metadata.kind is 'pattern'; keep one of the two",
    "falsification_tests: &f\n- &a {id: A-1, description: r, expected: p, fails_if: f}\ntwin: *f\n": (
        "cannot be written here without changing something else: it has an anchor"
    ),
}


@pytest.mark.parametrize("block", LEFT)
def test_what_is_left_is_told_with_its_place_and_the_reason(block: str) -> None:
    after = migrated(HEAD + block)
    assert after.text == HEAD + block
    assert all(LEFT[block] in str(one) for one in after.left)
    assert re.match(r"x\.yaml:\d+:\d+: note: left as it is \(", str(after.left[0]))


def test_one_rewrite_that_must_not_be_made_keeps_no_other_from_being_made() -> None:
    text = f"{HEAD}falsification:\n- {{id: A-1, rule: r}}\nobligations:\n- {{statement: s}}\n"
    after = migrated(text)
    assert (
        after.text == f"{HEAD}falsification:\n- {{id: A-1, rule: r}}\nproof_obligations:\n- {{property: s}}\n"
    )
    assert [one.said for one in after.left] == ["falsification is now falsification_tests"]


KERNEL = """\
metadata:
  version: "1.0.0"
  description: a kernel
  references: [a book]
"""


def test_a_kind_is_moved_where_that_changes_no_verdict() -> None:
    text = f"# one\nkind: kernel # two\n{KERNEL}# three\n"
    after = migrated(text)
    assert after.text == f"# one\n{KERNEL}  kind: kernel # two\n# three\n"
    assert codes(text) - codes(after.text) == Counter({("SCHEMA-018", "error"): 1})
    assert not codes(after.text) - codes(text)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("pattern", "it would take away error[PROVABILITY-001]"),
        ("paternal", "'paternal' is no kind; the kinds are kernel, "),
        ("[pattern]", "is no kind"),
    ],
)
def test_a_kind_stays_where_moving_it_would_change_a_verdict(kind: str, why: str) -> None:
    text = f"kind: {kind}\n{KERNEL}"
    after = migrated(text)
    assert after.text == text
    assert why in str(after.left[0])


def test_a_kind_that_is_said_twice_is_said_once() -> None:
    assert migrated(f"{HEAD}kind: pattern\n").text == HEAD
    commented = f"{HEAD}kind: pattern # why\n"
    assert migrated(commented).text == commented


def test_a_misshapen_contract_is_compared_by_its_shape_alone() -> None:
    text = f"{HEAD}falsification_tests:\n- {{id: A-1, description: 1, expected: p}}\n"
    after = migrated(text)
    assert after.text == text.replace("expected", "prediction")
    assert "it would bring error[SCHEMA-000]: falsification_tests[0].rule" in after.left[0].why


def test_evidence_is_about_the_same_clause_under_every_alias() -> None:
    text = (
        f"{HEAD}falsification_tests:\n- {{id: A-1, description: r, expected: p, fails_if: f, command: c}}\n"
    )
    (before,) = build(parse(text, "x.yaml")).falsifiers
    (after,) = build(parse(migrated(text).text, "x.yaml")).falsifiers
    assert after.raw != before.raw
    assert clause_digest(after) == clause_digest(before)


WORDS = st.sampled_from(
    ["r", "two words", "a # b", "description: x", "1", "no", "é", "q'", 'q"', "two\nlines\n"]
)
OLD_BLOCKS = {
    "falsification_tests": ["falsification_tests", "falsification", "Falsification-Tests", "falsifiers"]
}


@st.composite
def contracts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A contract in some spelling, and its values in the one that is used now."""

    def spelled(key: str) -> str:
        return draw(st.sampled_from(SPELLINGS[key]))

    new: list[dict[str, Any]] = []
    old: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 3))):
        values = {key: draw(WORDS) for key in ("rule", "prediction", "if_fails")}
        order = draw(st.permutations([*values, "id", "unknown", "test"]))
        rest = {"id": f"FALSIFY-A-{index}", "unknown": draw(WORDS), "test": draw(WORDS)}
        new.append({key: {**values, **rest}[key] for key in order})
        words = {key: spelled(key) for key in values} | {"test": draw(st.sampled_from(["test", "command"]))}
        old.append({words.get(key, key): value for key, value in new[-1].items()})
    obligations = [
        {"id": f"O-{i}", "property": draw(WORDS), "formal": f"{i}"} for i in range(draw(st.integers(0, 2)))
    ]
    spelled_obligations = [
        {spelled(key) if key in SPELLINGS else key: value for key, value in item.items()}
        for item in obligations
    ]
    head = yaml.safe_load(HEAD)
    block = draw(st.sampled_from(OLD_BLOCKS["falsification_tests"]))
    document = {**head, "proof_obligations": spelled_obligations, "x": {"rule": 1, "expected": 2}, block: old}
    wanted = {**document, "proof_obligations": obligations, "falsification_tests": new}
    if block != "falsification_tests":
        del wanted[block]
    text = yaml.safe_dump(
        document,
        default_flow_style=draw(st.sampled_from([None, True, False])),
        allow_unicode=True,
        sort_keys=False,
        indent=draw(st.integers(2, 6)),
        default_style=draw(st.sampled_from([None, '"', "'"])),
        line_break=draw(st.sampled_from(["\n", "\r\n"])),
    )
    return text, wanted


@given(contracts())
def test_whatever_the_spelling_the_result_is_the_one_that_is_used_now(
    case: tuple[str, dict[str, Any]],
) -> None:
    text, wanted = case
    after = migrated(text)
    assert parse(after.text, "x.yaml").value == wanted
    assert after.left == ()
    assert migrated(after.text) == Rewritten(after.text, (), (), ())
    gone = codes(text) - codes(after.text)
    assert {code for code, _ in gone} <= {"SCHEMA-019", "PV-DROPPED-001"}
    assert not codes(after.text) - codes(text)
    assert re.sub(r"[\w-]+(?=[\"']?:)", "", text) == re.sub(r"[\w-]+(?=[\"']?:)", "", after.text)


RESOURCES = sorted((Path(__file__).parent / "rules" / "resources").glob("*.yaml"))
RESOURCES = [path for path in RESOURCES if not path.name.startswith(("BINDING-", "PM-SHAPE-"))]
"""Of contracts: other files have no old spellings."""
OLD = dict(SPELLINGS.values())
KEYS = {
    "falsification_tests": re.compile(r"^((?:- |  )\s*)(rule|prediction|if_fails)(:.*)$"),
    "proof_obligations": re.compile(r"^((?:- |  )\s*)(property|formal)(:.*)$"),
}


def aged(text: str, seed: int) -> str:
    """Write keys in old spellings, by lines: it shares nothing with what writes them anew."""
    chance = random.Random(seed)
    lines = []
    block = ""
    for line in text.split("\n"):
        block = top[1] if (top := re.match(r"([a-z_]+):", line)) else block
        found = KEYS[block].match(line) if block in KEYS else None
        old = found and chance.random() < 0.7
        lines.append(f"{found[1]}{OLD[found[2]]}{found[3]}" if found and old else line)
    return "\n".join(lines)


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: path.stem)
def test_what_the_rules_are_tested_with_comes_back_from_old_spellings(path: Path, tmp_path: Path) -> None:
    name = str(tmp_path / path.name)
    text = path.read_text(encoding="utf-8")
    now = Counter((f.code, f.severity) for f in judged(text, name).findings)
    after = rewrite(text, name, old_spellings)
    assert rewrite(after.text, name, old_spellings).text == after.text
    gone = now - Counter((f.code, f.severity) for f in judged(after.text, name).findings)
    assert {code for code, _ in gone} <= {code for one in after.made for code in one.resolves or ()}
    if not after.made:
        for seed in range(2):
            assert rewrite(aged(text, seed), name, old_spellings).text == text


def test_the_resources_were_aged() -> None:
    changed = [path for path in RESOURCES if aged(text := path.read_text(encoding="utf-8"), 0) != text]
    assert len(changed) > 20
