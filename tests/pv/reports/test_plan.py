from __future__ import annotations

from pathlib import Path

import pytest

from pv.contract import Contract, Falsifier, load_contract
from pv.reports.plan import plan

TEXT = """metadata: {version: "1", description: x}
falsification_tests:
- {id: A, rule: r, prediction: p, check: "m:f", expect: [x > 1], subjects: {functional: {a: s}, live: {a: t}}}
- {id: B, rule: r, prediction: p}
- {id: C, rule: r, prediction: p, check: "m:f", expect: [x >= 1], excluded: a rule of process}
"""


@pytest.fixture
def chosen(tmp_path: Path) -> list[tuple[Contract, Falsifier]]:
    (tmp_path / "some-v1.yaml").write_text(TEXT, encoding="utf-8")
    contract = load_contract(tmp_path / "some-v1.yaml")
    return [(contract, falsifier) for falsifier in contract.falsifiers]


def test_counts_what_is_bound_and_says_where_it_is_judged(chosen: list[tuple[Contract, Falsifier]]) -> None:
    counts, only = plan(chosen)
    assert counts == "plan  3 falsifier(s): 1 with a check, 1 unbound, 1 excluded"
    assert only.startswith("      some-v1#A: counter-examples on the functional subjects, then the claim")
    assert only.endswith("of live, functional")


def test_says_what_must_be_installed(tmp_path: Path) -> None:
    path = tmp_path / "some-v1.yaml"
    text = TEXT.replace("live: {a: t}}}", "live: {a: t}}, needs: {live: {modules: [there, here]}}}")
    path.write_text(text, encoding="utf-8")
    contract = load_contract(path)
    assert list(plan([(contract, contract.falsifiers[0])]))[-1] == "      it needs the modules here and there"


def test_of_many_only_the_count(chosen: list[tuple[Contract, Falsifier]]) -> None:
    assert list(plan(chosen[:1] * 4)) == ["plan  4 falsifier(s): 4 with a check"]
