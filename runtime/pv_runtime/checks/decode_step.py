"""How fast one more token is computed on a GPU: a whole step, of a shape, with random weights."""

from __future__ import annotations

import copy
import dataclasses
from typing import cast

import torch
from pv_kernels.bench import Bench, open_bench
from pv_kernels.ceiling import measure_ceiling
from pv_kernels.nvml import Clocks
from pv_kernels.timing import measure
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.device_weights import DeviceWeights, Form, plain, random_weights
from pv_runtime.plain_step import PlainStep
from pv_runtime.presets import PRESETS
from pv_runtime.triton_cache import CacheBuffers
from pv_runtime.triton_decoder import TritonDecoder
from pv_runtime.triton_step import DecodeStep
from pv_runtime.triton_weights import TritonWeights

__all__ = ["decode_step", "kept_positions", "step_of"]


@check(
    metrics=[
        Metric("seconds", unit="s", low=0.0),
        Metric("spread", unit="1", low=0.0),
        Metric("weight_bytes", unit="B", kind="count"),
        Metric("share_of_copy", unit="1", low=0.0),
        Metric("cosine", unit="1", low=-1.0, high=1.0, slack=1e-6),
        Metric("seconds_compiled", unit="s", low=0.0),
        Metric("ratio_to_compiled", unit="1", low=0.0),
        Metric("copy_bandwidth", unit="B/s", low=0.0),
        Metric("throttled", unit="1", kind="count"),
        Metric("throttle_reasons", kind="text"),
        Metric("sm_clock", unit="MHz", kind="count"),
        Metric("backend", kind="text"),
        Metric("gpu", kind="text"),
        Metric("driver", kind="text"),
        Metric("torch", kind="text"),
        Metric("triton", kind="text"),
    ]
)
def decode_step(run: Run, *, preset: str, form: Form, context: int) -> None:
    """Time one more token behind `context` others, captured in a graph, in bfloat16.

    - `share_of_copy`: what reading every weight once takes at the bandwidth of a copy, over the time.
    - `cosine`: of the logits of the graph that was timed, with those of torch with the same weights.
    - `ratio_to_compiled`: the time of the same step by torch.compile, its matrices in bfloat16 whatever ours
      are, captured likewise, over ours.

    Raises
    ------
    NoGpuError
        There is no GPU.
    """
    bench: Bench = open_bench(run.device)
    ceiling = measure_ceiling(bench.timer, bench.ways)
    weights = random_weights(PRESETS[preset], form, torch.bfloat16, run.device, run.seed)
    decoder: TritonDecoder = run.role("decoder", step_of(weights))
    buffers = kept_positions(weights, context, run.seed)
    before = [each[:, :context].clone() for each in buffers.kept]
    step = DecodeStep(decoder, buffers)
    step.tokens.fill_(1)
    seen: list[Clocks] = []

    def look() -> None:
        if bench.monitor is not None:
            seen.append(bench.monitor.clocks())

    def again() -> Tensor:
        buffers.set(context)
        step.run()
        return step.logits

    timing, logits = measure(bench.timer, again, filling="read", while_busy=look)
    run.record("seconds", timing.median)
    run.record("spread", timing.spread)
    run.record("weight_bytes", weights.bytes_per_token)
    run.record("copy_bandwidth", ceiling.copy_bandwidth)
    run.record("share_of_copy", weights.bytes_per_token / ceiling.copy_bandwidth / timing.median)
    unpacked = plain(weights)
    theirs = PlainStep(unpacked, before)(step.tokens)
    run.record(
        "cosine", float(torch.cosine_similarity(logits.double().flatten(), theirs.double().flatten(), 0))
    )
    peer = PlainStep(unpacked, before, compiled=True)
    compiled = measure(bench.timer, lambda: peer(step.tokens), filling="read")[0]
    run.record("seconds_compiled", compiled.median)
    run.record("ratio_to_compiled", compiled.median / timing.median)
    clocks = seen[0] if seen else Clocks()
    run.record("throttled", int(clocks.slowed))
    run.record(
        "throttle_reasons", "not told" if clocks.reasons is None else " ".join(clocks.reasons) or "none"
    )
    if clocks.sm_mhz is not None:
        run.record("sm_clock", clocks.sm_mhz)
    run.record("backend", bench.backend)
    if bench.hardware is not None:
        for name in ("gpu", "driver", "torch", "triton"):
            run.record(name, getattr(bench.hardware, name))


def step_of(weights: DeviceWeights) -> TritonDecoder:
    """Return the decoder of our kernels with `weights`, which answer as `TritonWeights` do."""
    return TritonDecoder(cast("TritonWeights", weights))


def kept_positions(weights: DeviceWeights, context: int, seed: int) -> CacheBuffers:
    """Return buffers in which `context` positions are kept, random ones, and there is room for more."""
    buffers = CacheBuffers(weights.architecture, 1, context + 128, weights.dtype, weights.device)
    generator = torch.Generator(device=weights.device).manual_seed(seed + 1)
    for each in buffers.kept:
        each[:, :context].normal_(generator=generator)
    buffers.set(context)
    return buffers


class _Twice(TritonDecoder):
    def step(self, tokens: Tensor, buffers: CacheBuffers, **options: object) -> Tensor:
        super().step(tokens, buffers)
        buffers.lengths.sub_(1)
        buffers.positions.sub_(1)
        return super().step(tokens, buffers, **options)  # type: ignore[arg-type]


@decode_step.counter_example("every_step_twice", of="decoder")
def every_step_twice(decoder: TritonDecoder) -> TritonDecoder:
    """Compute everything a second time: right, and half as fast."""
    return _Twice(decoder.weights)


@decode_step.counter_example("last_block_left_out", of="decoder")
def last_block_left_out(decoder: TritonDecoder) -> TritonDecoder:
    """Leave the last block out: faster, and wrong."""
    shorter = copy.copy(decoder)
    shorter.architecture = dataclasses.replace(decoder.architecture, layers=decoder.architecture.layers - 1)
    return shorter
