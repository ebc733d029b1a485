"""The decoder, computed by our Triton kernels: on a GPU, or by Triton's interpreter on the CPU.

RMSNorm, the residual's sum together with the norm behind it (ffn_norm, and the next block's attn_norm or
final_norm), the rotation of q and k, causal attention, attention of one token on the cache, SwiGLU, and
products with Q4_K, Q6_K and Q8_0 from their bytes are kernels of `pv_kernels`; other products are torch's.
There is no way round them: what no kernel computes is refused by name.

Every stage is shown. The sums of the residual (`post_attn_residual`, `layer_output`) are those that the fused
kernel writes, and it has read them already when they are shown: what a tap returns there is not computed on
with. `ffn_silu` lives in SwiGLU's registers only; it is computed aside, by the same kernel with ones for the
up projection, and not taken either.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator, Sequence

import torch
from pv_kernels.attention import attention
from pv_kernels.decode_attention import decode_attention
from pv_kernels.interpreter import Launch, interpreting
from pv_kernels.rmsnorm import add_rms_norm, rms_norm
from pv_kernels.rope import rope
from pv_kernels.swiglu import swiglu
from torch import Tensor
from torch.nn import functional

from pv_runtime.cache import Cache
from pv_runtime.errors import ModelError
from pv_runtime.model import Decoder, check_tokens
from pv_runtime.stages import Tap, untapped
from pv_runtime.triton_cache import CacheBuffers, TritonCache
from pv_runtime.triton_weights import TritonLayer, TritonWeights

__all__ = ["Mix", "TritonDecoder"]

Mix = Callable[[int, Tensor, Tensor], Tensor]
"""Attention of a block: layer, queries ``[batch, tokens, query]``, and keys and values beside each other
``[batch, tokens, 2 kv]``, to ``[batch, tokens, query]``."""


class TritonDecoder(Decoder):
    """`Decoder` with another implementation of `forward` and `cache`; its other methods are the reference's.

    Parameters
    ----------
    weights
        Of `load_triton_weights`. On ``"cpu"`` every launch goes to the interpreter, which is for values and
        not for speed.

    Attributes
    ----------
    launches
        What the last pass launched, where it was interpreted.
    """

    weights: TritonWeights  # type: ignore[assignment]  # of other parts, and the same questions

    def __init__(self, weights: TritonWeights) -> None:
        self.weights = weights
        self.architecture = a = weights.architecture
        self.launches: Sequence[Launch] = ()
        exponent = torch.arange(0, a.head_dim, 2, dtype=torch.float32, device=weights.device) / a.head_dim
        everywhere = torch.arange(a.max_positions, dtype=torch.float32, device=weights.device)
        angles = everywhere[:, None] * (1.0 / a.rope_theta**exponent)
        self.cos, self.sin = angles.cos(), angles.sin()
        self._spare: CacheBuffers | None = None

    @property
    def interpreted(self) -> bool:
        """Whether the kernels run in Triton's interpreter and not on a GPU."""
        return torch.device(self.weights.device).type == "cpu"

    def cache(self, batch: int = 1, capacity: int = 256) -> TritonCache:
        """Return an empty cache for `batch` sequences.

        The buffers of one that nobody has any more are used again, so that a step that was captured for
        them serves the next text, too.
        """
        spare, self._spare = self._spare, None
        if spare is None or (spare.batch, spare.capacity) != (batch, capacity):
            spare = CacheBuffers(
                self.architecture, batch, capacity, self.weights.dtype, str(self.weights.device)
            )
        cache = TritonCache(spare)
        weakref.finalize(cache, self._take_back, spare)
        return cache

    def _take_back(self, buffers: CacheBuffers) -> None:
        self._spare = buffers

    @torch.inference_mode()
    def forward(
        self,
        tokens: Tensor,
        *,
        attended: Tensor | None = None,
        cache: Cache | None = None,
        tap: Tap = untapped,
        last: bool = False,
    ) -> Tensor:
        """Compute logits: see `Decoder.forward`; `cache` is one of `TritonDecoder.cache`.

        One token behind others, without a tap, is computed by the step that belongs to the cache's buffers;
        on a GPU that step is captured once, and replayed.

        Raises
        ------
        ModelError
            As `Decoder.forward`; or something is padding, which the kernels do not compute.
        """
        check_tokens(self.architecture, tokens, 0 if cache is None else cache.length)
        if attended is not None and not bool(attended.all()):
            raise ModelError("the back-end triton computes no padding: give it sequences of one length")
        tokens = tokens.to(self.weights.device)
        with self._launching():
            if cache is None:
                return self._together(tokens, tap, last=last)
            if not isinstance(cache, TritonCache):
                raise ModelError("this cache was made by another decoder: take one of TritonDecoder.cache")
            cache.require(tokens.shape[1])
            if tokens.shape[1] > 1:
                return self._appended(tokens, cache, tap, last=last)
            if tap is not untapped:
                logits = self.step(tokens, cache.buffers, tap=tap)
            else:
                logits = self._step_of(cache.buffers)(tokens)
            cache.length += 1
            return logits

    @contextlib.contextmanager
    def _launching(self) -> Iterator[None]:
        if not self.interpreted:
            yield
            return
        with interpreting() as launches:
            yield
        self.launches = launches

    def _step_of(self, buffers: CacheBuffers) -> Callable[[Tensor], Tensor]:
        if buffers.step is None:
            from pv_runtime.triton_step import CapturedStep, DecodeStep  # they compute with this decoder

            step = DecodeStep(self, buffers)
            buffers.step = step if self.interpreted else CapturedStep(step)
        return buffers.step

    def _together(self, tokens: Tensor, tap: Tap, *, last: bool) -> Tensor:
        """Compute whole sequences, of which nothing is kept."""
        positions = torch.arange(tokens.shape[1], device=tokens.device).repeat(len(tokens))
        return self.compute(tokens, positions, self._causal(self._apart), tap, last=last)

    def _appended(self, tokens: Tensor, cache: TritonCache, tap: Tap, *, last: bool) -> Tensor:
        """Compute several tokens behind those that `cache` keeps."""
        end = cache.length + tokens.shape[1]
        positions = torch.arange(cache.length, end, device=tokens.device).repeat(len(tokens))
        logits = self.compute(tokens, positions, self._causal(cache.put), tap, last=last)
        cache.advance(tokens)
        return logits

    def step(
        self, tokens: Tensor, buffers: CacheBuffers, *, tap: Tap = untapped, out: Tensor | None = None
    ) -> Tensor:
        """Compute one token of each sequence behind those in `buffers`, and count it there.

        Nothing here asks the device for a value: shapes follow from those of the buffers.

        Parameters
        ----------
        tokens
            int64 ``[batch, 1]``.
        buffers
            Changed in place; there is room for a position.
        tap
            See `forward`.
        out
            Where to write the logits; a new tensor by default.

        Returns
        -------
        Tensor
            ``[batch, 1, vocab]``.
        """

        def mix(layer: int, q: Tensor, kept: Tensor) -> Tensor:
            buffers.put_next(layer, kept[:, 0])
            keys, values = buffers.heads(layer)
            heads = q[:, 0].view(len(q), self.architecture.heads, -1)
            return decode_attention(heads, keys, values, buffers.lengths).flatten(1)[:, None]

        buffers.lengths.add_(1)  # a token sees its own key
        logits = self.compute(tokens, buffers.positions, mix, tap, out=out)
        buffers.positions.add_(1)
        return logits

    def compute(
        self,
        tokens: Tensor,
        positions: Tensor,
        mix: Mix,
        tap: Tap,
        *,
        last: bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """Compute logits, whatever attention looks at.

        Parameters
        ----------
        tokens
            int64 ``[batch, tokens]``.
        positions
            int64 ``[batch · tokens]``.
        mix
            Keeps keys and values where they are kept, and attends.
        tap, last
            See `forward`.
        out
            Where to write the logits.
        """
        a, weights = self.architecture, self.weights
        tap = _laid_out(tap)
        residual = tap("embedding", None, functional.embedding(tokens, weights.embedding))
        normed = rms_norm(residual, weights.layer(0).attn_norm, a.rms_norm_eps)
        for index in range(a.layers):
            layer = weights.layer(index)
            branch = self._attention(index, layer, normed, positions, mix, tap)
            normed, residual = self.add_norm(branch, residual, layer.ffn_norm)
            tap("post_attn_residual", index, residual)
            branch = self._feed_forward(index, layer, normed, tap)
            behind = weights.layer(index + 1).attn_norm if index + 1 < a.layers else weights.final_norm
            normed, residual = self.add_norm(branch, residual, behind)
            tap("layer_output", index, residual)
        normed = tap("final_norm", None, normed[:, -1:].contiguous() if last else normed)
        return tap("lm_head", None, weights.head(normed, out))

    def _attention(
        self, index: int, layer: TritonLayer, normed: Tensor, positions: Tensor, mix: Mix, tap: Tap
    ) -> Tensor:
        a = self.architecture
        qkv = tap("qkv_matmul", index, layer.qkv(tap("attn_norm", index, normed)))
        qkv = tap("qkv_bias", index, qkv if layer.qkv_bias is None else qkv + layer.qkv_bias)
        if tap is not untapped:
            qkv = qkv.clone()  # it is turned in place, and was shown
        self.rotate_both(qkv, positions)
        q, kept = torch.split(qkv, [a.query_size, 2 * a.kv_size], dim=-1)
        if tap is not untapped:
            k, v = kept.chunk(2, dim=-1)
            q, k = tap("q_post_rope", index, q), tap("k_post_rope", index, k)
            kept = torch.cat([k, v], dim=-1)
        mixed = tap("attention", index, mix(index, q, kept))
        return tap("attn_out", index, layer.attn_out(mixed))

    def _feed_forward(self, index: int, layer: TritonLayer, normed: Tensor, tap: Tap) -> Tensor:
        gate, up = layer.gate_up(tap("ffn_norm", index, normed)).chunk(2, dim=-1)
        gate, up = tap("ffn_gate", index, gate), tap("ffn_up", index, up)
        if tap is not untapped:
            tap("ffn_silu", index, swiglu(gate, torch.ones_like(gate)))
        return tap("ffn_out", index, layer.down(tap("ffn_swiglu", index, self.gated(gate, up))))

    def rotate_both(self, qkv: Tensor, positions: Tensor) -> None:
        """Turn the queries and keys in ``[batch, tokens, query + 2 kv]`` by their positions, in place."""
        a = self.architecture
        flat = qkv.flatten(0, 1)
        q = flat[:, : a.query_size].view(-1, a.heads, a.head_dim)
        k = flat[:, a.query_size : a.query_size + a.kv_size].view(-1, a.kv_heads, a.head_dim)
        rope(q, k, positions, self.cos, self.sin, q_out=q, k_out=k)

    def add_norm(self, branch: Tensor, residual: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return RMSNorm of the sum, and the sum."""
        return add_rms_norm(branch, residual, weight, self.architecture.rms_norm_eps)

    def gated(self, gate: Tensor, up: Tensor) -> Tensor:
        """Return silu(gate) · up."""
        return swiglu(gate, up)

    def _causal(self, keep: Callable[[int, Tensor], tuple[Tensor, Tensor]]) -> Mix:
        """Attend with many tokens to all keys and values that `keep` returns."""
        a = self.architecture

        def mix(layer: int, q: Tensor, kept: Tensor) -> Tensor:
            keys, values = keep(layer, kept)
            batch, count, _ = q.shape
            heads = q.view(*q.shape[:2], a.heads, a.head_dim).transpose(1, 2)
            # Laid out as the projection behind it reads them: the heads of a token side by side.
            mixed = q.new_empty(batch, count, a.heads, a.head_dim)
            attention(heads, keys, values, out=mixed.transpose(1, 2))
            return mixed.flatten(2)

        return mix

    def _apart(self, _layer: int, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of ``[batch, tokens, 2 kv]`` as they lie."""
        keys, values = (
            part.view(*part.shape[:2], self.architecture.kv_heads, -1).transpose(1, 2)
            for part in kept.chunk(2, dim=-1)
        )
        return keys, values


def _laid_out(tap: Tap) -> Tap:
    """Return `tap` with what it returns side by side in memory, as kernels read it."""
    if tap is untapped:
        return tap
    return lambda stage, layer, values: tap(stage, layer, values).contiguous()
