"""Write a model with its matrices in another type: block formats, fp16, bf16 or float32.

The format is GGUF, APR, or for the types that have no blocks safetensors. What is quantised already is
dequantised only into a type without blocks: to quantise twice loses twice, and is done only when asked for.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from pv_runtime.carried import Carried
from pv_runtime.errors import LoadError
from pv_runtime.export import Exported, export
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo
from pv_runtime.formats.apr_types import PADDED
from pv_runtime.formats.checkpoint import DECODED, PLAIN, decode
from pv_runtime.formats.ggml_types import FILE_TYPES, GGML_NUMBERS, GGML_TYPES
from pv_runtime.formats.pages import bring, give_back
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats
from pv_runtime.quant.search import quantise

__all__ = ["QUANTISATIONS", "Converted", "convert", "planned_types"]

QUANTISATIONS: dict[str, tuple[str, int]] = {
    **{dtype.lower(): (dtype, FILE_TYPES[dtype]) for dtype in ("Q4_K", "Q5_K", "Q6_K", "Q8_0")},
    **{dtype.lower(): (dtype, FILE_TYPES[dtype]) for dtype in ("F16", "BF16", "F32")},
    "q4_k_m": ("Q4_K", 15),
}
"""What can be asked for: the type of most matrices, and llama.cpp's ``general.file_type``."""

_FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
"""llama.cpp's types for rows that are no multiple of 256 (``tensor_type_fallback``), F16 for those of 32."""

_BLOCKS = {name: (block, size) for name, block, size in GGML_TYPES.values() if block > 1}
_QUANTISED = {*_BLOCKS, *PADDED, "APR_Q4", "APR_Q8"}
_REAL = {"F64", "F32", "F16", "BF16"}
_INTEGERS = {"I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}
_LAYER = re.compile(r"model\.layers\.(\d+)\.(self_attn\.v_proj|mlp\.down_proj)\.weight")
_WINDOW = 1 << 22
"""Elements worked on at a time; a multiple of every block."""


@dataclasses.dataclass(frozen=True)
class Converted:
    """What was written.

    Parameters
    ----------
    exported
        The files.
    fallbacks
        The tensors whose rows did not fit: name, the type wanted, the type taken.
    quantised
        The block formats that the source was in.
    """

    exported: Exported
    fallbacks: tuple[tuple[str, str, str], ...]
    quantised: tuple[str, ...] = ()


def convert(
    model: Checkpoint,
    output: str,
    quantisation: str,
    *,
    form: str = "gguf",
    requantise: bool = False,
    folder: Path | None = None,
    with_tokenizer: bool = True,
) -> Converted:
    """Write `model` to `output`, every matrix in the type that `quantisation` names.

    In GGUF vectors are F32, as llama.cpp asks, and in APR they stay as they are; safetensors has one type
    throughout, as transformers writes it. K-quants are searched as ggml's reference does. ``q4_k_m`` is
    llama.cpp's mix; see `planned_types`. The file is written whole or not at all.

    Parameters
    ----------
    model
        Of any format that is read here, `qwen2` or `llama`.
    quantisation
        One of `QUANTISATIONS`.
    form
        ``"gguf"``, ``"apr"`` or, for the types without blocks, ``"safetensors"``.
    requantise
        Whether what is in another block format may be quantised anew.
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
        if not requantise:
            _require_unquantised(view, taken)
        if form == "safetensors":
            taken |= {
                name: QUANTISATIONS[quantisation][0]
                for name in view.names()
                if name not in taken and view.info(name).dtype in _REAL
            }
        changed = {
            name: _converted(view, name, dtype)
            for name, dtype in taken.items()
            if view.info(name).dtype != dtype
        }
        return Overlay(view, replace=changed), _described(carried, quantisation, form)

    options: dict[str, object] = {"command": "convert", "quantize": quantisation, "format": form}
    before = sorted({model.info(name).dtype for name in model.names()} & _QUANTISED)
    if before and QUANTISATIONS[quantisation][0] not in _BLOCKS:
        options["dequantised_from"] = before
    elif before and requantise:
        options["requantised_from"] = before
    exported = export(
        model, output, form, folder=folder, with_tokenizer=with_tokenizer, alter=alter, options=options
    )
    return Converted(exported, tuple(fallbacks), tuple(before))


def _described(carried: Carried, quantisation: str, form: str) -> Carried:
    """Let what is said of the model's types be true of the new ones."""
    dtype, number = QUANTISATIONS[quantisation]
    elsewhere = {key: dict(values) for key, values in carried.elsewhere.items()}
    for key in ("quantization", "total_size"):  # of the source, in files of other writers
        elsewhere.get("apr", {}).pop(key, None)
    own = elsewhere.pop("gguf", {})
    own.pop("general.file_type", None)
    if form == "gguf" or number not in FILE_TYPES.values():  # else it follows from the tensors
        own["general.file_type"] = number
    config = dict(carried.config)
    named = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}
    for key in ("dtype", "torch_dtype"):  # transformers casts to what this says
        if dtype in named and key in config:
            config[key] = named[dtype]
    return dataclasses.replace(
        carried, config=config, elsewhere={**elsewhere, **({"gguf": own} if own else {})}
    )


def planned_types(model: Checkpoint, quantisation: str, layers: int, *, tied: bool) -> dict[str, str]:
    """Say which type each matrix is to have.

    Matrices of integers are no weights, and stay. All others have one type, but for ``q4_k_m``, which is
    llama.cpp's mix for dense models: Q6_K for the output matrix, or the embeddings where they are the
    output, too, and for ``v_proj`` and ``down_proj`` in the first and last eighth of the layers and every
    third between; Q4_K for the rest. With 80 layers, which llama.cpp takes for a 70B, the other ``v_proj``
    are Q5_K.
    """
    most, _ = QUANTISATIONS[quantisation]
    weights = [name for name in model.matrices() if model.info(name).dtype not in _INTEGERS]
    types = dict.fromkeys(weights, most)
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
        if model.info(name).dtype in _QUANTISED and dtype in _BLOCKS and model.info(name).dtype != dtype
    ]  # fmt: skip
    if misfits:
        first = model.info(misfits[0])
        raise LoadError(
            f"{len(misfits)} matrices are quantised already, first {first.name} in {first.dtype}, and to "
            f"quantise them to {taken[first.name]} would lose twice",
            model.path,
            "convert the weights that this file was made from, or take the loss with --requantize",
        )


def _converted(model: Checkpoint, name: str, dtype: str) -> LazyTensor:
    info = model.info(name)
    block, size = _BLOCKS.get(dtype, (1, PLAIN.get(dtype, 0)))
    changed = TensorInfo(name, dtype, info.shape, info.elements // block * size)
    return LazyTensor(changed, functools.partial(_bytes, model, info, changed))


def _bytes(model: Checkpoint, info: TensorInfo, changed: TensorInfo) -> Bytes:
    """Convert a tensor window by window, so that its float32 values never stand in memory whole."""
    out = np.empty(changed.nbytes, np.uint8)
    for start, values in _windows(model, info):
        stop = start + values.size
        to = slice(start * changed.nbytes // info.elements, stop * changed.nbytes // info.elements)
        out[to] = _encoded(values, changed.dtype, info.name, model.path)
    return out


def _windows(model: Checkpoint, info: TensorInfo) -> Iterator[tuple[int, Floats]]:
    """Yield the values of a tensor piece by piece, each with the number of its first element."""
    if info.dtype not in DECODED:  # APR's own, whose rows or scales only the whole tensor tells
        values = model.tensor(info.name).reshape(-1)
        for start in range(0, info.elements, _WINDOW):
            yield start, values[start : start + _WINDOW]
        return
    raw = model.raw(info.name)
    for start in range(0, info.elements, _WINDOW):
        stop = min(start + _WINDOW, info.elements)
        first, last = (place * info.nbytes // info.elements for place in (start, stop))
        part = raw[first:last]
        bring(part)
        yield (
            start,
            decode(TensorInfo(info.name, info.dtype, (stop - start,), part.nbytes), part, model.path),
        )
        give_back(part)


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
