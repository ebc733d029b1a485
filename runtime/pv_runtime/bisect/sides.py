"""One of the two implementations: what computes, and what is known of its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture, architecture_of
from pv_runtime.backends import Backend, DecoderBackend, ReferenceBackend, open_backend
from pv_runtime.bisect.recording import Recording
from pv_runtime.cache import Cache
from pv_runtime.errors import ModelError
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder, Rotation
from pv_runtime.stages import LAYER_STAGES, Tap
from pv_runtime.weights import StreamedWeights, Weights, load_weights

__all__ = ["Side", "compute_injected", "passes_of", "record"]

_SMALL = 50_000_000
"""Parameters up to which two models are loaded whole."""

Passes = Sequence[tuple[int, int]]


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """An implementation with a model.

    Parameters
    ----------
    name
        What people call it: a path, and the back-end where it is not ours.
    backend
        What computes.
    dtype
        That it computes in.
    model
        The checkpoint; None where it is not known.
    weights
        Its weights in float32; None where they are not known.
    copies
        Rows of the batch, all the same: any number must give the same values.
    """

    name: str
    backend: Backend
    dtype: torch.dtype = torch.float32
    model: Checkpoint | None = None
    weights: Weights | StreamedWeights | None = None
    copies: int = 1

    @classmethod
    def of(
        cls, name: str, backend: Backend, model: Checkpoint | None, dtype: torch.dtype = torch.float32
    ) -> Side:
        """Describe a back-end that has loaded `model`."""
        if model is None:
            return cls(name, backend, dtype)
        weights: Weights | StreamedWeights
        ours = isinstance(backend, ReferenceBackend) and backend.decoder.weights.device == "cpu"
        if isinstance(backend, ReferenceBackend) and ours and dtype == torch.float32:
            weights = backend.decoder.weights
        else:
            weights = load_weights(model, streamed=True)
        return cls(name, backend, dtype, model, weights)

    @classmethod
    def opened(
        cls,
        name: str,
        model: Checkpoint,
        backend: str,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> Side:
        """Load `model` into a back-end; into the reference one block at a time where it is not small."""
        if backend != "reference" or device != "cpu":
            return cls.of(name, open_backend(backend, model, dtype=dtype, device=device), model, dtype)
        streamed = architecture_of(model).parameters > _SMALL
        return cls.of(name, ReferenceBackend.open(model, dtype=dtype, streamed=streamed), model, dtype)

    @property
    def architecture(self) -> Architecture:
        """The numbers of its model."""
        return self.backend.architecture

    @property
    def cached(self) -> bool:
        """Whether it can compute some tokens, and then more."""
        return isinstance(self.backend, DecoderBackend)


def passes_of(count: int, decoded: int) -> tuple[tuple[int, int], ...]:
    """Split `count` tokens: a prompt, then `decoded` tokens with the cache, the first two of them at once.

    >>> passes_of(10, 4)
    ((0, 6), (6, 8), (8, 9), (9, 10))
    """
    decoded = min(decoded, count - 1)
    prompt = count - decoded
    ends = [prompt] if decoded < 3 else [prompt, prompt + 2]
    ends += range(ends[-1] + 1, count + 1)
    return tuple(zip([0, *ends], ends, strict=False))


def record(side: Side, tokens: Tensor, folder: Path | None = None) -> Recording:
    """Run `side` in one pass over int64 ``[tokens]`` and keep what it shows."""
    kept = Recording(folder)

    def tap(stage: str, layer: int | None, values: Tensor) -> Tensor:
        if not kept.has((stage, layer), 0, len(tokens)):
            kept.put((stage, layer), 0, values[0])
        return values

    _forward(side, tokens, [(0, len(tokens))], lambda _: tap, kept)
    return kept


def compute_injected(
    side: Side, tokens: Tensor, others: Recording, passes: Passes, folder: Path | None = None
) -> Recording:
    """Run `side` so that every stage computes on the values in `others`; keep what it makes of them.

    Raises
    ------
    ModelError
        A stage has another number of features here than there.
    """
    kept = Recording(folder)

    def tap_from(start: int) -> Tap:
        def tap(stage: str, layer: int | None, values: Tensor) -> Tensor:
            key = (stage, layer)
            kept.put(key, start, values[0])
            if key not in others or stage not in side.backend.takes:
                return values
            theirs = others.values(*key)[start : start + values.shape[1]]
            if theirs.shape != values.shape[1:]:
                where = stage if layer is None else f"{stage} of layer {layer}"
                raise ModelError(
                    f"{where} has {list(values.shape[1:])} values in {side.name} and {list(theirs.shape)} on "
                    "the other side: like is compared with like only"
                )
            return _within(theirs, values.dtype).to(values.device).expand_as(values)

        return tap

    outputs = _forward(side, tokens, passes, tap_from, kept, others)
    for (start, end), output in zip(passes, outputs, strict=True):
        _check_output(side, others, kept, start, end, output)
    return kept


def _within(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Round to `dtype`; what it cannot hold becomes its largest value, so that one stage alone overflows."""
    limits = torch.finfo(dtype)
    return values.clamp(limits.min, limits.max).to(dtype) if dtype == torch.float16 else values.to(dtype)


def _check_output(
    side: Side, others: Recording, kept: Recording, start: int, end: int, output: Tensor | None
) -> None:
    """Take what was returned for the head's values, where something was done after the last tap."""
    key = ("lm_head", None)
    if output is None or key not in others or "lm_head" not in side.backend.takes:
        return
    expected = _within(others.values(*key)[start:end], output.dtype)
    if output.shape[1] != end - start:
        raise ModelError(f"{side.name} returned logits of {output.shape[1]} tokens for {end - start}")
    if not torch.equal(output[0].cpu(), expected):
        kept.put(key, start, output[0])


def _forward(
    side: Side,
    tokens: Tensor,
    passes: Passes,
    tap_from: Callable[[int], Tap],
    kept: Recording,
    others: Recording | None = None,
) -> list[Tensor | None]:
    """Compute the passes, leaving out the blocks that `kept` has from an earlier run."""
    batch = tokens[None].expand(side.copies, -1)
    if not isinstance(side.backend, DecoderBackend):
        ((start, end),) = passes
        return [side.backend.forward(batch[:, start:end], tap=tap_from(start))]
    decoder = side.backend.decoder
    cache = decoder.cache(side.copies, capacity=len(tokens)) if len(passes) > 1 else None
    outputs: list[Tensor | None] = []
    batch = batch.to(decoder.weights.device)
    # Where a block is joined to the next by a kernel that does the work of both, none can be left out.
    apart = isinstance(side.backend, ReferenceBackend)
    for start, end in passes:
        done = _finished(kept, decoder.architecture.layers, start, end) if apart else set()
        if cache is not None and others is not None:  # what a block leaves in the cache has to be known
            needed = ("k_post_rope", "qkv_bias")
            done = {layer for layer in done if all((stage, layer) in others for stage in needed)}
        with _Skipping(decoder, done, kept, others, start, end):
            outputs.append(decoder.forward(batch[:, start:end], cache=cache, tap=tap_from(start)))
    return outputs


def _finished(kept: Recording, layers: int, start: int, end: int) -> set[int]:
    return {
        layer
        for layer in range(layers)
        if all(kept.has((stage, layer), start, end) for stage in LAYER_STAGES)
    }


class _Skipping:
    """Lets a decoder pass over blocks whose stages an earlier run has kept."""

    def __init__(
        self,
        decoder: Decoder,
        done: set[int],
        kept: Recording,
        others: Recording | None,
        start: int,
        end: int,
    ) -> None:
        self._decoder, self._done, self._kept, self._others = decoder, done, kept, others
        self._span = (start, end)

    def __enter__(self) -> None:
        if not self._done:
            return
        compute = self._decoder.block

        def block(
            index: int, x: Tensor, rotation: Rotation, mask: Tensor | None, cache: Cache | None, tap: Tap
        ) -> Tensor:
            if index not in self._done:
                return compute(index, x, rotation, mask, cache, tap)
            if cache is not None:
                cache.extend(index, *self._keys_and_values(index, x))
            return self._rows("layer_output", index, self._others or self._kept).to(x.dtype).expand_as(x)

        vars(self._decoder)["block"] = block

    def _rows(self, stage: str, layer: int, values: Recording) -> Tensor:
        return values.values(stage, layer)[self._span[0] : self._span[1]]

    def _keys_and_values(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the block would have put into the cache: computed on the other side's values."""
        a = self._decoder.architecture
        assert self._others is not None  # noqa: S101 - the side that is recorded has no cache
        keys = self._rows("k_post_rope", layer, self._others)
        values = self._rows("qkv_bias", layer, self._others)[:, a.query_size + a.kv_size :]
        keys, values = (
            each.view(len(each), a.kv_heads, a.head_dim).transpose(0, 1).to(x.dtype)
            for each in (keys, values)
        )
        return keys.expand(len(x), *keys.shape), values.expand(len(x), *values.shape)

    def __exit__(self, *_: object) -> None:
        vars(self._decoder).pop("block", None)
