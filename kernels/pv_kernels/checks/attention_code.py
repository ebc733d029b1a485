"""What a compiler makes of attention: matrix instructions, copies that do not wait, nothing spilled."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import pv_kernels.attention
import pv_kernels.decode_attention
from pv.check import Metric, Run, check
from pv_kernels.checks.alteration import altered
from pv_kernels.compilation import CAPABILITIES, compile_program
from pv_kernels.spec import Program
from pv_kernels.specs.attention import ATTENTION
from pv_kernels.specs.decode_attention import DECODE_ATTENTION
from pv_kernels.tuning import Tuning

__all__ = ["code"]

Programs = tuple[Program, ...]
_SPECS = {spec.name: spec for spec in (ATTENTION, DECODE_ATTENTION)}
_MODULES: dict[str, ModuleType] = {
    "attention": pv_kernels.attention,
    "decode_attention": pv_kernels.decode_attention,
}
_MATRIX = re.compile(r"^\s*(?:@\S+\s+)?(?:mma\.sync|wgmma\.mma_async)", re.MULTILINE)
_WARPGROUP = re.compile(r"^\s*(?:@\S+\s+)?wgmma\.mma_async", re.MULTILINE)
_COPY = re.compile(r"cp\.async\.cg\.shared\.global .*, 0x10,")


@check(
    metrics=[
        Metric("expected_builds", unit="1", kind="count"),
        Metric("expected_products", unit="1", kind="count"),
        Metric("expected_warpgroups", unit="1", kind="count"),
        Metric("doubles", unit="instructions", kind="count"),
        Metric("spilled", unit="bytes", kind="count"),
        Metric("missing_wide_loads", unit="instructions", kind="count"),
        Metric("matrix_instructions", unit="instructions", kind="count"),
        Metric("warpgroup_instructions", unit="instructions", kind="count"),
        Metric("wide_copies", unit="instructions", kind="count"),
    ]
)
def code(run: Run, *, kernel: str) -> None:
    """Compile every program of `kernel`, in every configuration, in float32 and bfloat16, for three GPUs.

    - `doubles`, `spilled`, `missing_wide_loads`: what no build may have.
    - `matrix_instructions`: of each build that multiplies bfloat16, ``mma`` or ``wgmma``.
    - `warpgroup_instructions`: of each build of prefill in bfloat16 for sm_90, ``wgmma``.
    - `wide_copies`: of each build that reads keys, asynchronous copies of 128 bits to shared memory.
    """
    spec = _SPECS[kernel]
    programs: Programs = run.role("programs", spec.programs)
    undamaged: Programs = run.undamaged("programs")
    run.record("expected_builds", len(_builds(undamaged)))
    run.record(
        "expected_products", sum(_multiplies(program, dtype) for program, _, dtype, _ in _builds(undamaged))
    )
    points = sum(len(p.space) for p in undamaged if _multiplies(p, torch.bfloat16))
    run.record("expected_warpgroups", points if kernel == "attention" else 0)
    folder = Path(run.scratch())
    for program, tuning, dtype, capability in run.progress(_builds(programs)):
        made = compile_program(program, tuning, dtype, capability, folder)
        element = str(dtype).removeprefix("torch.")
        label = f"{program.name} {tuning.name} in {element} for sm_{capability}"
        run.record("doubles", len(made.doubles), label=label)
        run.record("spilled", made.spilled_bytes, label=label)
        run.record("missing_wide_loads", max(0, program.wide_loads - made.wide_loads), label=label)
        if "k_ptr" in program.signature:
            run.record("wide_copies", len(_COPY.findall(made.ptx)), label=label)
        if _multiplies(program, dtype):
            run.record("matrix_instructions", len(_MATRIX.findall(made.ptx)), label=label)
            if kernel == "attention" and capability == 90:
                run.record("warpgroup_instructions", len(_WARPGROUP.findall(made.ptx)), label=label)


def _builds(programs: Programs) -> list[tuple[Program, Tuning, torch.dtype, int]]:
    return [
        (program, tuning, dtype, capability)
        for program in programs
        for tuning in program.space
        for dtype in _dtypes(program)
        for capability in CAPABILITIES
    ]


def _dtypes(program: Program) -> tuple[torch.dtype, ...]:
    """Return the types that `program` is built in; some are written for one."""
    written = " ".join(program.signature.values())
    if "*element" in written:
        return (torch.float32, torch.bfloat16)
    return (torch.bfloat16,) if "*bf16" in written else (torch.float32,)


def _multiplies(program: Program, dtype: torch.dtype) -> bool:
    """Return whether `program` is claimed to use matrix units: it reads keys, and they are bfloat16."""
    return "k_ptr" in program.signature and dtype == torch.bfloat16 and dtype in _dtypes(program)


def _last_replaced(programs: Programs, change: dict[str, Any]) -> Programs:
    """Change the last program that reads keys, which is the one for bfloat16."""
    last = max(i for i, program in enumerate(programs) if "k_ptr" in program.signature)
    changed = dataclasses.replace(programs[last], **change)
    return (*programs[:last], changed, *programs[last + 1 :])


@code.counter_example("double_scale", of="programs")
def double_scale(programs: Programs, *, kernel: str) -> Programs:
    """Scale the scores by a constant in float64. One that float32 holds would be narrowed by the compiler."""
    wide = {"upcast) * scale": "upcast).to(tl.float64) * 0.18033688011112042).to(tl.float32)"}
    wide = {f"product(q, tl.trans(k), {old}": f"(product(q, tl.trans(k), {new}" for old, new in wide.items()}
    return _last_replaced(programs, {"kernel": altered(_MODULES[kernel], wide)[f"{kernel}_kernel"]})


@code.counter_example("too_few_warps", of="programs")
def too_few_warps(programs: Programs) -> Programs:
    """Give every tile to one warp, which has not the registers for it."""
    last = max(i for i, program in enumerate(programs) if "k_ptr" in program.signature)
    space = tuple(dataclasses.replace(tuning, warps=1) for tuning in programs[last].space)
    return _last_replaced(programs, {"space": space})


@code.counter_example("products_in_float32", of="programs")
def products_in_float32(programs: Programs) -> Programs:
    """Convert elements to float32 before they are multiplied: right, and without matrix units."""
    last = max(i for i, program in enumerate(programs) if "k_ptr" in program.signature)
    constants = {**programs[last].constants, "upcast": True}
    return _last_replaced(programs, {"constants": constants})


@code.counter_example("alignment_lost", of="programs")
def alignment_lost(programs: Programs) -> Programs:
    """Let nothing be known of addresses and strides, so that neither loads nor copies can be wide."""
    last = max(i for i, program in enumerate(programs) if "k_ptr" in program.signature)
    unknown = {name: written.removesuffix(":16") for name, written in programs[last].signature.items()}
    return _last_replaced(programs, {"signature": unknown})
