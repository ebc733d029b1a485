"""Compile kernels for GPUs that are not here, and read in the result what running it is not needed for."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import triton

# The first compilation would import it: here it is once for all runs of a sweep.
import triton.compiler.code_generator
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from pv_kernels.dtypes import triton_name
from pv_kernels.errors import InterpretOnlyError
from pv_kernels.language import compilable
from pv_kernels.spec import Program
from pv_kernels.tuning import Tuning

__all__ = ["CAPABILITIES", "SHARED_LIMITS", "Compiled", "compile_program"]

CAPABILITIES = (80, 89, 90)
"""Compute capabilities: A100 (80), RTX 4090 and L4 (89), H100 and H200 (90)."""
SHARED_LIMITS = {80: 163 * 1024, 89: 99 * 1024, 90: 227 * 1024}
"""Bytes of shared memory that a block may have.

Source: CUDA C++ Programming Guide, compute capabilities, technical specifications: maximum amount of shared
memory per thread block. A block that asks for more is not launched.
"""

_DOUBLE = re.compile(r"\.f64\b|\.b64\s+%fd")
_WIDE = re.compile(r"ld\.global\S*\.(?:v4\.[bfsu]32|v2\.[bfsu]64)")
_COPY = re.compile(r"cp\.async\.cg\.shared\.global .*, 0x10,")
_MATRIX = re.compile(r"^\s*(?:@\S+\s+)?(?:mma\.sync|wgmma\.mma_async)")
_WARPGROUP = re.compile(r"^\s*(?:@\S+\s+)?wgmma\.mma_async")
_USAGE = re.compile(r"REG:(\d+)\s+STACK:(\d+)\s+SHARED:\d+\s+LOCAL:(\d+)")


@dataclass(frozen=True)
class Compiled:
    """One program for one GPU: its PTX, and what ptxas gave it.

    `stack` and `local` are bytes a thread: a kernel of ours calls nothing and indexes no array, so that what
    lies there are registers that were spilled. `shared` is bytes a block, which the launch asks for.
    """

    ptx: str
    shared: int
    registers: int
    stack: int
    local: int

    @property
    def doubles(self) -> tuple[str, ...]:
        """The PTX instructions that compute in float64."""
        return tuple(line.strip() for line in self._instructions() if _DOUBLE.search(line))

    @property
    def wide_loads(self) -> int:
        """How many global loads of 128 bits the PTX has."""
        return self._count(_WIDE)

    @property
    def wide_copies(self) -> int:
        """How many copies of 128 bits to shared memory, which nobody waits for, the PTX has."""
        return self._count(_COPY)

    @property
    def matrix_instructions(self) -> int:
        """How many instructions of matrix units, of a warp or of a group of warps, the PTX has."""
        return self._count(_MATRIX)

    @property
    def warpgroup_instructions(self) -> int:
        """How many instructions of matrix units by a group of warps the PTX has."""
        return self._count(_WARPGROUP)

    @property
    def spilled_bytes(self) -> int:
        """Bytes of every thread that lie in memory instead of registers."""
        return self.stack + self.local

    def _count(self, pattern: re.Pattern[str]) -> int:
        return sum(1 for line in self._instructions() if pattern.search(line))

    def _instructions(self) -> Iterator[str]:
        return (line for line in self.ptx.splitlines() if not line.lstrip().startswith("//"))


def compile_program(
    program: Program, tuning: Tuning, dtype: torch.dtype, capability: int, cache: Path
) -> Compiled:
    """Compile `program` as `tuning` says for elements of `dtype`; needs no GPU and no driver.

    Parameters
    ----------
    capability
        Such as 80 for ``sm_80``.
    cache
        A folder for Triton's files.

    Raises
    ------
    InterpretOnlyError
        triton was imported while TRITON_INTERPRET was set.
    RuntimeError
        cuobjdump, of triton's wheel, did not tell of one kernel.
    """
    if not compilable(program.kernel):
        raise InterpretOnlyError("triton was imported while TRITON_INTERPRET was set; unset it to compile")
    types, attributes = _signature(program, tuning, triton_name(dtype))
    source = ASTSource(
        fn=program.kernel,
        signature=types,
        constexprs={(program.kernel.arg_names.index(k),): v for k, v in _constants(program, tuning).items()},
        attrs=attributes,
    )
    with triton.knobs.cache.scope():
        triton.knobs.cache.dir = str(cache)
        compiled = triton.compile(
            source,
            target=GPUTarget("cuda", capability, 32),
            options={k: v for k, v in tuning.options().items() if k not in tuning.constants},
        )
        usage = _usage(compiled.asm["cubin"], cache)
        return Compiled(compiled.asm["ptx"], compiled.metadata.shared, *usage)


def _constants(program: Program, tuning: Tuning) -> dict[str, object]:
    return {**program.constants, **tuning.constants}


def _signature(
    program: Program, tuning: Tuning, element: str
) -> tuple[dict[str, str], dict[tuple[int, ...], list[list[object]]]]:
    """Return Triton's types by parameter, and which of them are divisible by 16."""
    constants = _constants(program, tuning)
    types: dict[str, str] = {}
    attributes: dict[tuple[int, ...], list[list[object]]] = {}
    for position, name in enumerate(program.kernel.arg_names):
        if name in constants:
            types[name] = "constexpr"
            continue
        written, _, divisor = program.signature[name].partition(":")
        types[name] = written.replace("element", element)
        if divisor:
            attributes[position,] = [["tt.divisibility", int(divisor)]]
    return types, attributes


def _usage(cubin: bytes, folder: Path) -> tuple[int, int, int]:
    """Return registers, stack and local bytes, which `cuobjdump` reads in the cubin."""
    file = folder / "measured.cubin"
    file.write_bytes(cubin)
    argv = [_cuobjdump(), "--dump-resource-usage", str(file)]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = _USAGE.findall(printed)
    if len(found) != 1:
        raise RuntimeError(f"cuobjdump tells of {len(found)} kernels in a cubin of one: {printed[:500]!r}")
    registers, stack, local = map(int, found[0])
    return registers, stack, local


@functools.cache
def _cuobjdump() -> str:
    path: str = triton.knobs.nvidia.cuobjdump.path
    return path
