"""A specification that would leave something untested is refused where it is written."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from pv_kernels.errors import KernelError, ShapeError, UnknownDtypeError
from pv_kernels.registry import KERNELS
from pv_kernels.spec import Case, ErrorCase, KernelSpec, Program
from pv_kernels.tuning import Tuning

SPEC = KERNELS["swiglu"]


def changed(**changes: Any) -> KernelSpec:
    return dataclasses.replace(SPEC, **changes)


def test_names_of_the_registry_are_those_of_the_specifications() -> None:
    assert {name: spec.name for name, spec in KERNELS.items()} == {name: name for name in KERNELS}
    assert len(KERNELS) >= 5


@pytest.mark.parametrize(
    "group", ["dtypes", "cases", "special", "errors", "outputs", "programs", "properties"]
)
def test_a_group_that_is_empty_or_repeats_itself_is_refused(group: str) -> None:
    with pytest.raises(ValueError, match=f"it has no {group}"):
        changed(**{group: ()})
    members = getattr(SPEC, group)
    with pytest.raises(ValueError, match=f"{group} repeat"):
        changed(**{group: (*members, members[0])})


@pytest.mark.parametrize("missing", ["empty", "one_row", "odd"])
def test_the_weird_shapes_are_asked_for(missing: str) -> None:
    others = tuple(case for case in SPEC.cases if case.name != missing)
    with pytest.raises(ValueError, match=rf"no case is named \['{missing}'\]"):
        dataclasses.replace(SPEC, cases=others)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "no name"}, "not an identifier"),
        ({"special": (dataclasses.replace(SPEC.special[0], states=""),)}, "do not say"),
        ({"outputs": ("output",)}, "takes no buffer"),
        ({"totals": ("loss",)}, r"\['loss'\] are said"),
        ({"types": {"loss": torch.float32}}, r"\['loss'\] are said"),
    ],
)
def test_other_mistakes_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(SPEC, **changes)


def test_a_type_that_triton_has_no_name_for_is_refused() -> None:
    with pytest.raises(UnknownDtypeError, match="complex64"):
        dataclasses.replace(SPEC, dtypes=(torch.complex64,))


def test_an_error_case_names_one_error_and_its_words() -> None:
    for error, words in ((KernelError, "x"), (ShapeError, "")):
        with pytest.raises(ValueError, match="name one error"):
            ErrorCase("any", dict, error, words)


def test_a_program_has_a_type_or_a_constant_for_every_parameter_and_no_other() -> None:
    program = SPEC.programs[0]
    short = {name: written for name, written in program.signature.items() if name != "columns"}
    for signature in (short, {**program.signature, "rows": "i32"}):
        with pytest.raises(ValueError, match="its parameters are"):
            dataclasses.replace(program, signature=signature)
    for space in ((), (program.space[0], program.space[0])):
        with pytest.raises(ValueError, match="empty, or repeats"):
            Program(program.kernel, program.signature, space)


def test_the_same_seed_draws_the_same() -> None:
    case: Case = SPEC.cases[0]
    first, second, other = (case.arguments(torch.float32, seed)["gate"] for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_point_of_a_tuning_space_says_what_it_is() -> None:
    tuning = Tuning({"block": 64}, warps=2)
    assert tuning.name == "block=64 warps=2 stages=3"
    assert tuning.options() == {"block": 64, "num_warps": 2, "num_stages": 3, "enable_fp_fusion": True}
