"""One more token of each sequence, computed in buffers that stay where they are; and captured as a graph.

A step of decoding is some hundred launches of a few microseconds each, so that launching is what takes the
time. CUDA captures the launches with their addresses once, and replays them all at a time.

Source: NVIDIA, CUDA C++ Programming Guide, "CUDA Graphs"; torch's notes on CUDA semantics, "CUDA Graphs".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pv_runtime.errors import ModelError
from pv_runtime.triton_cache import CacheBuffers

if TYPE_CHECKING:
    from pv_runtime.triton_decoder import TritonDecoder

__all__ = ["CapturedStep", "DecodeStep"]

_WARM_UP = 2
"""Passes before a capture: Triton compiles in the first, and nothing may be compiled while capturing."""


class DecodeStep:
    """A step, launch by launch.

    Parameters
    ----------
    decoder
        What computes.
    buffers
        The keys and values behind which it computes; it counts up their lengths and positions.

    Attributes
    ----------
    tokens
        int64 ``[batch, 1]``, read by `run`.
    logits
        ``[batch, 1, vocab]``, written by it.
    """

    def __init__(self, decoder: TritonDecoder, buffers: CacheBuffers) -> None:
        self.decoder, self.buffers = decoder, buffers
        weights = decoder.weights
        self.tokens = torch.zeros(buffers.batch, 1, dtype=torch.int64, device=weights.device)
        self.logits = torch.empty(
            buffers.batch, 1, decoder.architecture.vocab_size, dtype=weights.dtype, device=weights.device
        )

    def __call__(self, tokens: Tensor) -> Tensor:
        """Compute one step: see `triton_cache.Step`."""
        self.tokens.copy_(tokens)
        self.run()
        return self.logits.clone()

    @torch.inference_mode()
    def run(self) -> None:
        """Launch what a step is: from `tokens` and the buffers to `logits` and the buffers."""
        self.decoder.step(self.tokens, self.buffers, out=self.logits)


class CapturedStep:
    """The same step, captured and replayed.

    Parameters
    ----------
    step
        Its buffers have room for a position. They are as before when it is captured, but for the row of that
        position, which the next step writes.

    Raises
    ------
    ModelError
        It does not compute on a GPU: nothing else can be captured.
    """

    def __init__(self, step: DecodeStep) -> None:
        if step.tokens.device.type != "cuda":
            raise ModelError(
                f"a step on {step.tokens.device} cannot be captured: CUDA graphs are of a GPU; run it launch "
                "by launch"
            )
        self.step = step
        self.graph = _captured(step)

    def __call__(self, tokens: Tensor) -> Tensor:
        """Replay it: see `triton_cache.Step`."""
        self.step.tokens.copy_(tokens)
        self.graph.replay()
        return self.step.logits.clone()


@torch.inference_mode()
def _captured(step: DecodeStep) -> torch.cuda.CUDAGraph:
    counted = (step.buffers.lengths, step.buffers.positions)
    before = [each.clone() for each in counted]
    here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
    aside.wait_stream(here)
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UP):
            step.run()
            for each, value in zip(counted, before, strict=True):
                each.copy_(value)
    here.wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step.run()
    return graph
