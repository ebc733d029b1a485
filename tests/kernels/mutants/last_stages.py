"""What is tried last, and only on what passed everything else: memory beside tensors, and compiled code.

Not collected by itself: the same is in `test_out_of_bounds.py`, in a process of its own, and in
`test_compilation.py`, for every configuration.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pv_kernels.compilation import compile_program
from pv_kernels.interpreter import Launch
from pv_kernels.registry import KERNELS
from pv_kernels.spec import Program

from tests.kernels.out_of_bounds import run

BUILDS = [
    pytest.param(program, dtype, id=f"{dtype}-{program.name}")
    for spec in KERNELS.values()
    for program in spec.programs
    for dtype in (torch.float32, torch.bfloat16)
    if dtype in spec.compiled_in(program)
]


@pytest.mark.parametrize("end", [True, False])
def test_nothing_is_touched_beside_a_tensor(launches: list[Launch], end: bool) -> None:
    """End this process if something is."""
    assert run(end=end)
    assert launches


@pytest.mark.parametrize(("program", "dtype"), BUILDS)
def test_one_configuration_compiles_and_is_what_it_claims(
    program: Program, dtype: torch.dtype, tmp_path: Path
) -> None:
    compiled = compile_program(program, program.space[0], dtype, 80, tmp_path)
    assert compiled.doubles == ()
    assert compiled.spilled_bytes == 0
    assert compiled.wide_loads >= program.wide_loads
