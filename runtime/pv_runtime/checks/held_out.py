"""What a model makes of text that it never learnt from: its loss, and the functions that it goes on with."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pv.check import CheckError, Metric, Run, check
from pv_runtime.checks import generation
from pv_runtime.formats import Checkpoint, FileBytes
from pv_runtime.model import Decoder
from pv_runtime.tokenizer import tokenizer_of
from pv_runtime.weights import load_weights

__all__ = ["held_out_functions", "held_out_loss"]

Forward = Callable[[Tensor], Tensor]
_FUNCTION = re.compile(r"^ *(def \w+\(.*\):\n) +(\w[^.(=\[\n]*[.(=\[])", re.MULTILINE)
"""A function's first line, and its first statement up to where that can no longer end."""


@check(
    metrics=[
        Metric("windows", unit="1", kind="count"),
        Metric("loss", unit="nat", low=0.0),
        Metric("uniform_loss", unit="nat", low=0.0),
        Metric("seen_ahead", unit="1", low=0.0),
    ]
)
def held_out_loss(
    run: Run, *, model: Checkpoint, text: FileBytes, settings: Mapping[str, Mapping[str, int]]
) -> None:
    """Record the loss of `model` on windows of `text` that do not overlap, spread over all of it.

    `settings` are, by level, the number of ``windows`` and their ``length`` in tokens. `loss` is that of one
    window: the mean of -ln p of all its tokens but the first. `uniform_loss` is ln V, what who knows nothing
    has. `seen_ahead` is how far logits move when only the last token of their window is another one, which
    none of them may have seen.

    Raises
    ------
    CheckError
        The text is too short.
    """
    here = settings[run.level]
    decoder = Decoder(load_weights(model, device=run.device))
    forward: Forward = run.role("forward", decoder.forward)
    ids = tokenizer_of(model, Path(model.path).parent).encode(
        text.read(0, text.size).tobytes().decode(), begin=False
    )
    length, count = here["length"], here["windows"]
    if len(ids) < length * count:
        raise CheckError(f"{text.path} has {len(ids)} tokens, and {length * count} are asked for")
    apart = len(ids) // count
    with torch.no_grad():
        for number in run.progress(range(count), count):
            window = torch.tensor([ids[number * apart : number * apart + length]])
            logits = forward(window.to(run.device))[0].float().cpu()
            loss = functional.cross_entropy(logits[:-1], window[0, 1:]).item()
            run.record("loss", loss, label=f"window {number}")
            if number == 0:
                other = window.clone()
                other[0, -1] = (other[0, -1] + 1) % decoder.architecture.vocab_size
                moved = forward(other.to(run.device))[0, :-1].float().cpu() - logits[:-1]
                run.record("seen_ahead", moved.abs().max().item())
    run.record("windows", count)
    run.record("uniform_loss", math.log(decoder.architecture.vocab_size))


@held_out_loss.counter_example("sees_the_next_token", of="forward")
def sees_the_next_token(forward: Forward) -> Forward:
    """Let each position know what follows it: the loss is lower than any model's can be."""

    def told(tokens: Tensor) -> Tensor:
        logits = forward(tokens).clone()
        logits[0, :-1].scatter_add_(1, tokens[0, 1:, None], torch.full((tokens.shape[1] - 1, 1), 9.0))
        return logits

    return told


@held_out_loss.counter_example("random_weights", of="model")
def random_weights(model: Checkpoint) -> Checkpoint:
    """Give every matrix random values: the model of nobody."""
    return generation.random_weights(model)


@held_out_loss.counter_example("layers_in_reverse", of="model")
def layers_in_reverse(model: Checkpoint) -> Checkpoint:
    """Compute the last layer first."""
    return generation.layers_in_reverse(model)


@check(
    metrics=[
        Metric("prompts", unit="1", kind="count"),
        Metric("parses", unit="1", kind="count"),
        Metric("share_of_lines", unit="1", low=0.0, high=1.0),
        Metric("written", unit="1", kind="count"),
    ]
)
def held_out_functions(
    run: Run, *, model: Checkpoint, text: FileBytes, settings: Mapping[str, Mapping[str, Any]]
) -> None:
    """Let `model` go on from the beginnings of functions in `text`, spread over all of it.

    A beginning is a function's first line and its first statement, up to the first point, bracket or equals
    sign: with that alone it is no Python. `settings` are, by level, the number of
    ``prompts`` and of ``new_tokens``. What is recorded is that of `generation.parsable_completions`.

    Raises
    ------
    CheckError
        The text has too few functions.
    """
    here = settings[run.level]
    whole = text.read(0, text.size).tobytes().decode()
    found = list(dict.fromkeys(f"{match[1]}    {match[2]}" for match in _FUNCTION.finditer(whole)))
    if len(found) < here["prompts"]:
        raise CheckError(f"{text.path} has {len(found)} functions, and {here['prompts']} are asked for")
    apart = len(found) // here["prompts"]
    prompts = found[: apart * here["prompts"] : apart]
    generation.parsable_completions(run, model=model, prompts=prompts, new_tokens=here["new_tokens"])


@held_out_functions.counter_example("weights_of_nobody", of="model")
def weights_of_nobody(model: Checkpoint) -> Checkpoint:
    """Give every matrix random values."""
    return generation.random_weights(model)


@held_out_functions.counter_example("writes_nothing", of="write")
def writes_nothing(write: generation.Write) -> generation.Write:
    """Write nothing: there is no error of syntax in it."""
    return generation.writes_nothing(write)


@held_out_functions.counter_example("writes_blank_lines", of="write")
def writes_blank_lines(write: generation.Write) -> generation.Write:
    """Write blank lines and comments."""
    return generation.writes_blank_lines(write)
