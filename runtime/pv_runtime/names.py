"""Tensor names: Hugging Face's, which are ours, and GGUF's, for qwen2- and llama-like decoders.

Names outside the table are kept as they are. Only names are mapped, never data: a llama GGUF holds
query and key rows permuted for its other rotary layout; a qwen2 GGUF does not.
"""

from __future__ import annotations

import re

__all__ = ["gguf_name", "hf_name"]

_WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_WHOLE_BACK = {gguf: hf for hf, gguf in _WHOLE.items()}
_LAYER_BACK = {gguf: hf for hf, gguf in _LAYER.items()}
_HF_LAYER = re.compile(r"model\.layers\.(0|[1-9][0-9]*)\.(.+)\.(weight|bias)")
_GGUF_LAYER = re.compile(r"blk\.(0|[1-9][0-9]*)\.(.+)\.(weight|bias)")


def gguf_name(name: str) -> str:
    """Map a Hugging Face name to GGUF's; ``model.layers.0.mlp.up_proj.weight`` to ``blk.0.ffn_up.weight``."""
    match = _HF_LAYER.fullmatch(name)
    if match and match[2] in _LAYER:
        return f"blk.{match[1]}.{_LAYER[match[2]]}.{match[3]}"
    return _WHOLE.get(name, name)


def hf_name(name: str) -> str:
    """Map a GGUF name to Hugging Face's; the inverse of `gguf_name` over the table."""
    match = _GGUF_LAYER.fullmatch(name)
    if match and match[2] in _LAYER_BACK:
        return f"model.layers.{match[1]}.{_LAYER_BACK[match[2]]}.{match[3]}"
    return _WHOLE_BACK.get(name, name)
