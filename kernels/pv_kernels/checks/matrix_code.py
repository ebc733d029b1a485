"""What a compiler makes of kernels that multiply tiles: matrix instructions, and copies that do not wait."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any

import pv_kernels.attention
import pv_kernels.decode_attention
import pv_kernels.matmul
from pv.check import Metric, Run, check, named
from pv_kernels.checks.alteration import altered
from pv_kernels.checks.compiled import Programs, compiled
from pv_kernels.spec import KernelSpec

__all__ = ["code"]

_PRODUCTS: dict[str, tuple[ModuleType, str]] = {
    "attention": (pv_kernels.attention, "product(q, tl.trans(k), upcast)"),
    "decode_attention": (pv_kernels.decode_attention, "product(q, tl.trans(k), upcast)"),
    "matmul": (pv_kernels.matmul, "product(x, weight, upcast)"),
}
"""Kernel → its module, and a product of tiles in its text."""


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
def code(run: Run, *, spec: str) -> None:
    """Measure what `pv_kernels.checks.compiled:compiled` does of a kernel that multiplies tiles."""
    compiled.function(run, spec=spec)


def _replaced(programs: Programs, change: dict[str, Any], *, points: int | None = None) -> Programs:
    """Change the first `points` of the last program that multiplies, and compile them first."""
    last = max(place for place, program in enumerate(programs) if program.matrix_units)
    program = programs[last]
    changed = dataclasses.replace(program, **{"space": program.space[:points], **change})
    rest = () if points is None else program.space[points:]
    kept = (dataclasses.replace(program, space=rest),) if rest else ()
    return (changed, *programs[:last], *kept, *programs[last + 1 :])


@code.counter_example("double_scale", of="programs")
def double_scale(programs: Programs, *, spec: str) -> Programs:
    """Scale a product by a constant in float64. One that float32 holds would be narrowed by the compiler."""
    claimed: KernelSpec = named(spec)
    module, text = _PRODUCTS[claimed.name]
    wide = f"({text}.to(tl.float64) * 0.18033688011112042).to(tl.float32)"
    return _replaced(programs, {"kernel": altered(module, {text: wide})[f"{claimed.name}_kernel"]}, points=1)


@code.counter_example("too_few_warps", of="programs")
def too_few_warps(programs: Programs) -> Programs:
    """Give tiles to a quarter of their warps, which have not the registers; the last would take minutes."""
    last = max(place for place, program in enumerate(programs) if program.matrix_units)
    space = tuple(
        dataclasses.replace(tuning, warps=max(1, tuning.warps // 4)) for tuning in programs[last].space[:-1]
    )
    return _replaced(programs, {"space": space}, points=len(space))


@code.counter_example("too_many_stages", of="programs")
def too_many_stages(programs: Programs) -> Programs:
    """Let every loop run 24 stages ahead: each wants a place in shared memory."""
    last = max(place for place, program in enumerate(programs) if program.matrix_units)
    space = tuple(dataclasses.replace(tuning, stages=24) for tuning in programs[last].space)
    return _replaced(programs, {"space": space})


@code.counter_example("products_in_float32", of="programs")
def products_in_float32(programs: Programs) -> Programs:
    """Convert elements to float32 before they are multiplied: right, and without matrix units."""
    last = max(place for place, program in enumerate(programs) if program.matrix_units)
    return _replaced(programs, {"constants": {**programs[last].constants, "upcast": True}}, points=1)


@code.counter_example("alignment_lost", of="programs")
def alignment_lost(programs: Programs) -> Programs:
    """Let nothing be known of addresses and strides, so that neither loads nor copies can be wide."""
    last = max(place for place, program in enumerate(programs) if program.matrix_units)
    unknown = {name: written.removesuffix(":16") for name, written in programs[last].signature.items()}
    return _replaced(programs, {"signature": unknown}, points=1)
