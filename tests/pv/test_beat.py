from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv.beat import COMPUTE, DIRECTIONS, INCUMBENTS, beat_of, text_of
from pv.contract import Contract, load_contract
from pv.rules import judge

METADATA = {"version": "1.0.0", "description": "x", "references": ["y"], "kind": "beat-benchmark"}
BEAT: dict[str, Any] = {
    "incumbent": "llama.cpp",
    "metric": "tokens_per_sec",
    "direction": "higher_is_better",
    "beat_threshold": 100,
    "ci_gate_name": "speed",
    "approved_compute": "GPU",
}


def contract(folder: Path, **blocks: Any) -> Contract:
    path = folder / "a-v1.yaml"
    path.write_text(json.dumps({"metadata": METADATA} | blocks), encoding="utf-8")
    return load_contract(path)


def codes(folder: Path, **beat: Any) -> list[str]:
    return [finding.code for finding in judge(contract(folder, beat=BEAT | beat))]


@pytest.mark.parametrize("incumbent", [*INCUMBENTS, "PyTorch 2.9, eager", " Ollama "])
def test_an_incumbent_is_known_by_a_part_of_its_name(tmp_path: Path, incumbent: str) -> None:
    assert codes(tmp_path, incumbent=incumbent) == []
    assert codes(tmp_path, incumbent=incumbent.replace("o", "0").replace("l", "1")[:3]) == ["BEAT-002"]


@pytest.mark.parametrize("compute", [*COMPUTE, "cpu", " gpu "])
@pytest.mark.parametrize("direction", [*DIRECTIONS, f" {DIRECTIONS[0]} "])
def test_words_are_taken_with_blanks_around_them(tmp_path: Path, compute: str, direction: str) -> None:
    assert codes(tmp_path, approved_compute=compute, direction=direction) == []


def test_an_empty_block_breaks_every_rule_but_the_first(tmp_path: Path) -> None:
    found = {finding.code for finding in judge(contract(tmp_path, beat={}))}
    assert found == {f"BEAT-{number:03}" for number in range(2, 8)}
    assert {finding.code for finding in judge(contract(tmp_path))} == {"BEAT-001"}


def test_the_block_of_another_kind_is_not_judged(tmp_path: Path) -> None:
    other = contract(tmp_path, metadata=METADATA | {"kind": "pattern"}, beat={})
    assert beat_of(other) is None
    assert judge(other) == []


def test_a_text_that_is_not_there_is_empty() -> None:
    assert [text_of(block, "a") for block in ({}, {"a": None}, {"a": 1}, {"a": " b "})] == ["", "", "", "b"]
