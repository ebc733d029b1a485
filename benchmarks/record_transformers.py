"""Record the stages of a forward pass by any release of transformers, as a trace that `apr bisect` reads.

    python record_transformers.py MODEL OUT --token-ids 1,2,3 [--gguf-file NAME] [--autocast]

Needs torch, numpy and transformers alone, so that it runs where an old release is installed. Watches modules
that Llama and Qwen2 have had under the same names in all releases.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers


def main() -> None:
    """Run the model, and write the trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--token-ids", required=True)
    parser.add_argument("--gguf-file", help="the name of a GGUF file in the folder MODEL")
    parser.add_argument("--autocast", action="store_true", help="compute under autocast to bfloat16")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    options: dict[str, Any] = {"gguf_file": arguments.gguf_file} if arguments.gguf_file else {}
    model = transformers.AutoModelForCausalLM.from_pretrained(
        arguments.model, torch_dtype=torch.float32, attn_implementation="eager", **options
    ).eval()
    tokens = [int(each) for each in arguments.token_ids.split(",")]
    kept: dict[str, np.ndarray[Any, Any]] = {}
    watch(model, kept)
    lower = torch.autocast("cpu", dtype=torch.bfloat16) if arguments.autocast else contextlib.nullcontext()
    with torch.no_grad(), lower:
        model(torch.tensor([tokens]), use_cache=False)
    out = Path(arguments.out)
    for name, values in kept.items():
        path = out / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, values)
    origin = {
        "format": "pv-trace",
        "version": "1",
        "tokens": tokens,
        "dtype": "bfloat16" if arguments.autocast else "float32",
        "made_by": f"transformers {transformers.__version__}",
    }
    (out / "trace.json").write_text(json.dumps(origin))
    print(f"transformers {transformers.__version__}: {len(kept)} stages of {len(tokens)} tokens")


def watch(model: Any, kept: dict[str, np.ndarray[Any, Any]]) -> None:
    """Register hooks that copy every stage into `kept`."""

    def keep(name: str, values: Any) -> None:
        first = values[0] if isinstance(values, tuple) else values
        kept[name] = first.detach().float().numpy()[0].copy()

    def after(module: Any, name: str) -> None:
        module.register_forward_hook(lambda _module, _inputs, output: keep(name, output))

    def before(module: Any, name: str) -> None:
        module.register_forward_pre_hook(lambda _module, inputs: keep(name, inputs))

    body = model.model
    after(body.embed_tokens, "embedding")
    for index, block in enumerate(body.layers):
        at = f"layer-{index}/"
        after(block.input_layernorm, at + "attn_norm")
        watch_projections(block.self_attn, at, kept)
        before(block.self_attn.o_proj, at + "attention")
        after(block.self_attn.o_proj, at + "attn_out")
        before(block.post_attention_layernorm, at + "post_attn_residual")
        after(block.post_attention_layernorm, at + "ffn_norm")
        after(block.mlp.gate_proj, at + "ffn_gate")
        after(block.mlp.up_proj, at + "ffn_up")
        after(block.mlp.act_fn, at + "ffn_silu")
        before(block.mlp.down_proj, at + "ffn_swiglu")
        after(block.mlp.down_proj, at + "ffn_out")
        after(block, at + "layer_output")
    after(body.norm, "final_norm")
    after(model.lm_head, "lm_head")
    watch_rotation(model, kept)


def watch_projections(attention: Any, at: str, kept: dict[str, np.ndarray[Any, Any]]) -> None:
    """Keep queries, keys and values beside each other, after their biases."""
    parts: list[Any] = []

    def each(_module: Any, _inputs: Any, output: Any) -> None:
        parts.append(output.detach().float())
        if len(parts) == 3:
            kept[at + "qkv_bias"] = torch.cat(parts, dim=-1).numpy()[0].copy()
            parts.clear()

    for module in (attention.q_proj, attention.k_proj, attention.v_proj):
        module.register_forward_hook(each)


def watch_rotation(model: Any, kept: dict[str, np.ndarray[Any, Any]]) -> None:
    """Wrap the function that turns queries and keys; blocks call it one after the other."""
    module = sys.modules[type(model).__module__]
    rotate, calls = module.apply_rotary_pos_emb, iter(range(len(model.model.layers)))

    def watched(*inputs: Any, **options: Any) -> Any:
        q, k = rotate(*inputs, **options)
        at = f"layer-{next(calls)}/"
        for name, values in (("q_post_rope", q), ("k_post_rope", k)):
            kept[at + name] = values.detach().float().transpose(1, 2).flatten(2).numpy()[0].copy()
        return q, k

    module.apply_rotary_pos_emb = watched  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
