"""Two implementations of one model, prompt by prompt: two files of it, or two back-ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.backends import open_backend
from pv_runtime.cache_parity import random_tokens
from pv_runtime.checks import doses, generation
from pv_runtime.formats import Checkpoint
from pv_runtime.origin import stated_origins
from pv_runtime.provenance import file_sha256
from pv_runtime.tokenizer import tokenizer_of

__all__ = ["backend_pair", "first_token"]

Forward = Callable[[Tensor], Tensor]


@check(
    metrics=[
        Metric("prompts", unit="1", kind="count"),
        Metric("probability", unit="1", low=0.0, high=1.0, slack=1e-6),
        Metric("difference", unit="1", low=0.0, high=1.0),
        Metric("another_token", unit="1", kind="count"),
        Metric("derived", unit="1", kind="count"),
        Metric("reader", unit="1", kind="text"),
    ]
)
def first_token(run: Run, *, source: Checkpoint, exported: Checkpoint, prompts: Sequence[str]) -> None:
    """Ask for the token after each prompt: `source` our decoder, and `exported`, a GGUF file, llama.cpp.

    `probability` is what the likeliest token has by `source`, and `difference` how far that is from what the
    same token has by `exported`; `another_token` is 1 where another one is likeliest there. `derived` is 1 if
    `exported` names the digest of `source`, taken now. `reader` is the back-end that read `exported`.
    """
    tokenizer = tokenizer_of(source, Path(source.path).parent)
    ours, theirs = open_backend("reference", source), open_backend("llama.cpp", exported)
    run.record("reader", theirs.name)
    run.record("derived", int(file_sha256(source.path) in stated_origins(exported)))
    for prompt in run.progress(prompts, len(prompts)):
        tokens = torch.tensor([tokenizer.encode(prompt)])
        one, other = (each.forward(tokens)[0, -1].double().softmax(-1) for each in (ours, theirs))
        likeliest = int(one.argmax())
        label = repr(prompt)[:60]
        run.record("probability", float(one[likeliest]), label=label)
        run.record("difference", abs(float(one[likeliest] - other[likeliest])), label=label)
        run.record("another_token", int(int(other.argmax()) != likeliest), label=label)
    run.record("prompts", len(prompts))


@first_token.counter_example("layers_in_reverse", of="exported")
def layers_in_reverse(exported: Checkpoint) -> Checkpoint:
    """Export the last layer as the first."""
    return generation.layers_in_reverse(exported)


@first_token.counter_example("random_weights", of="exported")
def random_weights(exported: Checkpoint) -> Checkpoint:
    """Export random values under the right names."""
    return generation.random_weights(exported)


@first_token.dose("scaled_matrix", of="exported")
def scaled_matrix(exported: Checkpoint, amount: float, place: int) -> Checkpoint:
    """Multiply one exported matrix by 1 + the amount."""
    return doses.scaled_matrix(exported, amount, place)


@check(
    metrics=[
        Metric("prompts", unit="1", kind="count"),
        Metric("relative_difference", unit="1", low=0.0),
        Metric("another_token", unit="1", kind="count"),
        Metric("reference", unit="1", kind="text"),
        Metric("candidate", unit="1", kind="text"),
    ]
)
def backend_pair(run: Run, *, model: Checkpoint, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Compute the same random prompts by two back-ends in float32, the second on the run's device.

    `settings` are, by level, the ``pair`` of back-ends, the number of ``prompts``, the ``tokens`` of
    each, and how many are a ``batch``. Of each prompt, `relative_difference` is the largest difference
    of its logits over the largest logit, both in magnitude; `another_token` counts positions where
    another token is likeliest.
    """
    here = settings[run.level]
    names = here["pair"]
    first = open_backend(names[0], model)
    second = open_backend(names[1], model, device=run.device)
    forward: Forward = run.role("second", second.forward)
    run.record("reference", first.name)
    run.record("candidate", second.name)
    vocabulary = first.architecture.vocab_size
    ids = random_tokens(here["prompts"] * here["tokens"], vocabulary, run.seed)
    prompts = torch.tensor(ids).view(here["prompts"], here["tokens"])
    batches = prompts.split(here["batch"])
    for place, tokens in enumerate(run.progress(batches, len(batches))):
        one, other = first.forward(tokens), forward(tokens).cpu().float()
        for row, (ours, theirs) in enumerate(zip(one, other, strict=True)):
            label = f"prompt {place * here['batch'] + row}"
            apart = (ours - theirs).abs().max() / ours.abs().max()
            run.record("relative_difference", float(apart), label=label)
            another = ours.argmax(-1) != theirs.argmax(-1)
            run.record("another_token", int(another.sum()), label=label)
    run.record("prompts", len(prompts))


@backend_pair.counter_example("tokens_in_reverse", of="second")
def tokens_in_reverse(second: Forward) -> Forward:
    """Count positions from the end."""
    return lambda tokens: second(tokens.flip(1)).flip(1)


@backend_pair.counter_example("first_prompt_again", of="second")
def first_prompt_again(second: Forward) -> Forward:
    """Answer the first prompt of a batch each time."""
    return lambda tokens: second(tokens)[:1].expand(len(tokens), -1, -1)


@backend_pair.dose("logit_moved", of="second")
def logit_moved(second: Forward, amount: float, place: int) -> Forward:
    """Move one logit of one position by a share of the largest."""
    chance = random.Random(f"logit {place}")  # noqa: S311  places, no secret

    def moved(tokens: Tensor) -> Tensor:
        logits = second(tokens).clone()
        row, position, token = (chance.randrange(size) for size in logits.shape)
        logits[row, position, token] += amount * logits.abs().max()
        return logits

    return moved
