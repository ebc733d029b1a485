"""What is claimed of a kernel, in one object, from which its tests and its checks are generated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import Tensor

from pv_kernels.dtypes import triton_name
from pv_kernels.errors import KernelError
from pv_kernels.tuning import Tuning

__all__ = ["Arguments", "Case", "ErrorCase", "KernelSpec", "Program", "Property", "Results"]

Arguments: TypeAlias = dict[str, Any]
"""Keyword arguments that the wrapper and the reference both take."""
Results: TypeAlias = tuple[Tensor, ...]
Draw: TypeAlias = Callable[[torch.Generator, torch.dtype], Arguments]


@dataclass(frozen=True)
class Case:
    """A named sample of inputs.

    Parameters
    ----------
    name
        An identifier; failures are shown under it.
    draw
        Generator and dtype → arguments. The same seed draws the same.
    states
        For a case with NaN or infinities: what happens to them, in a sentence. The reference shows it, and
        NaN must be where the reference has NaN, infinities equal.
    """

    name: str
    draw: Draw
    states: str = ""

    def arguments(self, dtype: torch.dtype, seed: int = 0) -> Arguments:
        """Draw the arguments in `dtype`."""
        return self.draw(torch.Generator().manual_seed(seed), dtype)


@dataclass(frozen=True)
class ErrorCase:
    """Inputs that must be refused with `error`, whose message has `words` in it."""

    name: str
    arguments: Callable[[], Arguments]
    error: type[KernelError]
    words: str

    def __post_init__(self) -> None:
        """Refuse a case that any error would satisfy.

        Raises
        ------
        ValueError
            No words of the message are named, or the error is the common ancestor.
        """
        if not self.words or self.error is KernelError:
            raise ValueError(f"error case {self.name}: name one error, and words that its message has")


@dataclass(frozen=True)
class Property:
    """Something that holds of all inputs.

    Parameters
    ----------
    name
        An identifier.
    draws
        Parameter → least and greatest whole number; hypothesis draws them, a check at random.
    used
        Kernel and drawn numbers → the part of the allowed error that is used; at most 1 where it holds.
    """

    name: str
    draws: Mapping[str, tuple[int, int]]
    used: Callable[..., float]


@dataclass(frozen=True)
class Program:
    """One Triton kernel, how it is compiled ahead of time, and in which configurations.

    Parameters
    ----------
    kernel
        The function under ``@jit``.
    signature
        Parameter → type, without the constants: ``*element`` is a pointer to the spec's dtype, others are
        Triton's names (``*fp32``, ``i32``, ``i64``, ``fp32``). A suffix ``:16`` says that the launch finds
        the value to be divisible by 16, as it is for a tensor of its own and for the shapes of models.
    space
        The tuning space, whole.
    constants
        Constants that are not tuned.
    wide_loads
        How many global loads of 128 bits the PTX must have at least: 0 where none is claimed.
    dtypes
        The element types that it is compiled in, where they are not all those of its kernel.
    wide_copies
        How many asynchronous copies of 128 bits to shared memory the PTX must have at least.
    matrix_units
        Whether elements of 16 bits must be multiplied by matrix units.
    warpgroup_rows
        The constant with the rows of a product, from 64 of which sm_90 must multiply elements of 16 bits by
        groups of warps; empty where that is not claimed.
    """

    kernel: Any
    signature: Mapping[str, str]
    space: tuple[Tuning, ...]
    constants: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    wide_loads: int = 0
    dtypes: tuple[torch.dtype, ...] = ()
    wide_copies: int = 0
    matrix_units: bool = False
    warpgroup_rows: str = ""

    @property
    def name(self) -> str:
        """The kernel's name and its constants, as in ``rms_norm_kernel whole=True``."""
        return " ".join([self.kernel.fn.__name__, *(f"{k}={v}" for k, v in self.constants.items())])

    def __post_init__(self) -> None:
        """Refuse a space that is empty or repeats itself, and a signature that is not the kernel's.

        Raises
        ------
        ValueError
            With the parameters or points at fault.
        """
        parameters = list(inspect.signature(self.kernel.fn).parameters)
        names = [tuning.name for tuning in self.space]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"program {self.name}: its tuning space {names} is empty, or repeats a point")
        for tuning in self.space:
            given = [*self.signature, *self.constants, *tuning.constants]
            if sorted(given) != sorted(parameters):
                raise ValueError(
                    f"program {self.name}, {tuning.name}: types and constants are given for {sorted(given)},"
                    f" but its parameters are {sorted(parameters)}"
                )


@dataclass(frozen=True)
class KernelSpec:
    """A kernel, and everything that is claimed of it.

    Parameters
    ----------
    name
        An identifier; contracts name the kernel by it.
    call
        The wrapper: torch tensors in, tensors out. It takes a keyword for each of `outputs`, a buffer to
        write that result into.
    reference
        The formula, in plain torch and float64, with the same keywords but for the outputs.
    tolerance
        Arguments and expected results → greatest absolute error of every element, float64, derived from the
        arithmetic in `pv_kernels.rounding`.
    dtypes
        Element types that it computes in; any other must be refused.
    cases, special
        Samples; `special` has NaN and infinities, and says what becomes of them.
    errors
        What must be refused, and how.
    outputs
        The wrapper's keywords for buffers, in the order of the results.
    traffic
        Arguments → bytes that must be moved at least: each input read once, each output written once.
    operations
        Arguments → floating-point operations.
    programs
        The Triton kernels.
    properties
        What holds of all inputs.
    in_place
        Whether a result may be written over the first input that has its rows and its shape.
    batch_invariant
        Whether no bit of a row depends on how many others there are.
    types
        Output → its type, where that is not the elements' type.
    totals
        Those of `outputs` that are sums over all rows; of the others, a row depends on its own inputs only.
    launches
        How many kernels one call launches.
    """

    name: str
    call: Callable[..., Any]
    reference: Callable[..., Any]
    tolerance: Callable[[Arguments, Results], Results]
    dtypes: tuple[torch.dtype, ...]
    cases: tuple[Case, ...]
    special: tuple[Case, ...]
    errors: tuple[ErrorCase, ...]
    outputs: tuple[str, ...]
    traffic: Callable[[Arguments], int]
    operations: Callable[[Arguments], int]
    programs: tuple[Program, ...]
    properties: tuple[Property, ...]
    in_place: bool = True
    batch_invariant: bool = True
    types: Mapping[str, torch.dtype] = field(default_factory=lambda: MappingProxyType({}))
    totals: tuple[str, ...] = ()
    launches: int = 1

    def __post_init__(self) -> None:
        """Refuse a specification that leaves something out, or from which nothing would be tested.

        Raises
        ------
        ValueError
            What is missing, repeated or unknown, by name.
        UnknownDtypeError
            A dtype has no name in Triton.
        """
        if not self.name.isidentifier():
            raise ValueError(f"kernel name {self.name!r} is not an identifier")
        for group in ("dtypes", "cases", "special", "errors", "outputs", "programs", "properties"):
            members = getattr(self, group)
            if not members:
                raise ValueError(f"kernel {self.name}: it has no {group}, so nothing of them would be tested")
            names = [getattr(member, "name", member) for member in members]
            if repeated := sorted({str(name) for name in names if names.count(name) > 1}):
                raise ValueError(f"kernel {self.name}: {group} repeat {repeated}")
        for dtype in self.dtypes:
            triton_name(dtype)
        if missing := sorted({"empty", "one_row", "odd"} - {case.name for case in self.cases}):
            raise ValueError(f"kernel {self.name}: no case is named {missing}")
        if silent := [case.name for case in self.special if not case.states]:
            raise ValueError(f"kernel {self.name}: special cases {silent} do not say what becomes of NaN")
        parameters = inspect.signature(self.call).parameters
        if unknown := [name for name in self.outputs if name not in parameters]:
            raise ValueError(f"kernel {self.name}: its wrapper takes no buffer {unknown}")
        if strange := sorted({*self.types, *self.totals} - set(self.outputs)):
            raise ValueError(
                f"kernel {self.name}: {strange} are said to have a type or to be totals, but are no outputs"
            )

    def result_types(self, dtype: torch.dtype) -> tuple[torch.dtype, ...]:
        """Return the type of each result for elements of `dtype`."""
        return tuple(self.types.get(name, dtype) for name in self.outputs)

    def compiled_in(self, program: Program) -> tuple[torch.dtype, ...]:
        """Return the element types that `program` is compiled in."""
        return program.dtypes or self.dtypes

    def run(self, arguments: Arguments) -> Results:
        """Call the wrapper; a single result becomes a tuple of one."""
        return _together(self.call(**arguments))

    def expected(self, arguments: Arguments) -> Results:
        """Call the reference."""
        return _together(self.reference(**arguments))


def _together(results: Any) -> Results:
    return (results,) if isinstance(results, Tensor) else tuple(results)
