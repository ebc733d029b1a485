"""What kernels compute, against their references: on a GPU where there is one, else by the interpreter."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv.check import Metric, Run, check, named
from pv_kernels.errors import KernelError
from pv_kernels.placement import backend, on_device
from pv_kernels.spec import Arguments, KernelSpec, Results
from pv_kernels.specs.samples import used

__all__ = ["parity"]

Call = Callable[..., Any]
_TIMES = 5
"""How often a property is drawn."""
_ALL = 1e9
"""What is recorded where infinitely much of the allowed error is used."""


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("error_over_bound", unit="1", low=0.0),
        Metric("differing_runs", unit="1", kind="count"),
        Metric("error_cases", unit="1", kind="count"),
        Metric("refused", unit="1", kind="count"),
        Metric("properties", unit="1", kind="count"),
        Metric("property_over_bound", unit="1", low=0.0),
        Metric("backend", unit="1", kind="text"),
    ]
)
def parity(run: Run, *, spec: str) -> None:
    """Run a kernel on everything that its specification, which `spec` names as ``module:NAME``, has.

    - `error_over_bound`: of every sample in every type, the greatest error of an element over the bound that
      is derived for it; 1e9 where NaN or an infinity is not where it should be.
    - `differing_runs`: whether a second run differs from the first in a bit.
    - `refused`: whether an argument that must be refused is, by the right name.
    - `property_over_bound`: the same as `error_over_bound` for what must hold of all inputs.
    - `backend`: `interpreter` or `gpu`.
    """
    claimed: KernelSpec = named(spec)
    call: Call = run.role("call", claimed.call)
    # What takes little and finds much comes first: a damaged run need not go on behind it.
    samples = [(case, dtype) for case in (*claimed.special, *claimed.cases) for dtype in claimed.dtypes]
    run.record("cases", len(samples))
    run.record("error_cases", len(claimed.errors))
    run.record("properties", _TIMES * len(claimed.properties))
    run.record("backend", "gpu" if run.device.startswith("cuda") else "interpreter")
    with backend(run.device):
        for error in claimed.errors:
            try:
                _called(call, error.arguments(), run.device)
            except KernelError as refusal:
                by_name = type(refusal) is error.error and error.words in str(refusal)
                run.record("refused", int(by_name), label=error.name)
            else:
                run.record("refused", 0, label=error.name)
        for case, dtype in run.progress(samples):
            label = f"{case.name} in {str(dtype).removeprefix('torch.')}"
            arguments = case.arguments(dtype, run.seed)
            expected = claimed.expected(arguments)
            first, second = (_called(call, arguments, run.device) for _ in range(2))
            part = used(first, expected, claimed.tolerance(arguments, expected))
            run.record("error_over_bound", min(part, _ALL), label=label)
            run.record("differing_runs", int(not _same(first, second)), label=label)
        generator = random.Random(run.seed)  # noqa: S311  samples, no secret
        for law in run.progress([law for law in claimed.properties for _ in range(_TIMES)]):
            numbers = {name: generator.randint(*bounds) for name, bounds in law.draws.items()}
            part = law.used(on_device(call, run.device), **numbers)
            run.record("property_over_bound", min(part, _ALL), label=f"{law.name} {numbers}")


def _called(call: Call, arguments: Arguments, device: str) -> Results:
    results = on_device(call, device)(**arguments)
    return (results,) if isinstance(results, Tensor) else tuple(results)


def _same(first: Results, second: Results) -> bool:
    """Compare bits, so that NaN equals itself."""
    return all(
        a.shape == b.shape and torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))
        for a, b in zip(first, second, strict=True)
    )


def _mapped(call: Call, change: Callable[[Tensor], Tensor]) -> Call:
    """Return `call` with `change` applied to each of its results."""

    def changed(*arguments: Any, **keywords: Any) -> Any:
        results = call(*arguments, **keywords)
        single = isinstance(results, Tensor)
        return change(results) if single else tuple(map(change, results))

    return changed


@parity.counter_example("tail_not_computed", of="call")
def tail_not_computed(call: Call) -> Call:
    """Leave zeros behind the last whole vector of 16 elements: invisible where rows are divisible."""

    def cut(result: Tensor) -> Tensor:
        columns = result.shape[-1]
        kept = torch.arange(columns, device=result.device) < columns // 16 * 16
        return torch.where(kept, result, torch.zeros_like(result))

    return _mapped(call, cut)


@parity.counter_example("last_row_not_computed", of="call")
def last_row_not_computed(call: Call) -> Call:
    """Launch one program too few: the last row stays as zeros."""

    def cut(result: Tensor) -> Tensor:
        changed = result.clone()
        if len(changed):
            changed[-1] = 0
        return changed

    return _mapped(call, cut)


@parity.counter_example("off_by_a_unit", of="call")
def off_by_a_unit(call: Call) -> Call:
    """Move results towards zero by three quarters of a unit in the last place, as truncating does."""
    return _mapped(call, lambda result: (result.double() * (1 - 0.75 * _spacing(result))).to(result.dtype))


def _spacing(result: Tensor) -> float:
    return torch.finfo(result.dtype).eps


@parity.counter_example("nothing_refused", of="call")
def nothing_refused(call: Call) -> Call:
    """Return something whatever the arguments are."""

    def lenient(*arguments: Any, **keywords: Any) -> Any:
        try:
            return call(*arguments, **keywords)
        except KernelError:
            return torch.zeros(())

    return lenient


@parity.counter_example("not_deterministic", of="call")
def not_deterministic(call: Call) -> Call:
    """Change the lowest bit of the first element at every second call, within the bound."""
    calls = iter(range(1 << 30))

    def flipping(result: Tensor) -> Tensor:
        if next(calls) % 2 and result.numel():
            integers = torch.int32 if result.element_size() == 4 else torch.int16
            changed = result.clone().view(integers)
            changed.view(-1)[0] ^= 1
            return changed.view(result.dtype)
        return result

    return _mapped(call, flipping)


@parity.counter_example("nan_passed_over", of="call")
def nan_passed_over(call: Call) -> Call:
    """Write zeros where there should be NaN."""
    return _mapped(call, lambda result: result.nan_to_num(0, float("inf"), float("-inf")))


@parity.counter_example("epsilon_outside_of_the_root", of="call")
def epsilon_outside_of_the_root(call: Call) -> Call:
    """RMSNorm: divide by ``sqrt(mean) + eps``, which only rows of small numbers show."""

    def outside(x: Tensor, weight: Tensor, eps: float, **others: Any) -> Any:
        results = call(x=x, weight=weight, eps=eps, **others)
        first = results if isinstance(results, Tensor) else results[0]
        total = x if isinstance(results, Tensor) else results[1]
        if not total.numel():
            return results
        square = total.double().square().mean(-1, keepdim=True)
        changed = (first.double() * (square + eps).sqrt() / (square.sqrt() + eps)).to(x.dtype)
        return changed if isinstance(results, Tensor) else (changed, results[1])

    return outside


@parity.counter_example("mean_over_the_block", of="call")
def mean_over_the_block(call: Call) -> Call:
    """RMSNorm: divide the sum of squares by the length of the block, right where that is the row's."""

    def over(x: Tensor, weight: Tensor, eps: float, **others: Any) -> Any:
        columns = x.shape[-1] if x.ndim else 0
        if columns < 2:
            return call(x=x, weight=weight, eps=eps, **others)
        block = 1 << (columns - 1).bit_length()
        results = call(x=x, weight=weight, eps=eps * block / columns, **others)
        first = results if isinstance(results, Tensor) else results[0]
        changed = first * (block / columns) ** 0.5
        return changed if isinstance(results, Tensor) else (changed, results[1])

    return over


@parity.counter_example("sum_not_rounded", of="call")
def sum_not_rounded(call: Call) -> Call:
    """Add and normalise: return the sum as it was before it was rounded, one unit off where it matters."""

    def unrounded(x: Tensor, residual: Tensor, **others: Any) -> Any:
        normalised, total = call(x=x, residual=residual, **others)
        return normalised, torch.where(total.isfinite(), x * (1 + torch.finfo(x.dtype).eps) + residual, total)

    return unrounded


@parity.counter_example("one_head_the_other_way", of="call")
def one_head_the_other_way(call: Call) -> Call:
    """RoPE: turn the last head of the keys by the negative angle."""

    def turned(q: Tensor, k: Tensor, sin: Tensor, **others: Any) -> Any:
        q_out, k_out = call(q=q, k=k, sin=sin, **others)
        back = call(q=q, k=k, sin=-sin, **others)[1]
        return q_out, torch.cat([k_out[:, :-1], back[:, -1:]], dim=1)

    return turned


@parity.counter_example("neighbours_paired", of="call")
def neighbours_paired(call: Call) -> Call:
    """RoPE: pair neighbours instead of halves, as GPT-J does."""

    def paired(q: Tensor, k: Tensor, **others: Any) -> Any:
        def apart(x: Tensor) -> Tensor:
            return torch.cat([x[..., 0::2], x[..., 1::2]], dim=-1)

        def together(x: Tensor) -> Tensor:
            return torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)

        return tuple(map(together, call(q=apart(q), k=apart(k), **others)))

    return paired


@parity.counter_example("one_position_on", of="call")
def one_position_on(call: Call) -> Call:
    """RoPE: count positions from 1, which relative positions do not show."""
    return lambda positions, **others: call(positions=positions + 1, **others)


@parity.counter_example("gate_and_up_exchanged", of="call")
def gate_and_up_exchanged(call: Call) -> Call:
    """SwiGLU: gate with the wrong half."""
    return lambda gate, up, **others: call(gate=up, up=gate, **others)


@parity.counter_example("sigmoid_for_silu", of="call")
def sigmoid_for_silu(call: Call) -> Call:
    """SwiGLU: leave the factor g out."""

    def without(gate: Tensor, up: Tensor, **others: Any) -> Any:
        call(gate=gate, up=up, **others)
        return (torch.sigmoid(gate.float()) * up.float()).to(gate.dtype)

    return without


@parity.counter_example("zeros_behind_the_row", of="call")
def zeros_behind_the_row(call: Call) -> Call:
    """Softmax: load zeros behind the mask instead of minus infinity: the sum has terms too many."""

    def padded(x: Tensor, **others: Any) -> Any:
        columns = x.shape[-1] if x.ndim else 0
        missing = (1 << max(columns - 1, 0).bit_length()) - columns
        if not missing:
            return call(x=x, **others)
        call(x=x, **others)
        return call(x=torch.nn.functional.pad(x, (0, missing)), **others)[..., :columns]

    return padded


@parity.counter_example("maximum_not_subtracted", of="call")
def maximum_not_subtracted(call: Call) -> Call:
    """Softmax: take exp of the numbers as they are, which large ones show."""

    def plain(x: Tensor, **others: Any) -> Any:
        call(x=x, **others)
        shares = torch.exp(x.float())
        return (shares / shares.sum(-1, keepdim=True)).to(x.dtype)

    return plain


@parity.counter_example("sum_of_the_last_block", of="call")
def sum_of_the_last_block(call: Call) -> Call:
    """Softmax: forget the sum whenever a block comes: rows of one block are right."""

    def forgetful(x: Tensor, **others: Any) -> Any:
        result = call(x=x, **others)
        if result.shape[-1] <= 16384:
            return result
        last = (result.shape[-1] - 1) // 8192 * 8192
        return (result.float() / result.float()[..., last:].sum(-1, keepdim=True)).to(x.dtype)

    return forgetful
