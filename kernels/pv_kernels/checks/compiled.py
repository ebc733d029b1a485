"""What a compiler makes of kernels for GPUs that are not here: float64, spills, wide loads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import triton.language as tl

from pv.check import Metric, Run, check, named
from pv_kernels.compilation import CAPABILITIES, compile_program
from pv_kernels.language import jit
from pv_kernels.spec import KernelSpec, Program
from pv_kernels.tuning import Tuning

__all__ = ["compiled"]

Programs = tuple[Program, ...]


@check(
    metrics=[
        Metric("expected_builds", unit="1", kind="count"),
        Metric("doubles", unit="instructions", kind="count"),
        Metric("spilled", unit="bytes", kind="count"),
        Metric("missing_wide_loads", unit="instructions", kind="count"),
        Metric("registers", unit="1", kind="count"),
    ]
)
def compiled(run: Run, *, spec: str) -> None:
    """Compile every program of a kernel, in every configuration and type, for each of three GPUs.

    `spec` names its specification as ``module:NAME``.
    `doubles`: PTX instructions in float64; `spilled`: bytes a thread in local memory; `missing_wide_loads`:
    how many loads of 128 bits are short of those claimed; `registers`: of a thread.
    """
    claimed: KernelSpec = named(spec)
    programs: Programs = run.role("programs", claimed.programs)
    undamaged: Programs = run.undamaged("programs")
    points = sum(len(program.space) for program in undamaged)
    run.record("expected_builds", points * len(claimed.dtypes) * len(CAPABILITIES))
    builds = [
        (program, tuning, dtype, capability)
        for program in programs
        for tuning in program.space
        for dtype in claimed.dtypes
        for capability in CAPABILITIES
    ]
    for program, tuning, dtype, capability in run.progress(builds):
        made = compile_program(program, tuning, dtype, capability, Path(run.scratch()))
        element = str(dtype).removeprefix("torch.")
        label = f"{program.name} {tuning.name} in {element} for sm_{capability}"
        run.record("doubles", len(made.doubles), label=label)
        run.record("spilled", made.spilled_bytes, label=label)
        run.record("missing_wide_loads", max(0, program.wide_loads - made.wide_loads), label=label)
        run.record("registers", made.registers, label=label)


def _first_replaced(programs: Programs, kernel: object, tuning: Tuning) -> Programs:
    """Let the first program be `kernel` at one point, and keep the number of all points."""
    planted = Program(kernel, {"x_ptr": "*element:16"}, (tuning,))
    return (dataclasses.replace(programs[0], space=programs[0].space[1:]), *programs[1:], planted)


@jit
def double_kernel(x_ptr: tl.tensor, block: tl.constexpr) -> None:
    """Multiply by a constant of float64, which promotes the whole expression."""
    offsets = tl.arange(0, block)
    third = tl.full([block], 1 / 3, dtype=tl.float64)
    x = tl.load(x_ptr + offsets).to(tl.float64)
    tl.store(x_ptr + offsets, (x * third).to(x_ptr.dtype.element_ty))


@jit
def spilling_kernel(x_ptr: tl.tensor, block: tl.constexpr) -> None:
    """Keep 512 numbers for each thread of a warp: more than there are registers."""
    offsets = tl.arange(0, block)
    x = tl.load(x_ptr + offsets).to(tl.float32)
    tl.store(x_ptr + offsets, (x / tl.sum(x, axis=0)).to(x_ptr.dtype.element_ty))


@compiled.counter_example("double_constant", of="programs")
def double_constant(programs: Programs) -> Programs:
    """Let one constant be float64."""
    return _first_replaced(programs, double_kernel, Tuning({"block": 128}))


@compiled.counter_example("spill", of="programs")
def spill(programs: Programs) -> Programs:
    """Give one program a block too large for its warp."""
    return _first_replaced(programs, spilling_kernel, Tuning({"block": 16384}, warps=1))


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
