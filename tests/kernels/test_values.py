"""Every kernel of the registry against its reference, on every sample that its specification has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pv_kernels.interpreter import Launch
from pv_kernels.registry import KERNELS
from pv_kernels.spec import Arguments, Case, ErrorCase, KernelSpec, Results
from pv_kernels.specs.samples import used
from torch import Tensor

from tests.kernels.memory import SENTINEL, apart, beside, far_apart, rowwise

pytestmark = pytest.mark.kernel

SPECS = list(KERNELS.values())
PADDINGS = (5, 7, 3, 11, 2, 9)
"""Elements between rows, others for each tensor: one that is read with the stride of another shows."""
EACH = pytest.mark.parametrize("spec", SPECS, ids=KERNELS)
SAMPLES = [
    pytest.param(spec, case, dtype, id=f"{spec.name}-{case.name}-{str(dtype).removeprefix('torch.')}")
    for spec in SPECS
    for case in (*spec.cases, *spec.special)
    for dtype in spec.dtypes
]
ERRORS = [pytest.param(spec, case, id=f"{spec.name}-{case.name}") for spec in SPECS for case in spec.errors]


def named(spec: KernelSpec, name: str, dtype: torch.dtype = torch.bfloat16) -> Arguments:
    return next(case for case in spec.cases if case.name == name).arguments(dtype)


def poisoned(spec: KernelSpec, expected: Results) -> dict[str, Tensor]:
    """Return a buffer of NaN for each result."""
    return {
        name: torch.full_like(result, float("nan"), dtype=dtype)
        for name, result, dtype in zip(spec.outputs, expected, spec.result_types(torch.bfloat16), strict=True)
    }


def part_used(spec: KernelSpec, arguments: Arguments, **changed: Tensor) -> float:
    expected = spec.expected(arguments)
    return used(spec.run({**arguments, **changed}), expected, spec.tolerance(arguments, expected))


@pytest.mark.parametrize(("spec", "case", "dtype"), SAMPLES)
def test_a_result_is_as_near_to_the_formula_as_its_arithmetic_allows(
    launches: list[Launch], spec: KernelSpec, case: Case, dtype: torch.dtype
) -> None:
    arguments = case.arguments(dtype)
    results, expected = spec.run(arguments), spec.expected(arguments)
    assert used(results, expected, spec.tolerance(arguments, expected)) <= 1
    assert tuple(result.dtype for result in results) == spec.result_types(dtype)
    assert bool(launches) == any(result.numel() for result in results)


@pytest.mark.parametrize(("spec", "case"), ERRORS)
def test_what_cannot_be_computed_is_refused_by_name(
    launches: list[Launch], spec: KernelSpec, case: ErrorCase
) -> None:
    with pytest.raises(case.error) as caught:
        spec.run(case.arguments())
    assert type(caught.value) is case.error
    assert case.words in str(caught.value)
    assert launches == []


@EACH
def test_twice_the_same_is_bitwise_the_same(launches: list[Launch], spec: KernelSpec) -> None:
    arguments = named(spec, "odd")
    for first, second in zip(spec.run(arguments), spec.run(arguments), strict=True):
        assert torch.equal(first, second)
    assert launches


@EACH
def test_a_row_does_not_depend_on_the_others(launches: list[Launch], spec: KernelSpec) -> None:
    arguments = named(spec, "weird", torch.float32)
    all_rows = spec.run(arguments)
    tensors = {name: value for name, value in arguments.items() if isinstance(value, Tensor)}
    one = spec.run({**arguments, **{name: value[3:4] for name, value in tensors.items() if len(value) == 5}})
    own = [index for index, name in enumerate(spec.outputs) if name not in spec.totals]
    if spec.batch_invariant:
        assert all(torch.equal(all_rows[index][3:4], one[index]) for index in own)
    else:
        allowed = spec.tolerance(arguments, spec.expected(arguments))
        room = tuple(2 * allowed[index][3:4] for index in own)
        rows = tuple(all_rows[index][3:4] for index in own)
        assert used(tuple(one[index] for index in own), rows, room) <= 1
    assert launches


@EACH
@pytest.mark.parametrize("name", ["weird", "odd"])
def test_buffers_of_nan_are_overwritten_whole_and_nothing_beside_them(
    launches: list[Launch], spec: KernelSpec, name: str
) -> None:
    arguments = named(spec, name)
    buffers = {
        keyword: apart(buffer, padding=pad, offset=3)
        for pad, (keyword, buffer) in zip(
            PADDINGS, poisoned(spec, spec.expected(arguments)).items(), strict=False
        )
    }
    results = spec.run({**arguments, **buffers})
    assert part_used(spec, arguments, **buffers) <= 1
    for result, buffer in zip(results, buffers.values(), strict=True):
        assert result.data_ptr() == buffer.data_ptr()
        assert not buffer.isnan().any()
        assert (beside(buffer) == SENTINEL).all()
    assert launches


@EACH
@pytest.mark.parametrize("offset", [0, 1])
def test_rows_may_lie_apart_and_begin_anywhere(launches: list[Launch], spec: KernelSpec, offset: int) -> None:
    arguments = named(spec, "odd")
    rows = rowwise(arguments, spec.expected(arguments))
    views = {
        name: apart(value, padding=pad, offset=offset)
        for pad, (name, value) in zip(PADDINGS, rows.items(), strict=False)
    }
    assert set(views) == set(rows) != set()
    assert part_used(spec, arguments, **views) <= 1
    for name, view in views.items():
        assert torch.equal(view, arguments[name]), "an input was written to"
        assert (beside(view) == SENTINEL).all()
    assert launches


@EACH
def test_inputs_stay_as_they_were(launches: list[Launch], spec: KernelSpec) -> None:
    arguments = named(spec, "weird")
    before = {name: value.clone() for name, value in arguments.items() if isinstance(value, Tensor)}
    spec.run(arguments)
    assert all(torch.equal(arguments[name], value) for name, value in before.items())
    assert launches


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.in_place], ids=lambda spec: spec.name)
def test_a_result_may_take_the_place_of_its_input(launches: list[Launch], spec: KernelSpec) -> None:
    arguments = named(spec, "odd")
    expected = spec.expected(arguments)
    allowed = spec.tolerance(arguments, expected)
    first = next(iter(rowwise(arguments, expected).values()))
    index = next(i for i, result in enumerate(expected) if result.shape == first.shape)
    results = spec.run({**arguments, spec.outputs[index]: first})
    assert results[index].data_ptr() == first.data_ptr()
    assert used(results, expected, allowed) <= 1
    assert launches


@EACH
def test_offsets_may_pass_the_range_of_32_bits(
    launches: list[Launch], spec: KernelSpec, tmp_path: Path
) -> None:
    """Five rows lie in sparse files, far enough apart for the last to be beyond 2^31 elements."""
    stride = 2**29 + 16
    arguments = named(spec, "weird")
    expected = spec.expected(arguments)
    inputs = {
        name: far_apart(value, tmp_path / name, stride)
        for name, value in rowwise(arguments, expected).items()
    }
    outputs = {
        # One number a row, or a column, lies in a place of its own.
        name: far_apart(buffer, tmp_path / name, stride) if buffer.ndim > 1 else buffer
        for name, buffer in poisoned(spec, expected).items()
    }
    views = [view for view in (*inputs.values(), *outputs.values()) if view.ndim > 1]
    assert views
    assert all((len(view) - 1) * view.stride(0) > 2**31 for view in views)
    assert part_used(spec, arguments, **inputs, **outputs) <= 1
    assert launches


@EACH
def test_launches_take_their_constants_from_the_tuning_space(
    launches: list[Launch], spec: KernelSpec
) -> None:
    for case in spec.cases:
        spec.run(case.arguments(torch.float32))
    spaces = {program.name: [tuning.options() for tuning in program.space] for program in spec.programs}
    for launch in launches:
        fitting = [name for name in spaces if name.split()[0] == launch.kernel]
        points = [point for name in fitting for point in spaces[name]]
        assert any(point.items() <= dict(launch.options).items() for point in points), launch
    assert {launch.kernel for launch in launches} == {name.split()[0] for name in spaces}, (
        "a program is never used"
    )


@EACH
def test_one_call_is_as_many_launches_as_are_claimed(launches: list[Launch], spec: KernelSpec) -> None:
    spec.run(named(spec, "qwen2_5_7b" if spec.name != "softmax" else "thousands_of_keys"))
    assert len(launches) == spec.launches


@EACH
def test_bytes_and_operations_are_counted(spec: KernelSpec) -> None:
    for case in spec.cases:
        arguments = case.arguments(torch.bfloat16)
        sizes = list(zip(spec.expected(arguments), spec.result_types(torch.bfloat16), strict=True))
        written = sum(dtype.itemsize * result.numel() for result, dtype in sizes)
        elements = sum(2 * result.numel() for result, dtype in sizes if dtype == torch.bfloat16)
        assert spec.traffic(arguments) >= written
        whole = all(value.numel() for value in arguments.values() if isinstance(value, Tensor))
        # Where one of several inputs is empty, the others may still be computed with.
        assert spec.operations(arguments) > 0 or not (written and whole)
        assert spec.operations(arguments) == 0 or written
        double = {
            name: value.float() if isinstance(value, Tensor) and value.dtype == torch.bfloat16 else value
            for name, value in arguments.items()
        }
        # What is of the elements' type takes twice the bytes, what is of another type as many as before.
        assert elements <= spec.traffic(double) - spec.traffic(arguments) <= spec.traffic(arguments)
