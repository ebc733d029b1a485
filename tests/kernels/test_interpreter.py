"""The interpreter as it is mended, and a process that compiles before and after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import triton.language as tl
from hypothesis import given
from hypothesis import strategies as st
from pv_kernels.compilation import compile_program
from pv_kernels.interpreter import Launch, interpreting
from pv_kernels.language import jit
from pv_kernels.registry import KERNELS


@jit
def copy_kernel(x_ptr: tl.tensor, out_ptr: tl.tensor, count: tl.tensor, block: tl.constexpr) -> None:
    """Convert elements to the type of the result."""
    offsets = tl.arange(0, block)
    mask = offsets < count
    x = tl.load(x_ptr + offsets, mask=mask).to(tl.float32)
    tl.store(out_ptr + offsets, x.to(out_ptr.dtype.element_ty), mask=mask)


def converted(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    out = torch.empty_like(values, dtype=dtype)
    with interpreting():
        copy_kernel[(1,)](values, out, len(values), block=4096)
    return out


@given(st.lists(st.floats(width=32), min_size=1, max_size=64))
def test_float32_becomes_the_nearest_bfloat16_as_on_a_gpu(numbers: list[float]) -> None:
    values = torch.tensor(numbers, dtype=torch.float32)
    ours, theirs = converted(values, torch.bfloat16), values.bfloat16()
    assert torch.equal(ours.isnan(), theirs.isnan())
    assert torch.equal(ours[~theirs.isnan()], theirs[~theirs.isnan()])


def test_every_bfloat16_is_read_as_it_is() -> None:
    every = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(torch.bfloat16)
    for part in every.view(-1, 4096):
        ours = converted(part, torch.float32)
        assert torch.equal(ours.isnan(), part.isnan())
        assert torch.equal(ours.nan_to_num(7.0), part.float().nan_to_num(7.0))


def test_launches_are_listed(launches: list[Launch]) -> None:
    x = torch.zeros(3)
    copy_kernel[(1,)](x, x, 3, block=64, num_warps=4)
    assert launches == [Launch("copy_kernel", (1,), {"block": 64, "num_warps": 4})]


def test_the_process_can_compile_after_it_interpreted(tmp_path: Path) -> None:
    before = {owner: dict(vars(owner)) for owner in (tl, tl.core, tl.tensor, tl.math, tl.dtype)}
    spec = KERNELS["softmax"]
    with interpreting():
        spec.run(spec.cases[0].arguments(torch.float32))
    for owner, attributes in before.items():
        assert dict(vars(owner)) == attributes
    program = spec.programs[0]
    assert compile_program(program, program.space[0], torch.float32, 80, tmp_path).ptx


def test_outside_of_it_a_launch_does_not_run() -> None:
    with pytest.raises(Exception, match=r"driver|cpu tensor|CUDA"):
        copy_kernel[(1,)](torch.zeros(3), torch.zeros(3), 3, block=64)


def test_a_process_that_could_not_compile_is_told(tmp_path: Path) -> None:
    program = (
        "from pv_kernels.errors import InterpretOnlyError\n"
        "from pv_kernels.interpreter import interpreting\n"
        "from pv_kernels.compilation import compile_program\n"
        "from pv_kernels.registry import KERNELS\n"
        "import pathlib, torch\n"
        "program = KERNELS['softmax'].programs[0]\n"
        "for call in (interpreting().__enter__, lambda: compile_program(\n"
        "        program, program.space[0], torch.float32, 80, pathlib.Path('.'))):\n"
        "    try:\n"
        "        call()\n"
        "    except InterpretOnlyError as error:\n"
        "        print(error)\n"
    )
    kernels = Path(__file__).resolve().parents[2] / "kernels"
    environment = {"TRITON_INTERPRET": "1", "PYTHONPATH": str(kernels), "HOME": str(tmp_path)}
    argv = [sys.executable, "-c", program]
    ended = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.count("unset it") == 2
