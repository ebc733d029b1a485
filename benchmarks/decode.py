"""How fast text is generated on the CPU, beside transformers' `generate`: same weights, same tokens.

Both compute greedily in float32 on the same two threads, ours a small model from the float16 that is
stored. They take turns in one process; tokens after the first are counted, and the best of many turns,
since a busy machine adds to every other. Three ratios: the shipped model; the shape of Qwen2.5 0.5B with
random weights, where reading two gigabytes of weights for each token is all that counts; and at that
shape, a forward pass with all stages measured (as `apr trace` does) beside a plain one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait spin otherwise, on the other's time

import torch
from pv_runtime.backends import ReferenceBackend, open_backend
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.generate import Generation
from pv_runtime.model import Decoder
from pv_runtime.presets import PRESETS
from pv_runtime.quickest import quickest
from pv_runtime.random_model import RandomModel
from pv_runtime.trace import trace

ROOT = Path(__file__).resolve().parents[1]
THREADS, PROMPT = 2, 32
SHIPPED, LARGE, TRACED = 2.0, 1.0, 2.0
"""Targets: times as fast as `generate` twice, and at most so many plain passes for a trace."""


def best(ways: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Return the least seconds of each way, taken in turns."""
    least = [float("inf")] * len(ways)
    for _ in range(rounds):
        for index, way in enumerate(ways):
            started = time.perf_counter()
            way()
            least[index] = min(least[index], time.perf_counter() - started)
    return least


def ours(decoder: Decoder, prompt: Sequence[int], count: int) -> list[int]:
    """Return `count` new tokens."""
    return list(Generation(decoder, prompt, limit=count))


def theirs(model: Any, prompt: Sequence[int], count: int) -> list[int]:
    """Return `count` new tokens of transformers'."""
    tokens = torch.tensor([prompt])
    with torch.inference_mode():
        found = model.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=count, do_sample=False,
            eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
    return [int(token) for token in found[0, len(prompt) :]]


def prompt_of(model: Checkpoint, count: int) -> list[int]:
    """Return `count` token ids, the same each time."""
    rows = model.info("model.embed_tokens.weight").shape[0]
    return torch.randint(rows, (count,), generator=torch.Generator().manual_seed(0)).tolist()


def generation(what: str, model: Checkpoint, count: int, rounds: int, target: float) -> None:
    """Print one row."""
    decoder = quickest(model)
    peer = open_backend("transformers", model).model  # type: ignore[attr-defined]
    peer.set_attn_implementation("sdpa")  # their quickest on a CPU
    prompt = prompt_of(model, PROMPT)
    same = ours(decoder, prompt, count) == theirs(peer, prompt, count)
    ways = [
        lambda: ours(decoder, prompt, 1), lambda: ours(decoder, prompt, 1 + count),
        lambda: theirs(peer, prompt, 1), lambda: theirs(peer, prompt, 1 + count),
    ]  # fmt: skip
    first, whole, their_first, their_whole = best(ways, rounds)
    mine, other = whole - first, their_whole - their_first
    met = other / mine >= target and same
    print(
        f"{what:<24} {count / mine:8.1f} tokens/s, transformers {count / other:8.1f}: "
        f"{other / mine:.2f} times, target {target:g}: {'met' if met else 'missed'}"
        f"{'' if same else '; THE TOKENS DIFFER'}"
    )


def main() -> None:
    """Print the three rows."""
    torch.set_num_threads(THREADS)
    generation("shipped, tiny-qwen2", open_checkpoint(ROOT / "models" / "tiny-qwen2"), 96, 25, SHIPPED)
    large = RandomModel(PRESETS["qwen2.5-0.5b"], dtype="F16")
    generation("0.5B shape, random", large, 12, 4, LARGE)
    reference = ReferenceBackend.open(large)
    prompt = prompt_of(large, 64)
    tokens = torch.tensor([prompt])
    plain, traced = best([lambda: reference.forward(tokens), lambda: trace(reference, prompt)], 4)
    print(
        f"{'trace of 64 tokens':<24} {traced:8.2f} s, a plain pass {plain:8.2f} s: {traced / plain:.2f} times"
        f", target {TRACED:g}: {'met' if traced / plain <= TRACED else 'missed'}"
    )


if __name__ == "__main__":
    main()
