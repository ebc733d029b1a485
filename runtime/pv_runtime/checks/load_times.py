"""What loading and decoding cost from APR, beside the same model in GGUF: time of the processor, in turns."""

from __future__ import annotations

import operator
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from pv.check import Metric, Run, check
from pv_runtime.checks.traces import draw_tokens
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.generate import Generation
from pv_runtime.model import Decoder
from pv_runtime.weights import load_weights

__all__ = ["load_times"]

Load = Callable[[Path], Decoder]


def _load(path: Path) -> Decoder:
    return Decoder(load_weights(open_checkpoint(path)))


@check(
    metrics=[
        Metric("turns", unit="1", kind="count"),
        Metric("load_ratio", unit="1", low=0.0),
        Metric("decode_ratio", unit="1", low=0.0),
        Metric("differing_tokens", unit="1", kind="count"),
    ]
)
def load_times(run: Run, *, model: Checkpoint, turns: int, written: int) -> None:
    """Load `model` from GGUF and from APR in turns, `turns` times each, and write `written` tokens from each.

    `load_ratio` is the time that the processor spent on loading from APR over that from GGUF, and
    `decode_ratio` the rate of decoding from APR over that from GGUF: the medians over all turns. In a turn
    one follows the other at once, now this first and now that, so that what else runs on the machine makes
    both slower. `differing_tokens` counts for each turn tokens that are not the same.
    """
    load: Load = run.role("load", _load)
    loaders = {"gguf": _load, "apr": load}
    paths = {form: Path(run.scratch()) / f"model.{form}" for form in loaders}
    for form, path in paths.items():
        export(model, str(path), form, with_tokenizer=False)
        _load(path)  # the first time is that of the disk
    torch.set_num_threads(1)
    loads: dict[str, list[float]] = {form: [] for form in paths}
    decodes: dict[str, list[float]] = {form: [] for form in paths}
    for number in range(turns):
        texts: dict[str, Sequence[int]] = {}
        for form, loader in sorted(loaders.items(), reverse=bool(number % 2)):
            started = time.process_time()
            decoder = loader(paths[form])
            loads[form].append(time.process_time() - started)
            prompt = draw_tokens(run, decoder.architecture.vocab_size, 4)
            started = time.process_time()
            texts[form] = list(Generation(decoder, prompt, limit=written))
            decodes[form].append(time.process_time() - started)
        same = sum(a == b for a, b in zip(texts["apr"], texts["gguf"], strict=False))
        run.record("differing_tokens", written - same, label=f"turn {number}")
    run.record("load_ratio", statistics.median(map(operator.truediv, loads["apr"], loads["gguf"])))
    run.record("decode_ratio", statistics.median(map(operator.truediv, decodes["gguf"], decodes["apr"])))
    run.record("turns", turns)


@load_times.counter_example("every_tensor_read_thrice", of="load")
def every_tensor_read_thrice(load: Load) -> Load:
    """Decode every tensor three times over before loading, as a reader does that maps the file for each."""

    def slowly(path: Path) -> Decoder:
        for _ in range(3):
            load(path)
        return load(path)

    return slowly


class _Twice(Decoder):
    def feed_forward(self, *arguments: object) -> torch.Tensor:
        for _ in range(2):
            super().feed_forward(*arguments)  # type: ignore[arg-type]
        return super().feed_forward(*arguments)  # type: ignore[arg-type]


@load_times.counter_example("feed_forward_thrice", of="load")
def feed_forward_thrice(load: Load) -> Load:
    """Compute each feed-forward part three times: the same tokens, later."""
    return lambda path: _Twice(load(path).weights)


class _Shifted(Decoder):
    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return super().embed((tokens + 1) % self.architecture.vocab_size)


@load_times.counter_example("another_token_read", of="load")
def another_token_read(load: Load) -> Load:
    """Compute as quickly, on the next token's row."""
    return lambda path: _Shifted(load(path).weights)
