"""What attention computes, against the formula: on a GPU where there is one, else by the interpreter."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pv_kernels.attention
import pv_kernels.decode_attention
from pv.check import Metric, Run, check
from pv_kernels.checks.alteration import altered
from pv_kernels.placement import backend, on_device
from pv_kernels.specs.attention import ATTENTION
from pv_kernels.specs.decode_attention import DECODE_ATTENTION
from pv_kernels.specs.samples import used

__all__ = ["attends"]

Call = Callable[..., Any]
# Not from the registry: a record would go stale with every kernel that is added to it.
_SPECS = {spec.name: spec for spec in (ATTENTION, DECODE_ATTENTION)}
_MODULES = {"attention": pv_kernels.attention, "decode_attention": pv_kernels.decode_attention}
_TIMES = 3
"""How often a property is drawn."""
_ALL = 1e9
"""What is recorded where infinitely much of the allowed error is used."""


@check(
    metrics=[
        Metric("samples", unit="1", kind="count"),
        Metric("error_over_bound", unit="1", low=0.0),
        Metric("properties", unit="1", kind="count"),
        Metric("property_over_bound", unit="1", low=0.0),
        Metric("backend", unit="1", kind="text"),
    ]
)
def attends(run: Run, *, kernel: str, cases: Sequence[str]) -> None:
    """Run `kernel` on those of its samples that are named in `cases`, in every type, and on what it keeps.

    - `error_over_bound`: of each sample the greatest error of an element over the bound derived for it; 1e9
      where NaN or an infinity is not where it should be.
    - `property_over_bound`: the same for what must hold of all inputs, 1e9 where bits should be equal.
    - `backend`: ``interpreter`` or ``gpu``.
    """
    spec = _SPECS[kernel]
    call: Call = run.role("call", spec.call)
    samples = [(c, dtype) for c in (*spec.cases, *spec.special) if c.name in cases for dtype in spec.dtypes]
    run.record("samples", len(cases) * len(spec.dtypes))
    run.record("properties", _TIMES * len(spec.properties))
    run.record("backend", "gpu" if run.device.startswith("cuda") else "interpreter")
    placed = on_device(call, run.device)
    with backend(run.device):
        for case, dtype in run.progress(samples):
            arguments = case.arguments(dtype, run.seed)
            expected = spec.expected(arguments)
            part = used((placed(**arguments),), expected, spec.tolerance(arguments, expected))
            label = f"{case.name} in {str(dtype).removeprefix('torch.')}"
            run.record("error_over_bound", min(part, _ALL), label=label)
        generator = random.Random(run.seed)  # noqa: S311  samples, no secret
        for law in [law for law in spec.properties for _ in range(_TIMES)]:
            numbers = {name: generator.randint(*bounds) for name, bounds in law.draws.items()}
            part = law.used(placed, **numbers)
            run.record("property_over_bound", min(part, _ALL), label=f"{law.name} {numbers}")


def _replacing(kernel: str, **changes: Mapping[str, str]) -> Call:
    """Return the wrapper of `kernel` from a copy of its module with its `changes` made."""
    call: Call = altered(_MODULES[kernel], changes[kernel])[kernel]
    return call


@attends.counter_example("heads_taken_in_turn", of="call")
def heads_taken_in_turn(_call: Call, *, kernel: str) -> Call:
    """Let query head h look at key head h mod n instead of h div ratio: right only where the ratio is 1."""
    return _replacing(
        kernel,
        decode_attention={"kv_head * group + members": "kv_head + members * kv_heads"},
        attention={"(head // group)": "(head % (heads // group))"},
    )


@attends.counter_example("one_head_off", of="call")
def one_head_off(_call: Call, *, kernel: str) -> Call:
    """Let every query head look at its neighbour's keys: only the heads at a group's edge are wrong."""
    return _replacing(
        kernel,
        decode_attention={
            "kv_head * group + members": "(kv_head * group + members + 1) % (kv_heads * group)",
        },
        attention={"(head // group)": "((head + 1) % heads // group)"},
    )


@attends.counter_example("no_scale", of="call")
def no_scale(_call: Call, *, kernel: str) -> Call:
    """Leave the division by sqrt(d) out."""
    plain = {"upcast) * scale": "upcast) * 1.4426950408889634"}
    return _replacing(kernel, decode_attention=plain, attention=plain)


@attends.counter_example("one_key_more", of="call")
def one_key_more(_call: Call, *, kernel: str) -> Call:
    """Let the mask end one key late: behind the length, in the next split, in the future."""
    return _replacing(
        kernel,
        decode_attention={"held = keys < last": "held = (keys <= last) & (keys < capacity)"},
        attention={"<= before + rows[:, None]": "<= before + rows[:, None] + 1"},
    )


@attends.counter_example("one_key_less", of="call")
def one_key_less(_call: Call, *, kernel: str) -> Call:
    """Let the mask end one key early: a token does not see itself."""
    return _replacing(
        kernel,
        decode_attention={"held = keys < last": "held = keys < last - 1"},
        attention={"<= before + rows[:, None]": "< before + rows[:, None]"},
    )


@attends.counter_example("values_not_rescaled", of="call")
def values_not_rescaled(_call: Call, *, kernel: str) -> Call:
    """Forget, when the running maximum rises, what was gathered: right where one tile holds all keys."""
    forgotten = {"mixed = mixed * rescale[:, None] +": "mixed = mixed +"}
    return _replacing(kernel, decode_attention=forgotten, attention=forgotten)


@attends.counter_example("sum_not_rescaled", of="call")
def sum_not_rescaled(_call: Call, *, kernel: str) -> Call:
    """Forget, when the running maximum rises, the sum so far."""
    forgotten = {"total = total * rescale +": "total = total +"}
    return _replacing(kernel, decode_attention=forgotten, attention=forgotten)


@attends.counter_example("last_split_dropped", of="call")
def last_split_dropped(_call: Call, *, kernel: str) -> Call:
    """Combine all splits but the last: right where there is one."""
    return _replacing(
        kernel, decode_attention={"real = parts < splits": "real = parts < tl.maximum(splits - 1, 1)"}
    )


@attends.counter_example("combined_without_weights", of="call")
def combined_without_weights(_call: Call, *, kernel: str) -> Call:
    """Add the splits up as if all had the same maximum."""
    return _replacing(
        kernel, decode_attention={"mixed * weights[:, None]": "mixed", "total * weights": "total"}
    )
