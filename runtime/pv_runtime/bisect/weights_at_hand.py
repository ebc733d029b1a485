"""The weights of both sides that experiments need, one block in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pv_runtime.bisect.sides import Side
from pv_runtime.canonical import canonical
from pv_runtime.config import config_of
from pv_runtime.errors import LoadError, QuantisationError
from pv_runtime.formats import Checkpoint
from pv_runtime.quant import SCHEMES
from pv_runtime.weights import LayerWeights, StreamedWeights, Weights

__all__ = ["WeightsAtHand"]

_FIELDS = {
    "attn_norm": "attn_norm", "qkv_matmul": "qkv", "qkv_bias": "qkv_bias", "attn_out": "attn_out",
    "ffn_norm": "ffn_norm", "ffn_gate": "gate", "ffn_up": "up", "ffn_out": "down",
}  # fmt: skip
_WHOLE = {"embedding": "embedding", "final_norm": "final_norm", "lm_head": "head"}
_NAMES = {
    "embedding": "model.embed_tokens.weight",
    "final_norm": "model.norm.weight",
    "lm_head": "lm_head.weight",
    "attn_norm": "input_layernorm.weight",
    "qkv_matmul": "self_attn.{part}_proj.weight",
    "qkv_bias": "self_attn.{part}_proj.bias",
    "attn_out": "self_attn.o_proj.weight",
    "ffn_norm": "post_attention_layernorm.weight",
    "ffn_gate": "mlp.gate_proj.weight",
    "ffn_up": "mlp.up_proj.weight",
    "ffn_out": "mlp.down_proj.weight",
}
_NEIGHBOURS = 2
_FEW_LAYERS = 16


class WeightsAtHand:
    """Weights by stage and layer; None where a side's are not known, or a stage has none.

    Parameters
    ----------
    reference, candidate
        The sides; None for a saved trace.
    """

    def __init__(self, reference: Side | None, candidate: Side | None) -> None:
        known = reference if reference is not None else candidate
        self._reference = None if known is None else known.weights
        self._model = _laid_out(known)
        self._candidate, self._candidate_model = None, None
        # Where the reference is a trace, the candidate's own weights are all that is known.
        if candidate is not None and reference is not None and candidate.model is not reference.model:
            self._candidate, self._candidate_model = candidate.weights, _laid_out(candidate)
        self._kept: dict[int, tuple[int, LayerWeights]] = {}

    def reference(self, stage: str, layer: int | None, part: str = "") -> Tensor | None:
        """Return the reference's weight of a stage."""
        return self._of(self._reference, stage, layer, part)

    def candidate(self, stage: str, layer: int | None, part: str = "") -> Tensor | None:
        """Return the candidate's weight of a stage."""
        return self._of(self._candidate, stage, layer, part)

    def _of(
        self, weights: Weights | StreamedWeights | None, stage: str, layer: int | None, part: str
    ) -> Tensor | None:
        if weights is None:
            return None
        if stage in _WHOLE:
            whole: Tensor = getattr(weights, _WHOLE[stage])
            return whole
        if stage not in _FIELDS or layer is None:
            return None
        found: Tensor | None = getattr(self._layer(weights, layer), _FIELDS[stage])
        if found is None or not part:
            return found
        a = weights.architecture
        sizes = dict(zip("qkv", (a.query_size, a.kv_size, a.kv_size), strict=True))
        return dict(zip("qkv", torch.split(found, list(sizes.values())), strict=True))[part]

    def _layer(self, weights: Weights | StreamedWeights, layer: int) -> LayerWeights:
        kept = self._kept.get(id(weights))
        if kept is None or kept[0] != layer:
            self._kept.pop(id(weights), None)  # one block at a time
            self._kept[id(weights)] = kept = (layer, weights.layer(layer))
        return kept[1]

    def dtypes(self, stage: str, layer: int | None, part: str = "") -> tuple[str, str]:
        """Return how the two sides store a weight, ``("F16", "Q4_K")``; F32 where it is not known."""
        return _stored(self._model, stage, layer, part), _stored(self._candidate_model, stage, layer, part)

    def siblings(self, stage: str, layer: int | None, part: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield the reference's other weights of the same shape: of this block, then of its neighbours."""
        own = self.reference(stage, layer, part)
        if own is None or self._reference is None:
            return
        for other, other_part in _kin(stage, part):
            found = self.reference(other, layer, other_part)
            if found is not None and found.shape == own.shape:
                yield _said(other, other_part, layer), found
        if layer is None:
            yield from self._whole(stage, own)
            return
        count = self._reference.architecture.layers
        reach = count if count <= _FEW_LAYERS else _NEIGHBOURS
        for step in sorted(range(-reach, reach + 1), key=abs):
            if step and 0 <= layer + step < count:
                moved = self._reference.layer(layer + step)
                found = getattr(moved, _FIELDS[stage])
                if found is not None and part:
                    a = self._reference.architecture
                    parts = torch.split(found, [a.query_size, a.kv_size, a.kv_size])
                    found = dict(zip("qkv", parts, strict=True))[part]
                if found is not None:
                    yield _said(stage, part, layer + step), found

    def _whole(self, stage: str, own: Tensor) -> Iterator[tuple[str, Tensor]]:
        other = {"lm_head": "embedding", "embedding": "lm_head"}.get(stage)
        found = self.reference(other, None) if other else None
        if found is not None and found.shape == own.shape and not torch.equal(found, own):
            yield f"the {other}'s", found

    def readings(self, stage: str, layer: int | None, part: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield the reference's stored blocks, decoded as other formats: its bytes from the start."""
        own = self.reference(stage, layer, part)
        name = _name(self._model, stage, layer, part)
        if self._model is None or own is None or name is None:
            return
        stored = self._model.info(name).dtype
        if stored not in SCHEMES:
            return
        raw = self._model.raw(name)
        for scheme in SCHEMES.values():
            needed = own.numel() // scheme.block_elements * scheme.block_bytes
            if scheme.name == stored or own.numel() % scheme.block_elements or needed > len(raw):
                continue
            try:
                values = torch.from_numpy(scheme.dequantise(raw[:needed])).reshape(own.shape)
            except (QuantisationError, ValueError):
                continue
            yield f"reading its {stored} bytes as {scheme.name}", values


def _laid_out(side: Side | None) -> Checkpoint | None:
    """Return a side's checkpoint with the tensors that Hugging Face's has."""
    if side is None or side.model is None:
        return None
    return canonical(side.model, config_of(side.model))


def _kin(stage: str, part: str) -> list[tuple[str, str]]:
    if part:
        return [(stage, other) for other in "qkv" if other != part]
    return {
        "ffn_gate": [("ffn_up", "")],
        "ffn_up": [("ffn_gate", "")],
        "attn_norm": [("ffn_norm", "")],
        "ffn_norm": [("attn_norm", "")],
    }.get(stage, [])


def _said(stage: str, part: str, layer: int | None) -> str:
    of = f"{part} of {stage}" if part else stage
    return of if layer is None else f"{of} in layer {layer}"


def _name(model: Checkpoint | None, stage: str, layer: int | None, part: str) -> str | None:
    if model is None or stage not in _NAMES:
        return None
    name = _NAMES[stage].format(part=part or "q")
    name = name if layer is None else f"model.layers.{layer}.{name}"
    if name == "lm_head.weight" and name not in model.names():
        name = "model.embed_tokens.weight"
    return name


def _stored(model: Checkpoint | None, stage: str, layer: int | None, part: str) -> str:
    name = _name(model, stage, layer, part)
    if model is None or name is None:
        return "F32"
    try:
        return model.info(name).dtype
    except LoadError:
        return "F32"
