"""Write a model as GGUF with its matrices in another type: block formats, fp16, bf16 or float32."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from pv_runtime.carried import Carried
from pv_runtime.errors import LoadError
from pv_runtime.export import Exported, export
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo
from pv_runtime.formats.checkpoint import PLAIN, decode
from pv_runtime.formats.ggml_types import GGML_NUMBERS, GGML_TYPES
from pv_runtime.formats.pages import give_back
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats
from pv_runtime.quant.search import quantise

__all__ = ["QUANTISATIONS", "Converted", "convert", "planned_types"]

QUANTISATIONS: dict[str, tuple[str, int]] = {
    "q4_k": ("Q4_K", 14), "q4_k_m": ("Q4_K", 15), "q5_k": ("Q5_K", 16), "q6_k": ("Q6_K", 18),
    "q8_0": ("Q8_0", 7), "f16": ("F16", 1), "bf16": ("BF16", 32), "f32": ("F32", 0),
}  # fmt: skip
"""What can be asked for: the type of most matrices, and llama.cpp's ``general.file_type``."""

_FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
"""llama.cpp's types for rows that are no multiple of 256 (``tensor_type_fallback``), F16 for those of 32."""

_BLOCKS = {name: (block, size) for name, block, size in GGML_TYPES.values() if block > 1}
_LAYER = re.compile(r"model\.layers\.(\d+)\.(self_attn\.v_proj|mlp\.down_proj)\.weight")
_WINDOW = 1 << 22
"""Elements worked on at a time; a multiple of every block."""


@dataclasses.dataclass(frozen=True)
class Converted:
    """What was written, and the tensors whose rows did not fit: name, the type wanted, the type taken."""

    exported: Exported
    fallbacks: tuple[tuple[str, str, str], ...]


def convert(
    model: Checkpoint,
    output: str,
    quantisation: str,
    *,
    folder: Path | None = None,
    with_tokenizer: bool = True,
) -> Converted:
    """Write `model` as GGUF to `output`, every matrix in the type that `quantisation` names.

    Vectors are F32, as llama.cpp asks. K-quants are searched as ggml's reference does. ``q4_k_m`` is
    llama.cpp's mix; see `planned_types`. The file is written whole or not at all.

    Parameters
    ----------
    model
        Of any format that is read here, `qwen2` or `llama`.
    quantisation
        One of `QUANTISATIONS`.
    folder
        Where the source's tokenizer.json lies, if it has one.

    Raises
    ------
    LoadError
        The model is damaged or incomplete, or a matrix is in another block format already, so that
        quantising it would lose twice.
    QuantisationError
        A value is not finite, or beyond the type.
    """
    fallbacks: list[tuple[str, str, str]] = []

    def alter(view: Checkpoint, carried: Carried) -> tuple[Checkpoint, Carried]:
        tied = bool(carried.config["tie_word_embeddings"])
        wanted = planned_types(view, quantisation, carried.config["num_hidden_layers"], tied=tied)
        taken = {name: fitting(view.info(name), dtype) for name, dtype in wanted.items()}
        fallbacks.extend(
            (name, wanted[name], dtype) for name, dtype in taken.items() if dtype != wanted[name]
        )
        _require_unquantised(view, taken)
        changed = {
            name: _converted(view, name, dtype)
            for name, dtype in taken.items()
            if view.info(name).dtype != dtype
        }
        own = {**carried.elsewhere.get("gguf", {}), "general.file_type": QUANTISATIONS[quantisation][1]}
        return Overlay(view, replace=changed), dataclasses.replace(
            carried, elsewhere={**carried.elsewhere, "gguf": own}
        )

    options = {"command": "convert", "quantize": quantisation, "format": "gguf"}
    exported = export(
        model, output, "gguf", folder=folder, with_tokenizer=with_tokenizer, alter=alter, options=options
    )
    return Converted(exported, tuple(fallbacks))


def planned_types(model: Checkpoint, quantisation: str, layers: int, *, tied: bool) -> dict[str, str]:
    """Say which type each matrix is to have.

    All have one type, but for ``q4_k_m``, which is llama.cpp's mix for dense models: Q6_K for the output
    matrix, or the embeddings where they are the output, too, and for ``v_proj`` and ``down_proj`` in the
    first and last eighth of the layers and every third between; Q4_K for the rest. With 80 layers,
    which llama.cpp takes for a 70B, the other ``v_proj`` are Q5_K.
    """
    most, _ = QUANTISATIONS[quantisation]
    types = dict.fromkeys(model.matrices(), most)
    if quantisation != "q4_k_m":
        return types
    for name in types:
        match = _LAYER.fullmatch(name)
        if match and _more_bits(int(match[1]), layers):
            types[name] = "Q6_K"
        elif match and layers == 80 and match[2] == "self_attn.v_proj":
            types[name] = "Q5_K"
        elif name == "lm_head.weight" or (name == "model.embed_tokens.weight" and tied):
            types[name] = "Q6_K"
    return types


def _more_bits(layer: int, layers: int) -> bool:
    """Whether llama.cpp's mixes spend more on this layer (``use_more_bits``)."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def fitting(info: TensorInfo, dtype: str) -> str:
    """Return `dtype`, or the type that llama.cpp takes where a row is no whole number of its blocks."""
    row = info.shape[-1]
    for candidate in (dtype, _FALLBACK.get(dtype, dtype)):
        if candidate not in _BLOCKS or row % _BLOCKS[candidate][0] == 0:
            return candidate
    return "F16"


def _require_unquantised(model: Checkpoint, taken: Mapping[str, str]) -> None:
    misfits = [
        name for name, dtype in taken.items()
        if model.info(name).dtype in _BLOCKS and dtype in _BLOCKS and model.info(name).dtype != dtype
    ]  # fmt: skip
    if misfits:
        first = model.info(misfits[0])
        raise LoadError(
            f"{len(misfits)} matrices are quantised already, first {first.name} in {first.dtype}, and to "
            f"quantise them to {taken[first.name]} would lose twice",
            model.path,
            "convert the weights that this file was made from",
        )


def _converted(model: Checkpoint, name: str, dtype: str) -> LazyTensor:
    info = model.info(name)
    block, size = _BLOCKS.get(dtype, (1, PLAIN.get(dtype, 0)))
    changed = TensorInfo(name, dtype, info.shape, info.elements // block * size)
    return LazyTensor(changed, functools.partial(_bytes, model, info, changed))


def _bytes(model: Checkpoint, info: TensorInfo, changed: TensorInfo) -> Bytes:
    """Convert a tensor window by window, so that its float32 values never stand in memory whole."""
    raw, out = model.raw(info.name), np.empty(changed.nbytes, np.uint8)
    for start in range(0, info.elements, _WINDOW):
        stop = min(start + _WINDOW, info.elements)
        first, last = (place * info.nbytes // info.elements for place in (start, stop))
        part = raw[first:last]
        values = decode(TensorInfo(info.name, info.dtype, (stop - start,), part.nbytes), part, model.path)
        to = slice(start * changed.nbytes // info.elements, stop * changed.nbytes // info.elements)
        out[to] = _encoded(values, changed.dtype, info.name, model.path)
        give_back(part)
    return out


def _encoded(values: Floats, dtype: str, name: str, path: str) -> Bytes:
    if not np.isfinite(values).all():
        raise LoadError(f"tensor {name} has values that are not finite", path, "mend the source")
    if dtype in SCHEMES:
        return quantise(values, dtype)
    encoded = _ENCODERS[dtype](values) if dtype in _ENCODERS else _by_gguf(values, dtype)
    if dtype in {"F16", "BF16"}:
        top = np.uint16(0x7C00 if dtype == "F16" else 0x7F80)
        if ((encoded.view("<u2") & top) == top).any():
            raise LoadError(f"tensor {name} has values beyond {dtype}", path, "take bf16 or f32")
    return encoded


def _by_gguf(values: Floats, dtype: str) -> Bytes:
    """Quantise to a type of 32-element blocks that has no search, with the `gguf` package."""
    from gguf import GGMLQuantizationType, quants

    encoded: Bytes = quants.quantize(values.reshape(-1, 32), GGMLQuantizationType(GGML_NUMBERS[dtype]))
    return encoded.reshape(-1)


def _half(values: Floats) -> Bytes:
    with np.errstate(over="ignore"):  # what overflows is refused by the caller
        return values.astype("<f2").view(np.uint8)


def _bfloat16(values: Floats) -> Bytes:
    """Round to nearest, ties to even."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype("<u2").view(np.uint8)


_ENCODERS: dict[str, Callable[[Floats], Bytes]] = {
    "F32": lambda values: np.ascontiguousarray(values, "<f4").view(np.uint8),
    "F16": _half,
    "BF16": _bfloat16,
}
