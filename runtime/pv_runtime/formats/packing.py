"""Weights packed into integers by a quantiser, told by the names of the tensors that go together.

A dtype says nothing of them: codes lie in I32 or U8 tensors whose values mean nothing by themselves.
They are named here, listed and compared as bytes; nobody unpacks them unasked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["packed_tensors"]

_AWQ, _GPTQ = ("qweight", "qzeros", "scales"), ("qweight", "qzeros", "scales", "g_idx")
_PACKINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("GPTQ", _GPTQ),
    ("AWQ", _AWQ),
    ("compressed-tensors", ("weight_packed", "weight_scale")),
    ("bitsandbytes", ("weight", "weight.absmax", "weight.quant_map")),
    ("FP8 with scales", ("weight", "weight_scale_inv")),
    ("FP8 with scales", ("weight", "weight_scale")),
    ("MLX", ("weight", "scales", "biases")),
)
"""Name of a packing and the last parts of its tensors' names, the most particular first.

Sources: AutoGPTQ and GPTQModel; AutoAWQ; compressed-tensors; bitsandbytes' ``quant_state``; DeepSeek's
and vLLM's block-wise and per-tensor FP8; MLX ``nn.QuantizedLinear``. GPTQ without `g_idx` looks like
AWQ; config.json's ``quantization_config.quant_method`` tells them apart.
"""


def packed_tensors(names: Iterable[str], metadata: Mapping[str, object]) -> dict[str, str]:
    """Return the packing of each tensor that belongs to one, by the tensor's name.

    Parameters
    ----------
    names
        All tensors of a model.
    metadata
        The model's, whose ``config`` says which of two packings with the same names it is.
    """
    present = set(names)
    found: dict[str, str] = {}
    for name in present:
        for packing, (first, *others) in _PACKINGS:
            module = name.removesuffix("." + first)
            if module == name or name in found or not all(f"{module}.{part}" in present for part in others):
                continue
            stated = _stated_method(metadata)
            called = stated if packing == "AWQ" and stated == "GPTQ" else packing
            found.update({f"{module}.{part}": called for part in (first, *others)})
    return found


def _stated_method(metadata: Mapping[str, object]) -> str | None:
    config = metadata.get("config")
    stated = config.get("quantization_config") if isinstance(config, Mapping) else None
    method = stated.get("quant_method") if isinstance(stated, Mapping) else None
    return method.upper() if isinstance(method, str) else None
