"""Mutants in real processes: what is caught, how, and what is no catch."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from tests.kernels.mutants.catalogue import Mutant
from tests.kernels.mutants.command import control
from tests.kernels.mutants.runner import run, run_one
from tests.kernels.mutants.stand_in import stand_in
from tests.kernels.mutants.suite import STAGES, stage_of

REFUSALS = "swiglu and refused"
SMALL = "swiglu-weird or swiglu-odd"


def planted(old: str, new: str) -> Mutant:
    whole = control("swiglu")
    assert old in whole.text
    return dataclasses.replace(whole, text=whole.text.replace(old, new), operator="planted", after=new)


def test_a_module_that_was_imported_is_not_replaced_without_a_word() -> None:
    before = list(sys.meta_path)
    with pytest.raises(RuntimeError, match="imported before its mutant"):
        stand_in("pv_kernels.swiglu", "")
    assert sys.meta_path == before


def test_every_stage_is_told_from_the_test() -> None:
    assert stage_of("a/test_values.py::test_twice_the_same_is_bitwise_the_same[softmax]") == "views"
    for test, stage in STAGES.items():
        assert stage_of(f"a/b.py::{test}[softmax-odd[1]") == stage


@pytest.mark.mutant
def test_outcomes_are_told_apart() -> None:
    kernel = "gated = gate * tl.sigmoid(gate) * up"
    mutants = {
        "samples": planted(kernel, "gated = gate * tl.sigmoid(gate)"),
        "crash": planted('"""Gate one', 'tl.load(gate_ptr + (1 << 45))\n    """Gate one'),
        "hang": planted("    same(gate=gate, up=up)\n", "    while True:\n        pass\n"),
        "import": planted("SPACE = (", "1 / 0\nSPACE = ("),
        "": planted(kernel, "gated = up * (gate * tl.sigmoid(gate))"),
    }
    outcomes = {
        outcome.stage: outcome.mutant
        for outcome in run(mutants.values(), 2, lambda one: run_one(one, quiet=45, only=SMALL))
    }
    assert outcomes == mutants


@pytest.mark.mutant
def test_a_suite_without_a_test_is_no_survival() -> None:
    with pytest.raises(RuntimeError, match="pytest ended with 5"):
        run_one(control("swiglu"), only="no_such_test")


@pytest.mark.mutant
def test_code_is_compiled_last_and_shows_what_no_value_does() -> None:
    """A constant of float64 that changes no digit of any sample is seen in the PTX alone."""
    only = f"({REFUSALS}) or compiles"
    assert run_one(control("swiglu"), only=only).stage == ""
    caught = run_one(planted("tl.sigmoid(gate)", "tl.sigmoid(gate).to(tl.float64)"), only=only)
    assert caught.stage == "compiled"
