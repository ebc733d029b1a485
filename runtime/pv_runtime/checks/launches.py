"""How many launches a token costs: on the CPU by counting them, on a GPU in the graph that is replayed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pv_kernels.interpreter import interpreting
from pv_kernels.rmsnorm import rms_norm
from pv_kernels.rope import rope
from pv_kernels.swiglu import swiglu
from torch import Tensor
from torch.nn import functional

from pv.check import Metric, Run, check
from pv_runtime.formats import Checkpoint
from pv_runtime.launch_count import OWN_KERNELS, PRODUCTS, CountedOperators, profiled_kernels
from pv_runtime.random_model import RandomModel
from pv_runtime.triton_cache import CacheBuffers
from pv_runtime.triton_decoder import TritonDecoder
from pv_runtime.triton_step import CapturedStep, DecodeStep
from pv_runtime.triton_weights import TritonWeights, load_triton_weights

__all__ = ["launches_per_token"]

Build = Callable[[TritonWeights], TritonDecoder]
_CAPACITY = 64


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("layers", unit="1", kind="count"),
        Metric("kernels", unit="1", kind="count"),
        Metric("products", unit="1", kind="count"),
        Metric("operators", unit="1", kind="count"),
        Metric("backend", unit="1", kind="text"),
    ]
)
def launches_per_token(
    run: Run, *, model: Checkpoint, layers: Sequence[int], positions: Sequence[int]
) -> None:
    """Count the launches of a step of decoding, of `model` and of random ones with other numbers of layers.

    - `layers`: of the model that a sample is of.
    - `kernels`: launches of our kernels for one token at one of `positions`.
    - `products`: unquantised products, which are torch's; on a GPU, the kernels of the captured graph that
      are neither ours nor torch's own: a library may take two for a product.
    - `operators`: what else torch launches.
    - `backend`: `interpreter` or `gpu`.
    """
    build: Build = run.role("build", TritonDecoder)
    architecture = load_triton_weights(model).architecture
    models = [model, *(RandomModel(dataclasses.replace(architecture, layers=count)) for count in layers)]
    on_gpu = run.device.startswith("cuda")
    run.record("backend", "gpu" if on_gpu else "interpreter")
    run.record("cases", len(models) * len(positions))
    for each in models:
        decoder = build(load_triton_weights(each, device=run.device))
        count = decoder.architecture.layers
        buffers = CacheBuffers(decoder.architecture, 1, _CAPACITY, torch.float32, run.device)
        step = DecodeStep(decoder, buffers)
        captured = CapturedStep(step) if on_gpu else None
        for position in run.progress(positions, len(positions)):
            buffers.set(position)
            counted = _replayed(captured) if captured else _interpreted(step)
            label = f"{count} layers, position {position}"
            run.record("layers", count, label=label)
            for name, value in zip(("kernels", "products", "operators"), counted, strict=True):
                run.record(name, value, label=label)


def _interpreted(step: DecodeStep) -> tuple[int, int, int]:
    with interpreting() as launches, CountedOperators() as operators:
        step.run()
    products = sum(count for name, count in operators.launching.items() if name in PRODUCTS)
    return len(launches), products, operators.launching.total() - products


def _replayed(captured: CapturedStep) -> tuple[int, int, int]:
    names = profiled_kernels(captured.graph.replay)
    kernels = sum(name in OWN_KERNELS for name in names)
    operators = sum("at::native" in name for name in names)
    return kernels, len(names) - kernels - operators, operators


class _SiluApart(TritonDecoder):
    def gated(self, gate: Tensor, up: Tensor) -> Tensor:
        return functional.silu(gate) * up


class _RotatedApart(TritonDecoder):
    def rotate_both(self, qkv: Tensor, positions: Tensor) -> None:
        a = self.architecture
        flat = qkv.flatten(0, 1)
        q = flat[:, : a.query_size].view(-1, a.heads, a.head_dim)
        k = flat[:, a.query_size : a.query_size + a.kv_size].view(-1, a.kv_heads, a.head_dim)
        rope(q, k[:, :0], positions, self.cos, self.sin, q_out=q, k_out=k[:, :0])
        rope(q[:, :0], k, positions, self.cos, self.sin, q_out=q[:, :0], k_out=k)


class _AddedApart(TritonDecoder):
    def add_norm(self, branch: Tensor, residual: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        total = branch + residual
        return rms_norm(total, weight, self.architecture.rms_norm_eps), total


class _Copying(TritonDecoder):
    def gated(self, gate: Tensor, up: Tensor) -> Tensor:
        return swiglu(gate.clone(), up)


class _Growing(TritonDecoder):
    _steps = 0

    def step(self, tokens: Tensor, buffers: CacheBuffers, **others: Any) -> Tensor:
        self._steps += 1
        return super().step(tokens.clone() if self._steps > 2 else tokens, buffers, **others)


@launches_per_token.counter_example("silu_apart", of="build")
def silu_apart(_: Build) -> Build:
    """Compute silu, and then the product: right, and a launch more in each layer."""
    return _SiluApart


@launches_per_token.counter_example("queries_and_keys_turned_apart", of="build")
def queries_and_keys_turned_apart(_: Build) -> Build:
    """Turn the queries, and then the keys."""
    return _RotatedApart


@launches_per_token.counter_example("residual_added_apart", of="build")
def residual_added_apart(_: Build) -> Build:
    """Add the residual, and then normalise."""
    return _AddedApart


@launches_per_token.counter_example("a_copy_in_each_layer", of="build")
def a_copy_in_each_layer(_: Build) -> Build:
    """Copy the gate before it is read."""
    return _Copying


@launches_per_token.counter_example("more_for_later_tokens", of="build")
def more_for_later_tokens(_: Build) -> Build:
    """Copy once more from the third token on: after the two before a capture, so that the graph has it."""
    return _Growing
