"""Every program in every configuration, for GPUs that are not here; and what such a check must notice."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
import triton.language as tl
from pv_kernels.compilation import CAPABILITIES, SHARED_LIMITS, compile_program
from pv_kernels.language import jit
from pv_kernels.registry import KERNELS
from pv_kernels.spec import KernelSpec, Program
from pv_kernels.tuning import Tuning

pytestmark = pytest.mark.kernel

# A program that two specifications have, as of a rotation forth and back, is compiled once.
OWNERS = {id(program): (spec, program) for spec in KERNELS.values() for program in spec.programs}
POINTS = [(spec, program, tuning) for spec, program in OWNERS.values() for tuning in program.space]
BUILDS = [
    # One GPU and one type each, in turn; the checks of the contracts compile all of each.
    pytest.param(
        program,
        tuning,
        spec.compiled_in(program)[place // len(CAPABILITIES) % len(spec.compiled_in(program))],
        CAPABILITIES[place % len(CAPABILITIES)],
        id=f"{spec.name}-{program.name}-{tuning.name}",
    )
    for place, (spec, program, tuning) in enumerate(POINTS)
]
CLAIM_WIDE_LOADS = [
    spec
    for spec in {id(spec.programs): spec for spec in KERNELS.values()}.values()
    if any(program.wide_loads for program in spec.programs)
]


@pytest.mark.parametrize(("program", "tuning", "dtype", "capability"), BUILDS)
def test_every_configuration_compiles_and_is_what_it_claims(
    program: Program, tuning: Tuning, dtype: torch.dtype, capability: int, tmp_path: Path
) -> None:
    compiled = compile_program(program, tuning, dtype, capability, tmp_path)
    assert f".target sm_{capability}" in compiled.ptx
    assert compiled.doubles == ()
    assert compiled.spilled_bytes == 0
    assert compiled.wide_loads >= program.wide_loads
    assert compiled.wide_copies >= program.wide_copies
    assert compiled.shared <= SHARED_LIMITS[capability]
    assert (compiled.matrix_instructions > 0) == (program.matrix_units and dtype.itemsize == 2)
    assert 0 < compiled.registers <= 255


@jit
def double_kernel(x_ptr: tl.tensor, block: tl.constexpr) -> None:
    """Add a constant of float64, which promotes the whole expression."""
    offsets = tl.arange(0, block)
    third = tl.full([block], 1 / 3, dtype=tl.float64)
    tl.store(x_ptr + offsets, (tl.load(x_ptr + offsets) + third).to(tl.float32))


@jit
def spilling_kernel(x_ptr: tl.tensor, block: tl.constexpr) -> None:
    """Keep 256 numbers for each thread of a warp until the last is read: more than there are registers."""
    offsets = tl.arange(0, block)
    x = tl.load(x_ptr + offsets)
    tl.store(x_ptr + offsets, x / tl.sum(x, axis=0))


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_planted_double_constant_is_seen(capability: int, tmp_path: Path) -> None:
    program = Program(double_kernel, {"x_ptr": "*fp32:16"}, (Tuning({"block": 128}),))
    compiled = compile_program(program, program.space[0], torch.float32, capability, tmp_path)
    assert any("add" in line and ".f64" in line for line in compiled.doubles)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_planted_spill_is_seen(capability: int, tmp_path: Path) -> None:
    program = Program(spilling_kernel, {"x_ptr": "*fp32:16"}, (Tuning({"block": 8192}, warps=1),))
    compiled = compile_program(program, program.space[0], torch.float32, capability, tmp_path)
    assert compiled.spilled_bytes > 0


@pytest.mark.parametrize("spec", CLAIM_WIDE_LOADS, ids=lambda spec: spec.name)
def test_a_planted_scalar_load_is_seen(spec: KernelSpec, tmp_path: Path) -> None:
    """Nothing is known to be divisible, as for a view that begins anywhere: no load can be wide."""
    for program in (program for program in spec.programs if program.wide_loads):
        unaligned = {name: written.removesuffix(":16") for name, written in program.signature.items()}
        scalar = dataclasses.replace(program, signature=unaligned)
        compiled = compile_program(scalar, program.space[0], torch.bfloat16, 80, tmp_path)
        assert compiled.wide_loads < program.wide_loads
