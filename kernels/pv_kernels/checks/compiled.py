"""What a compiler makes of kernels for GPUs that are not here: float64, spills, wide loads, matrix units."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
import triton.language as tl

from pv.check import Metric, Run, check, named
from pv_kernels.compilation import CAPABILITIES, SHARED_LIMITS, compile_program
from pv_kernels.language import jit
from pv_kernels.spec import KernelSpec, Program
from pv_kernels.tuning import Tuning

__all__ = ["Programs", "compiled"]

Programs = tuple[Program, ...]
Build = tuple[Program, Tuning, torch.dtype, int]


@check(
    metrics=[
        Metric("builds", unit="1", kind="count"),
        Metric("expected_builds", unit="1", kind="count"),
        Metric("expected_products", unit="1", kind="count"),
        Metric("expected_warpgroups", unit="1", kind="count"),
        Metric("doubles", unit="instructions", kind="count"),
        Metric("spilled", unit="bytes", kind="count"),
        Metric("shared_over_limit", unit="bytes", kind="count"),
        Metric("missing_wide_loads", unit="instructions", kind="count"),
        Metric("missing_wide_copies", unit="instructions", kind="count"),
        Metric("matrix_instructions", unit="instructions", kind="count"),
        Metric("warpgroup_instructions", unit="instructions", kind="count"),
        Metric("registers", unit="1", kind="count"),
    ]
)
def compiled(run: Run, *, spec: str) -> None:
    """Compile every program of a kernel, in every configuration and type, for each of three GPUs.

    `spec` names its specification as ``module:NAME``.

    - `builds`: how many will be made, of `expected_builds`.
    - `doubles`: PTX instructions in float64; `spilled`: bytes a thread in local memory.
    - `shared_over_limit`: bytes of shared memory that a block asks for and the GPU has not.
    - `missing_wide_loads`, `missing_wide_copies`: how many loads of 128 bits, and asynchronous copies of 128
      bits to shared memory, are short of those claimed.
    - `matrix_instructions`: of each build that is claimed to use matrix units, ``mma`` or ``wgmma``.
    - `warpgroup_instructions`: of each that is claimed to multiply by groups of warps, ``wgmma``.
    - `registers`: of a thread.
    """
    claimed: KernelSpec = named(spec)
    programs: Programs = run.role("programs", claimed.programs)
    expected = _builds(claimed, run.undamaged("programs"))
    builds = _builds(claimed, programs)
    run.record("builds", len(builds))
    run.record("expected_builds", len(expected))
    run.record("expected_products", sum(map(_multiplies, expected)))
    run.record("expected_warpgroups", sum(map(_in_warpgroups, expected)))
    for build in run.progress(builds, label=_label):
        program, tuning, dtype, capability = build
        made = compile_program(program, tuning, dtype, capability, Path(run.scratch()))
        label = _label(build)
        run.record("doubles", len(made.doubles), label=label)
        run.record("spilled", made.spilled_bytes, label=label)
        run.record("shared_over_limit", max(0, made.shared - SHARED_LIMITS[capability]), label=label)
        run.record("missing_wide_loads", max(0, program.wide_loads - made.wide_loads), label=label)
        run.record("missing_wide_copies", max(0, program.wide_copies - made.wide_copies), label=label)
        run.record("registers", made.registers, label=label)
        if _multiplies(build):
            run.record("matrix_instructions", made.matrix_instructions, label=label)
        if _in_warpgroups(build):
            run.record("warpgroup_instructions", made.warpgroup_instructions, label=label)


def _builds(spec: KernelSpec, programs: Programs) -> list[Build]:
    return [
        (program, tuning, dtype, capability)
        for program in programs
        for tuning in program.space
        for dtype in spec.compiled_in(program)
        for capability in CAPABILITIES
    ]


def _label(build: Build) -> str:
    program, tuning, dtype, capability = build
    element = str(dtype).removeprefix("torch.")
    return f"{program.name} {tuning.name} in {element} for sm_{capability}"


def _multiplies(build: Build) -> bool:
    """Return whether matrix units are claimed of `build`."""
    program, _, dtype, _ = build
    return program.matrix_units and dtype.itemsize == 2


def _in_warpgroups(build: Build) -> bool:
    """Return whether products by groups of warps are claimed of `build`."""
    program, tuning, _, capability = build
    rows = tuning.constants.get(program.warpgroup_rows, 0)
    return _multiplies(build) and capability == 90 and rows >= 64


def _first_replaced(programs: Programs, kernel: object, tuning: Tuning) -> Programs:
    """Let the first program be `kernel` at one point, compiled first, and keep the number of all points."""
    planted = Program(kernel, {"x_ptr": "*element:16"}, (tuning,), dtypes=programs[0].dtypes)
    return (planted, dataclasses.replace(programs[0], space=programs[0].space[1:]), *programs[1:])


@jit
def double_kernel(x_ptr: tl.tensor, block: tl.constexpr) -> None:
    """Multiply by a constant of float64, which promotes the whole expression."""
    offsets = tl.arange(0, block)
    third = tl.full([block], 1 / 3, dtype=tl.float64)
    x = tl.load(x_ptr + offsets).to(tl.float64)
    tl.store(x_ptr + offsets, (x * third).to(x_ptr.dtype.element_ty))


@jit
def spilling_kernel(x_ptr: tl.tensor, block: tl.constexpr) -> None:
    """Keep 256 numbers for each thread of a warp: one more than there are registers."""
    offsets = tl.arange(0, block)
    x = tl.load(x_ptr + offsets).to(tl.float32)
    tl.store(x_ptr + offsets, (x / tl.sum(x, axis=0)).to(x_ptr.dtype.element_ty))


@jit
def sharing_kernel(x_ptr: tl.tensor, block: tl.constexpr) -> None:
    """Transpose a tile in shared memory, all of it at once."""
    row, column = tl.arange(0, block)[:, None], tl.arange(0, block)[None, :]
    x = tl.load(x_ptr + row * block + column).to(tl.float32)
    tl.store(x_ptr + row * block + column, tl.trans(x).to(x_ptr.dtype.element_ty))


@compiled.counter_example("double_constant", of="programs")
def double_constant(programs: Programs) -> Programs:
    """Let one constant be float64."""
    return _first_replaced(programs, double_kernel, Tuning({"block": 128}))


@compiled.counter_example("spill", of="programs")
def spill(programs: Programs) -> Programs:
    """Give one program a block too large for its warp."""
    return _first_replaced(programs, spilling_kernel, Tuning({"block": 8192}, warps=1))


@compiled.counter_example("too_much_shared", of="programs")
def too_much_shared(programs: Programs) -> Programs:
    """Give one program a tile of 65536 elements to transpose, which no block can hold in float32."""
    return _first_replaced(programs, sharing_kernel, Tuning({"block": 256}, warps=16))


@compiled.counter_example("scalar_loads", of="programs")
def scalar_loads(programs: Programs) -> Programs:
    """Let nothing be known of addresses and strides in the first program, so that no load can be wide."""
    first, *others = programs
    unknown = {name: written.removesuffix(":16") for name, written in first.signature.items()}
    return (dataclasses.replace(first, signature=unknown), *others)


@compiled.counter_example("configuration_left_out", of="programs")
def configuration_left_out(programs: Programs) -> Programs:
    """Leave one point of the tuning space out."""
    return (dataclasses.replace(programs[0], space=programs[0].space[1:]), *programs[1:])
