"""Run kernels on a CPU, by Triton's interpreter, wherever and whenever triton was imported.

Triton reads TRITON_INTERPRET while its functions are decorated, its own standard library's among them: a
process that imported it without the variable could never interpret, one that imported it with the variable
could never compile, and which of the two came first would be a matter of what else the process did. Here a
decorated function stays what it is, and inside `interpreting` a launch of it goes to the interpreter.

Where the interpreter computes something else than a GPU, it is mended or said:

- float32 to bfloat16 is truncated by the interpreter, and turns some NaN into an infinity: mended here, to
  nearest, ties to even, as a GPU rounds.
- Arithmetic on bfloat16 is done on its bit patterns (triton issue 11584): kernels compute in float32 only.
- Until Triton 3.6 a bound of a loop that is known at launch fails with numpy 2.4, which makes no number of an
  array with one element: mended here as in Triton 3.7.
- `tl.max` and `tl.min` pass over NaN, as ``max.f32`` of PTX does: the same on both.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from triton.runtime import interpreter
from triton.runtime.jit import JITFunction

from pv_kernels.errors import InterpretOnlyError
from pv_kernels.language import compilable

__all__ = ["Launch", "interpreting"]


_PATCHED = (tl, tl.core, tl.math, tl.tensor, tl.dtype, tl.core.tensor_descriptor_base)
"""What the interpreter replaces attributes of; `tl.condition` too, where Triton has it."""


@dataclass(frozen=True)
class Launch:
    """One launch that was interpreted: the kernel's name, its grid, and its options and constants."""

    kernel: str
    grid: tuple[int, ...]
    options: Mapping[str, Any]


@contextlib.contextmanager
def interpreting() -> Iterator[list[Launch]]:
    """Let every launch in this process go to the interpreter, and list the launches.

    Everything that is changed in triton is restored at the end, so that the process can compile before and
    after. Not for several threads at once.

    Raises
    ------
    InterpretOnlyError
        triton was imported while TRITON_INTERPRET was set, so that its functions are no longer those that
        are compiled.
    """
    if not compilable(tl.standard.sum):
        raise InterpretOnlyError("triton was imported while TRITON_INTERPRET was set; unset it")
    launches: list[Launch] = []

    def run(self: Any, *args: Any, grid: Any, warmup: bool = False, **options: Any) -> None:
        del warmup
        names = inspect.signature(self.fn).parameters
        constants = {k: v for k, v in options.items() if k not in names or isinstance(v, int | bool)}
        grid = tuple(grid(options) if callable(grid) else grid)
        launches.append(Launch(self.fn.__name__, grid, constants))
        interpreter.InterpretedFunction(self.fn).run(*args, grid=grid, warmup=False, **options)

    def call(self: Any, *args: Any, **options: Any) -> Any:
        return interpreter.InterpretedFunction(self.fn)(*args, **options)

    with contextlib.ExitStack() as stack:
        for owner in (*_PATCHED, *([tl.condition] if hasattr(tl, "condition") else [])):
            stack.enter_context(_restored(owner))
        stack.enter_context(_replaced(JITFunction, "run", run))
        stack.enter_context(_replaced(JITFunction, "__call__", call))
        stack.enter_context(_replaced(interpreter.GridExecutor, "_init_args_hst", _stay))
        stack.enter_context(_replaced(interpreter.GridExecutor, "_restore_args_dev", _leave))
        stock = interpreter._convert_float  # noqa: SLF001  there is no other place to mend it
        stack.enter_context(_replaced(interpreter, "_convert_float", _rounding(stock)))
        plain = interpreter._patch_lang_tensor  # noqa: SLF001  the same
        stack.enter_context(_replaced(interpreter, "_patch_lang_tensor", _indexing(plain)))
        stack.enter_context(triton.knobs.runtime.scope())
        triton.knobs.runtime.interpret = True
        # numpy warns where a GPU is silent: an infinity less itself, an overflow on the way down to float16.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", RuntimeWarning)
        yield launches


def _stay(_executor: Any, args: Any, options: Any) -> tuple[Any, Any]:
    """Read and write the tensors themselves: they are on the CPU, and may be larger than memory (sparse)."""
    for value in (*args, *options.values()):
        if isinstance(value, torch.Tensor) and value.device.type != "cpu":
            raise RuntimeError(f"a tensor on {value.device} cannot be interpreted; call .cpu() first")
    return args, options


def _leave(*_: Any) -> None:
    """Copy nothing back: it is there already."""


def _rounding(stock: Any) -> Any:
    """Return `stock`, the interpreter's conversion, with float32 to and from bfloat16 done by torch."""

    def convert(values: Any, source: Any, target: Any, rounding_mode: Any) -> Any:
        values = np.ascontiguousarray(values)
        if (source, target) == (tl.float32, tl.bfloat16):
            floats = torch.from_numpy(values.view(np.float32).copy())
            return floats.bfloat16().view(torch.int16).numpy().view(np.uint16).reshape(values.shape)
        if (source, target) == (tl.bfloat16, tl.float32):
            return (values.view(np.uint16).astype(np.uint32) << 16).reshape(values.shape)
        return stock(values, source, target, rounding_mode)

    return convert


def _indexing(stock: Any) -> Any:
    """Return `stock`, which makes tensors behave as numbers, whole numbers made as by Triton 3.7."""

    def patch(tensor: Any, scope: Any) -> None:
        stock(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.squeeze()))

    return patch


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _restored(owner: Any) -> Iterator[None]:
    """Put back what the interpreter replaces in `owner` and, from device functions, leaves so."""
    before = dict(vars(owner))
    try:
        yield
    finally:
        for name, value in list(vars(owner).items()):
            if name not in before:
                delattr(owner, name)
            elif value is not before[name]:
                setattr(owner, name, before[name])
