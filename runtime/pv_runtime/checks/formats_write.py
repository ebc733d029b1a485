"""What a model writes, from each format that holds it: the same, and no garbage."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from pv.check import Metric, Run, check
from pv_runtime.architecture import architecture_of
from pv_runtime.checks import damage
from pv_runtime.checks.weights import EMBEDDING
from pv_runtime.config import config_of
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, open_checkpoint
from pv_runtime.generate import Generation
from pv_runtime.model import Decoder
from pv_runtime.quant.scheme import Floats
from pv_runtime.tokenizer import tokenizer_of
from pv_runtime.weights import load_weights

__all__ = ["formats_write"]

Opened = Mapping[str, Checkpoint]


@check(
    metrics=[
        Metric("formats", unit="1", kind="count"),
        Metric("logit_difference", unit="1", low=0.0),
        Metric("same_top", unit="1", kind="count"),
        Metric("differing_tokens", unit="1", kind="count"),
        Metric("kinds", unit="1", kind="count"),
        Metric("padding", unit="1", kind="count"),
    ]
)
def formats_write(run: Run, *, model: Checkpoint, prompt: str, written: int) -> None:
    """Write `written` tokens behind `prompt`, the most likely one each time, from every format.

    Each format is held against `model` itself. `logit_difference` is the greatest behind the prompt, and
    `same_top` 1 where the most likely next token is the same; `differing_tokens` of those that are written
    are others or missing. `kinds` counts the different tokens written, `padding` those that are the
    padding token, or of an id that the tokenizer does not have.
    """
    tokenizer = tokenizer_of(model, Path(model.path).parent, rows=architecture_of(model).vocab_size)
    ids = tokenizer.encode(prompt)
    expected = _written(model, ids, written)
    opened: dict[str, Checkpoint] = {}
    for form in ("safetensors", "gguf", "apr"):
        target = Path(run.scratch()) / f"model.{form}"
        export(model, str(target), form, with_tokenizer=False)
        opened[form] = open_checkpoint(target)
    pad = config_of(model).get("pad_token_id")
    found = run.role("opened", opened)
    for form, candidate in run.progress(found.items(), len(found)):
        logits, tokens = _written(candidate, ids, written)
        run.record("logit_difference", float((logits - expected[0]).abs().max()), label=form)
        run.record("same_top", int(logits.argmax() == expected[0].argmax()), label=form)
        same = sum(ours == theirs for ours, theirs in zip(expected[1], tokens, strict=False))
        run.record("differing_tokens", max(len(tokens), written) - same, label=form)
        run.record("kinds", len(set(tokens)), label=form)
        unknown = sum(token == pad or not tokenizer.decode([token]) for token in tokens)
        run.record("padding", unknown, label=form)
    run.record("formats", len(found))


def _written(model: Checkpoint, prompt: list[int], count: int) -> tuple[torch.Tensor, list[int]]:
    """Return the logits behind the prompt, ``[vocab]``, and the tokens that follow."""
    decoder = Decoder(load_weights(model))
    logits = decoder.forward(torch.tensor([prompt]), last=True)[0, -1]
    return logits, list(Generation(decoder, prompt, limit=count))


def _embedding(opened: Opened, form: str, change: Callable[[Floats], Floats]) -> Opened:
    altered = damage.replaced_values(opened[form], (EMBEDDING,), change, "F32")
    return {**opened, form: altered}


@formats_write.counter_example("head_read_as_its_transpose", of="opened")
def head_read_as_its_transpose(opened: Opened) -> Opened:
    """Read the embedding, and the head, of one format as if columns were rows."""
    return _embedding(opened, "gguf", lambda values: np.ascontiguousarray(values.T).reshape(values.shape))


@formats_write.counter_example("one_row_for_all_tokens", of="opened")
def one_row_for_all_tokens(opened: Opened) -> Opened:
    """Give every token the first one's row: none is likelier than another."""
    return _embedding(
        opened, "apr", lambda values: np.ascontiguousarray(np.broadcast_to(values[0], values.shape))
    )


@formats_write.counter_example("gate_and_up_exchanged", of="opened")
def gate_and_up_exchanged(opened: Opened) -> Opened:
    """Take one name for another in one format: every shape is right."""
    model = opened["apr"]
    names = [f"model.layers.{layer}.mlp.{{}}_proj.weight" for layer in range(architecture_of(model).layers)]
    pairs = [
        (name.format(one), name.format(other))
        for name in names
        for one, other in (("gate", "up"), ("up", "gate"))
    ]
    replaced = {}
    for name, other in pairs:
        info = dataclasses.replace(model.info(other), name=name)
        replaced[name] = LazyTensor(info, functools.partial(model.raw, other))
    return {**opened, "apr": Overlay(model, replace=replaced)}


@formats_write.counter_example("one_format_left_out", of="opened")
def one_format_left_out(opened: Opened) -> Opened:
    """Ask two formats only."""
    return {form: model for form, model in opened.items() if form != "gguf"}
