"""The command lines of the contract are accepted as they stand, and refused with what is given besides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime.checks.options import refusals
from pv_runtime.formats import open_checkpoint

from pv.contract import load_contract

ROOT = Path(__file__).parents[3]
CONTRACT = load_contract(ROOT / "contracts/options-v1.yaml")
CHECK = "pv_runtime.checks.options:refusals"
GIVEN = {each.id[-3:]: {**each.arguments} for each in CONTRACT.falsifiers if each.check == CHECK}
Measure = Callable[..., dict[str, list[Any]]]


@pytest.fixture(autouse=True)
def process_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The check has a process of its own, and changes it."""
    monkeypatch.setattr(os, "fsync", os.fsync)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def failing(measure: Measure, number: str, planted: str | None = None) -> set[str]:
    run = measure(refusals, {"model": open_checkpoint(ROOT / "models/tiny-qwen2")}, planted, **GIVEN[number])
    (cases,) = run["cases"]
    assert len(run["accepted"]) == len(run["unnamed"]) == len(run["left"]) == cases
    return {name for name in ("accepted", "unnamed", "left") if sum(run[name]) > 0}


@pytest.mark.parametrize("number", ["001", "002", "003", "004"])
def test_every_case_is_refused_by_name_and_leaves_nothing(measure: Measure, number: str) -> None:
    assert failing(measure, number) == set()


@pytest.mark.parametrize(
    ("number", "planted", "seen_by"),
    [
        ("001", "synthetic_ignored", {"accepted", "left"}),
        ("001", "seed_ignored", {"accepted"}),
        ("002", "warmup_ignored", {"accepted", "left"}),
        ("003", "refused_too_late", {"left"}),
        ("003", "refused_without_a_name", {"unnamed"}),
        ("004", "limit_ignored", {"accepted"}),
    ],
)
def test_a_planted_defect_is_seen(measure: Measure, number: str, planted: str, seen_by: set[str]) -> None:
    assert failing(measure, number, planted) == seen_by


def test_without_what_is_given_besides_every_line_is_accepted(measure: Measure) -> None:
    model = open_checkpoint(ROOT / "models/tiny-qwen2")
    lines = GIVEN["004"]
    few = {**lines, "given": {name: options[:1] for name, options in lines["given"].items()}}
    run = measure(refusals, {"model": model}, "everything_ignored", **few)
    assert run["accepted"] == [1] * len(lines["lines"])
