"""Hugging Face's transformers as a back-end.

Its own modules compute; they are watched by hooks, and the values between rotation and projection by an
attention function registered under a name of ours, which calls the one that the model's file defines.
Where hooks come too late to change what follows, values are replaced in place.

| stage                             | where it is seen                                                     |
|-----------------------------------|----------------------------------------------------------------------|
| embedding, final_norm, lm_head    | output of `embed_tokens`, `norm`, `lm_head`                          |
| attn_norm, ffn_norm               | output of `input_layernorm`, `post_attention_layernorm`              |
| qkv_matmul, qkv_bias              | `q_proj`, `k_proj`, `v_proj`, without their biases and with them     |
| q_post_rope, k_post_rope          | what the attention function is given                                 |
| attention, attn_out               | what it returns; output of `o_proj`                                  |
| post_attn_residual                | input of `post_attention_layernorm`                                  |
| ffn_gate, ffn_up, ffn_silu        | output of `gate_proj`, `up_proj`, `act_fn`                           |
| ffn_swiglu, ffn_out               | input and output of `down_proj`                                      |
| layer_output                      | output of the block                                                  |
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pv_runtime.architecture import Architecture, architecture_of, check_tensors, tensor_shapes
from pv_runtime.canonical import canonical
from pv_runtime.config import config_of, require_one_head
from pv_runtime.errors import ModelError
from pv_runtime.formats import Checkpoint
from pv_runtime.memory import require_memory
from pv_runtime.model import check_tokens
from pv_runtime.stages import STAGES, Tap, untapped

try:
    import transformers
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
except ImportError as error:
    raise ModelError(
        f"the back-end transformers needs the library, 4.53 or newer (pip install 'pv[oracles]'): {error}"
    ) from error

__all__ = ["TransformersBackend"]

_ATTENTION = "pv_watched"


class TransformersBackend:
    """`transformers` behind `Backend`.

    Parameters
    ----------
    model
        A `Qwen2ForCausalLM` or `LlamaForCausalLM`, or one whose modules have the same names.
    architecture
        Its numbers.
    """

    name = "transformers"
    version = transformers.__version__
    shows = frozenset(STAGES)
    takes = frozenset(STAGES)

    def __init__(self, model: Any, architecture: Architecture) -> None:
        self.model = model.eval()
        self.architecture = architecture
        _register()
        self.model.config._attn_implementation = _ATTENTION  # noqa: SLF001

    @classmethod
    def open(cls, model: Checkpoint, *, dtype: torch.dtype = torch.float32) -> TransformersBackend:
        """Build the model from the tensors of any checkpoint, as our own back-end reads them.

        Raises
        ------
        LoadError
            As `load_weights` raises it.
        """
        architecture = architecture_of(model)
        view = canonical(model, config_of(model))
        check_tensors(architecture, view)
        require_one_head(view, config_of(model))
        require_memory(2 * architecture.parameters * dtype.itemsize, "its weights, twice", model.path)
        names = [name for name, _ in tensor_shapes(architecture)]
        tensors = {name: torch.from_numpy(view.tensor(name)).to(dtype) for name in names}
        model_class, config = _described(architecture)
        transformers.utils.logging.disable_progress_bar()
        # Tied models have no tensor of the head; from_pretrained ties it.
        built = model_class.from_pretrained(None, config=config, state_dict=tensors, dtype=dtype)
        return cls(built, architecture)

    @torch.inference_mode()
    def forward(self, tokens: Tensor, *, attended: Tensor | None = None, tap: Tap = untapped) -> Tensor:
        """Compute logits: see `Backend.forward`."""
        check_tokens(self.architecture, tokens)
        if attended is None:
            attended = torch.ones(tokens.shape, dtype=torch.bool)
        positions = (attended.cumsum(1) - 1).clamp(min=0)
        with _watched(self.model, tap) if tap is not untapped else contextlib.nullcontext():
            result = self.model(
                tokens, attention_mask=attended.long(), position_ids=positions, use_cache=False
            )
        logits: Tensor = result.logits
        return logits


def _described(architecture: Architecture) -> tuple[Any, Any]:
    """Return the class of model that computes this architecture, and its configuration."""
    a = architecture
    kinds = {
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    }
    config_class, model_class = kinds[a.family]
    options = {"attention_bias": False} if a.family == "llama" else {}
    config = config_class(
        hidden_size=a.hidden_size,
        intermediate_size=a.intermediate_size,
        num_hidden_layers=a.layers,
        num_attention_heads=a.heads,
        num_key_value_heads=a.kv_heads,
        head_dim=a.head_dim,
        vocab_size=a.vocab_size,
        max_position_embeddings=a.max_positions,
        rope_theta=a.rope_theta,
        rms_norm_eps=a.rms_norm_eps,
        tie_word_embeddings=a.tied,
        pad_token_id=None,
        bos_token_id=None,
        eos_token_id=None,
        **options,
    )
    return model_class, config


def _register() -> None:
    if _ATTENTION not in ALL_MASK_ATTENTION_FUNCTIONS:
        ALL_MASK_ATTENTION_FUNCTIONS.register(_ATTENTION, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
        ALL_ATTENTION_FUNCTIONS.register(_ATTENTION, _attention)


_WATCHING: list[Tap] = []


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """Show queries, keys and the result of the attention that the model's own file defines.

    Queries and keys are ``[batch, heads, tokens, head_dim]``, the result has its
    two middle dimensions exchanged.
    """
    own = sys.modules[type(module).__module__].eager_attention_forward
    if not _WATCHING:
        found: tuple[Tensor, Tensor | None] = own(module, query, key, value, mask, **options)
        return found
    tap, index = _WATCHING[-1], module.layer_idx
    query = _by_token(functools.partial(tap, "q_post_rope", index), query.transpose(1, 2)).transpose(1, 2)
    key = _by_token(functools.partial(tap, "k_post_rope", index), key.transpose(1, 2)).transpose(1, 2)
    mixed, shares = own(module, query, key, value, mask, **options)
    return _by_token(functools.partial(tap, "attention", index), mixed), shares


def _by_token(see: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Show ``[batch, tokens, heads, head_dim]`` with the heads beside each other."""
    return see(values.flatten(2)).view(values.shape)


@contextlib.contextmanager
def _watched(model: Any, tap: Tap) -> Iterator[None]:
    """Watch every module that completes a stage, for one forward pass."""
    with contextlib.ExitStack() as hooks:
        body = model.model

        def after(module: nn.Module, stage: str, layer: int | None) -> None:
            handle = module.register_forward_hook(lambda _m, _i, output: _seen(tap, stage, layer, output))
            hooks.callback(handle.remove)

        def before(module: nn.Module, stage: str, layer: int) -> None:
            # In place: what comes in is also added to what comes out of the block.
            handle = module.register_forward_pre_hook(
                lambda _m, inputs: _replace(inputs[0], tap(stage, layer, inputs[0]))
            )
            hooks.callback(handle.remove)

        after(body.embed_tokens, "embedding", None)
        for index, block in enumerate(body.layers):
            after(block.input_layernorm, "attn_norm", index)
            _watch_projections(block.self_attn, index, tap, hooks)
            after(block.self_attn.o_proj, "attn_out", index)
            before(block.post_attention_layernorm, "post_attn_residual", index)
            after(block.post_attention_layernorm, "ffn_norm", index)
            after(block.mlp.gate_proj, "ffn_gate", index)
            after(block.mlp.act_fn, "ffn_silu", index)
            after(block.mlp.up_proj, "ffn_up", index)
            before(block.mlp.down_proj, "ffn_swiglu", index)
            after(block.mlp.down_proj, "ffn_out", index)
            after(block, "layer_output", index)
        after(body.norm, "final_norm", None)
        after(model.lm_head, "lm_head", None)
        _WATCHING.append(tap)
        hooks.callback(_WATCHING.pop)
        yield


def _seen(tap: Tap, stage: str, layer: int | None, output: Any) -> Any:
    """Show a module's output; older releases return a block's in a tuple."""
    if isinstance(output, tuple):
        return (tap(stage, layer, output[0]), *output[1:])
    return tap(stage, layer, output)


def _replace(values: Tensor, others: Tensor) -> None:
    if others is not values:
        values.copy_(others)


def _watch_projections(attention: Any, index: int, tap: Tap, hooks: contextlib.ExitStack) -> None:
    """Show the three projections as one, by running them when the first of them is called."""
    parts = [attention.q_proj, attention.k_proj, attention.v_proj]
    ready: dict[nn.Module, Tensor] = {}

    def compute(_module: nn.Module, inputs: tuple[Tensor]) -> None:
        ready.update(_projected(parts, inputs[0], index, tap))

    hooks.callback(attention.q_proj.register_forward_pre_hook(compute).remove)
    for part in parts:
        handle = part.register_forward_hook(lambda module, _i, _o: ready[module])
        hooks.callback(handle.remove)


def _projected(parts: list[Any], x: Tensor, index: int, tap: Tap) -> dict[nn.Module, Tensor]:
    sizes = [part.weight.shape[0] for part in parts]
    plain = torch.cat([functional.linear(x, part.weight) for part in parts], dim=-1)
    taken = tap("qkv_matmul", index, plain)
    if taken is plain:
        biased = torch.cat([part.forward(x) for part in parts], dim=-1)
    elif parts[0].bias is None:
        biased = taken
    else:
        biased = taken + torch.cat([part.bias for part in parts])
    return dict(zip(parts, torch.split(tap("qkv_bias", index, biased), sizes, dim=-1), strict=True))
