"""Builders of derived artefacts: a quantised GGUF from a model, and its fp16 twin from that.

A builder is a function of `source`, `output` and keyword arguments; it writes the file `output`,
with the same bytes each time.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Mapping
from typing import Any

import numpy as np

from pv_runtime.config import FLOATS, GGUF_KEYS, parameter
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, LazyTensor, open_checkpoint
from pv_runtime.formats.ggml_types import FILE_TYPES
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.quantised import quantised_tensor, rows_fit
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.names import hf_name
from pv_runtime.provenance import DERIVED_FROM, GGUF_DERIVED_FROM, file_sha256
from pv_runtime.quant import Scheme, scheme_named
from pv_runtime.quant.scheme import Floats

__all__ = ["quantised_gguf", "twin"]


def quantised_gguf(source: str, output: str, *, scheme: str) -> None:
    """Write the model in the folder `source` (weights and config.json) as a GGUF file.

    Every matrix is in `scheme`, every other tensor F32; ``pv.derived_from.sha256`` names the source.

    Raises
    ------
    LoadError
        The source cannot be read, its config.json lacks a key, or a row is no multiple of the block.
    QuantisationError
        There is no such scheme, or values that it cannot represent.
    """
    model, form = open_checkpoint(source), scheme_named(scheme)
    matrices = set(model.matrices())
    if misfits := [name for name in model.matrices() if not rows_fit(model.info(name), form)]:
        raise LoadError(
            f"{len(misfits)} matrices have rows that are no multiple of {form.name}'s block of "
            f"{form.block_elements}, first {misfits[0]} {model.info(misfits[0]).shape}",
            model.path,
            "choose a scheme with a smaller block, such as q8_0",
        )
    tensors = [
        quantised_tensor(model, name, form) if name in matrices else _widened(model, name)
        for name in sorted(model.names())
    ]
    write_gguf(output, [(tensor.info, tensor.raw) for tensor in tensors], _gguf_metadata(model, form))


def _widened(model: Checkpoint, name: str) -> LazyTensor:
    return from_values(name, model.info(name).shape, functools.partial(model.tensor, name), "F32")


def _gguf_metadata(model: Checkpoint, scheme: Scheme) -> dict[str, object]:
    config = model.metadata.get("config")
    if not isinstance(config, Mapping):
        raise LoadError("has no config.json beside it, which says the architecture", model.path)
    architecture = str(_required(config, "model_type", model.path))
    metadata: dict[str, object] = {
        "general.architecture": architecture,
        "general.alignment": 32,
        "general.file_type": FILE_TYPES[scheme.name],
        "general.quantization_version": 2,
        GGUF_DERIVED_FROM: file_sha256(model.path),
    }
    for named, key in GGUF_KEYS.items():
        value = _required(config, named, model.path)
        metadata[f"{architecture}.{key}"] = float(value) if named in FLOATS else int(value)
    return metadata


def _required(config: Mapping[str, Any], key: str, path: str) -> Any:
    value = parameter(config, key)
    if value is None:
        raise LoadError(f"the config.json beside it lacks {key}", path)
    return value


def twin(source: str, output: str) -> None:
    """Write the fp16 safetensors twin of the GGUF file `source`.

    The decoder is the `gguf` package, not ours, so that a comparison of our decoding with the twin
    has two sides. The metadata name the source's digest and the decoder with its version.

    Raises
    ------
    LoadError
        A value of the source does not fit fp16.
    """
    import gguf

    def values(tensor: gguf.ReaderTensor) -> Floats:
        decoded: Floats = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        with np.errstate(over="ignore"):
            if not np.isfinite(decoded.astype(np.float16)).all():
                raise LoadError(f"tensor {tensor.name} has values that are no fp16", source)
        return decoded

    tensors = []
    for tensor in sorted(gguf.GGUFReader(source).tensors, key=lambda each: hf_name(each.name)):
        shape = tuple(int(size) for size in reversed(tensor.shape))
        tensors.append(from_values(hf_name(tensor.name), shape, functools.partial(values, tensor), "F16"))
    metadata = {
        DERIVED_FROM: file_sha256(source),
        "decoder": f"gguf {importlib.metadata.version('gguf')}",
        "format": "pt",  # what transformers asks of a file that it loads
    }
    write_safetensors(output, [(tensor.info, tensor.raw) for tensor in tensors], metadata)
