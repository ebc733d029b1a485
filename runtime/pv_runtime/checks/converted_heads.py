"""A tied head after conversion: there by every path, of the embedding's shape, and not a second tensor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from pv.check import Metric, Run, check
from pv_runtime.checks.weights import EMBEDDING, HEAD
from pv_runtime.convert import convert
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.overlay import LazyTensor
from pv_runtime.presets import PRESETS
from pv_runtime.random_model import RandomModel
from pv_runtime.weights import Weights, load_weights

__all__ = ["converted_heads"]

Opener = Callable[[Path], Checkpoint]
_SHAPE = dataclasses.replace(
    PRESETS["qwen2.5-0.5b"],
    hidden_size=256, intermediate_size=256, layers=1, heads=4, kv_heads=2, vocab_size=512,
)  # fmt: skip
"""Rows of one block: a tied model in which every quantisation is possible, and quick."""


@check(
    metrics=[
        Metric("paths", unit="1", kind="count"),
        Metric("not_loaded", unit="1", kind="count"),
        Metric("wrong_shape", unit="1", kind="count"),
        Metric("differing_values", unit="1", kind="count"),
        Metric("copies", unit="1", kind="count"),
    ]
)
def converted_heads(run: Run, *, quantisations: Sequence[str], forms: Sequence[str]) -> None:
    """Convert a tied model of random weights by each quantisation into each format, and load its head.

    For each path: `not_loaded` is 1 where the file does not load; `wrong_shape` where the head is not of the
    embedding's shape, ``[512, 256]``; `differing_values` counts values of the head that are not the file's
    embedding's, all of them where there is none; `copies` is 1 where the file or the memory holds the head
    a second time.
    """
    opener: Opener = run.role("opener", open_checkpoint)
    model = RandomModel(_SHAPE, seed=run.seed).save(run.scratch())
    expected = (_SHAPE.vocab_size, _SHAPE.hidden_size)
    paths = 0
    for form in forms:
        for quantisation in quantisations:
            path = Path(run.scratch()) / f"{quantisation}.{form}"
            convert(model, str(path), quantisation, form=form, with_tokenizer=False)
            label = f"{quantisation} in {form}"
            opened = opener(path)
            try:
                weights = load_weights(opened)
            except LoadError as error:
                weights = None
                label = f"{label}: {error}"[:200]
            run.record("not_loaded", int(weights is None), label=label)
            _record(run, weights, opened, open_checkpoint(path).tensor(EMBEDDING), expected, label)
            paths += 1
    run.record("paths", paths)


def _record(
    run: Run, weights: object, opened: Checkpoint, values: object, expected: tuple[int, int], label: str
) -> None:
    head = weights.head if isinstance(weights, Weights) else torch.empty(0)
    right = tuple(head.shape) == expected
    run.record("wrong_shape", int(not right), label=label)
    differing = int((head != torch.as_tensor(values)).sum()) if right else expected[0] * expected[1]
    run.record("differing_values", differing, label=label)
    shared = isinstance(weights, Weights) and weights.head.data_ptr() == weights.embedding.data_ptr()
    run.record("copies", int(not shared or HEAD in opened.names()), label=label)


def _with_head(opener: Opener, head: Callable[[Checkpoint, TensorInfo], LazyTensor], only: str) -> Opener:
    """Let files whose name begins with `only` hold a head of their own."""

    def opened(path: Path) -> Checkpoint:
        model = opener(path)
        if not path.name.startswith(only):
            return model
        tensor = head(model, dataclasses.replace(model.info(EMBEDDING), name=HEAD))
        return Overlay(model, add={HEAD: tensor})

    return opened


@converted_heads.counter_example("head_written_twice", of="opener")
def head_written_twice(opener: Opener) -> Opener:
    """Write the head beside the embedding in one path: the same values, and as many parameters more."""
    return _with_head(opener, lambda model, info: LazyTensor(info, lambda: model.raw(EMBEDDING)), "q8_0")


@converted_heads.counter_example("head_of_another_model", of="opener")
def head_of_another_model(opener: Opener) -> Opener:
    """Write a head that is not the embedding in one path."""
    return _with_head(opener, lambda model, info: LazyTensor(info, model.raw(EMBEDDING)[::-1].copy), "f16")


@converted_heads.counter_example("embedding_lost", of="opener")
def embedding_lost(opener: Opener) -> Opener:
    """Lose the embedding, and the head with it, in one path."""

    def opened(path: Path) -> Checkpoint:
        model = opener(path)
        return Overlay(model, drop=(EMBEDDING,)) if path.name.startswith("q4_k.") else model

    return opened


@converted_heads.counter_example("rows_one_off", of="opener")
def rows_one_off(opener: Opener) -> Opener:
    """Shift the rows of the embedding by one in one path: every token is another."""

    def opened(path: Path) -> Checkpoint:
        model = opener(path)
        if not path.name.startswith("f32"):
            return model
        row = model.info(EMBEDDING).nbytes // model.info(EMBEDDING).shape[0]
        raw = model.raw(EMBEDDING)
        shifted = LazyTensor(
            model.info(EMBEDDING), lambda: torch.roll(torch.from_numpy(raw.copy()), row).numpy()
        )
        return Overlay(model, replace={EMBEDDING: shifted})

    return opened
