"""Traces: complete, without effect on what they watch, kept as they were, and compared like with like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.architecture import architecture_of
from pv_runtime.checks import doses
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.model import Decoder
from pv_runtime.quant.scheme import Floats
from pv_runtime.stage_names import StageKey, stage_features
from pv_runtime.stages import LAYER_STAGES, STAGES
from pv_runtime.trace import chosen, trace
from pv_runtime.trace_compare import compare_values
from pv_runtime.weights import load_weights

__all__ = ["Seen", "draw_tokens", "format_parity", "watch_all", "watched_forward"]

Seen = dict[StageKey, Tensor]
Watch = Callable[[Decoder, list[int]], tuple[Tensor, Seen]]


def draw_tokens(run: Run, rows: int, count: int) -> list[int]:
    """Draw `count` ids below `rows`."""
    generator = np.random.default_rng(run.seed)
    found: list[int] = generator.integers(0, rows, count).tolist()
    return found


def watch_all(decoder: Decoder, tokens: list[int]) -> tuple[Tensor, Seen]:
    """Return the logits, and the values of every stage, ``[tokens, features]``."""
    seen: Seen = {}

    def keep(stage: str, layer: int | None, values: Tensor) -> None:
        seen[stage, layer] = values.clone()

    trace(decoder, tokens, kept=chosen(decoder.architecture), keep=keep)
    return seen["lm_head", None], seen


@check(
    metrics=[
        Metric("expected_stages", unit="1", kind="count"),
        Metric("stages", unit="1", kind="count"),
        Metric("missing", unit="1", kind="count"),
        Metric("wrong_count", unit="1", kind="count"),
        Metric("logits", unit="1", kind="count"),
        Metric("differing_logits", unit="1", kind="count"),
        Metric("not_passed_on", unit="1", kind="count"),
    ]
)
def watched_forward(run: Run, *, model: Checkpoint, lengths: Sequence[int]) -> None:
    """Trace random prompts of each of `lengths`, and compute the same without looking.

    `missing` counts stages of a block or of the whole that were not seen, `wrong_count` those that did not
    have tokens times features values; `differing_logits` the logits whose bits are not those of a plain
    pass. `not_passed_on` is 1 for each block whose last stage is not what the next block's first norm is
    made from: what is seen is what is computed with.
    """
    decoder = Decoder(load_weights(model))
    watch: Watch = run.role("watch", watch_all)
    architecture = decoder.architecture
    features = stage_features(architecture)
    expected = {
        (stage, layer)
        for stage in STAGES
        for layer in (range(architecture.layers) if stage in LAYER_STAGES else (None,))
    }
    for length in lengths:
        tokens = draw_tokens(run, architecture.vocab_size, length)
        logits, seen = watch(decoder, tokens)
        plain = decoder.forward(torch.tensor([tokens], dtype=torch.int64))[0]
        label = f"{length} tokens"
        run.record("stages", len(seen), label=label)
        run.record("missing", len(expected - seen.keys()), label=label)
        wrong = [key for key, values in seen.items() if tuple(values.shape) != (length, features[key[0]])]
        run.record("wrong_count", len(wrong), label=f"{label}: {wrong[:3]}")
        run.record("logits", plain.numel(), label=label)
        same = logits.shape == plain.shape
        differing = (logits.view(torch.int32) != plain.view(torch.int32)).sum() if same else plain.numel()
        run.record("differing_logits", int(differing), label=label)
        for layer in range(1, architecture.layers):
            before, after = seen.get(("layer_output", layer - 1)), seen.get(("attn_norm", layer))
            normed = None if before is None else decoder.norm(before, decoder.weights.layer(layer).attn_norm)
            equal = normed is not None and after is not None and torch.equal(normed, after)
            run.record("not_passed_on", int(not equal), label=f"{label}: layer {layer}")
    run.record("expected_stages", len(expected))


@watched_forward.counter_example("looking_rounds", of="watch")
def looking_rounds(watch: Watch) -> Watch:
    """Hand on values that were rounded to be kept."""
    del watch

    def rounding(decoder: Decoder, tokens: list[int]) -> tuple[Tensor, Seen]:
        seen: Seen = {}

        def tap(stage: str, layer: int | None, values: Tensor) -> Tensor:
            seen[stage, layer] = values[0].bfloat16().float()
            return seen[stage, layer][None]

        return decoder.forward(torch.tensor([tokens]), tap=tap)[0], seen

    return rounding


@watched_forward.counter_example("one_stage_not_seen", of="watch")
def one_stage_not_seen(watch: Watch) -> Watch:
    """Leave out the gate of the last layer."""

    def blind(decoder: Decoder, tokens: list[int]) -> tuple[Tensor, Seen]:
        logits, seen = watch(decoder, tokens)
        del seen["ffn_silu", decoder.architecture.layers - 1]
        return logits, seen

    return blind


@watched_forward.counter_example("last_token_only", of="watch")
def last_token_only(watch: Watch) -> Watch:
    """Keep the last token's values, as an instrument did whose figures were read as all tokens'."""

    def short(decoder: Decoder, tokens: list[int]) -> tuple[Tensor, Seen]:
        logits, seen = watch(decoder, tokens)
        return logits, {key: values[-1:] for key, values in seen.items()}

    return short


@watched_forward.counter_example("layers_one_off", of="watch")
def layers_one_off(watch: Watch) -> Watch:
    """File each layer's values under the next layer."""

    def shifted(decoder: Decoder, tokens: list[int]) -> tuple[Tensor, Seen]:
        logits, seen = watch(decoder, tokens)
        count = decoder.architecture.layers
        return logits, {
            (stage, layer if layer is None else (layer + 1) % count): values
            for (stage, layer), values in seen.items()
        }

    return shifted


@check(
    metrics=[
        Metric("stages", unit="1", kind="count"),
        Metric("one_sided", unit="1", kind="count"),
        Metric("count_differs", unit="1", kind="count"),
        Metric("std_ratio", unit="1", low=0.0),
        Metric("last_std_ratio", unit="1", low=0.0),
        Metric("token_cosine", unit="1", low=-1.0, high=1.0, slack=1e-12),
        Metric("relative_l2", unit="1", low=0.0),
        Metric("differing_values", unit="1", kind="count"),
        Metric("same_top", unit="1", kind="count"),
        Metric("candidate_format", unit="1", kind="text"),
        Metric("reference_format", unit="1", kind="text"),
    ]
)
def format_parity(run: Run, *, reference: Checkpoint, prompt_tokens: int, candidate_format: str) -> None:
    """Compute every stage from `reference` and from its export in another format, on the same tokens.

    For each stage: `count_differs` is 1 where the two sides have not as many values, and nothing else is
    compared then; `std_ratio` and `last_std_ratio` are the candidate's standard deviation over the
    reference's, of all tokens and of the last; `token_cosine` is the least of any token;
    `differing_values` counts values whose bits differ. `same_top` is 1 where the last token's likeliest
    successor is the same.
    """
    target = Path(run.scratch()) / f"model.{candidate_format}"
    export(run.undamaged("reference"), str(target), candidate_format, with_tokenizer=False)
    candidate: Checkpoint = run.role("candidate", open_checkpoint(target))
    watch: Watch = run.role("watch", watch_all)
    tokens = draw_tokens(run, architecture_of(reference).vocab_size, prompt_tokens)
    _, ours = watch_all(Decoder(load_weights(reference)), tokens)
    _, theirs = watch(Decoder(load_weights(candidate)), tokens)
    run.record("one_sided", len(ours.keys() ^ theirs.keys()))
    run.record("stages", len(ours))
    for stage, layer in ours.keys() & theirs.keys():
        label = stage if layer is None else f"layer {layer} {stage}"
        a, b = ours[stage, layer].numpy(), theirs[stage, layer].numpy()
        run.record("count_differs", int(a.shape != b.shape), label=label)
        if a.shape != b.shape:
            continue
        found = compare_values(stage, layer, a, b)
        if found.std_ratio is not None and found.last_std_ratio is not None:
            run.record("std_ratio", found.std_ratio, label=label)
            run.record("last_std_ratio", found.last_std_ratio, label=label)
        run.record("token_cosine", found.worst_token_cosine, label=label)
        run.record("relative_l2", found.relative_l2, label=label)
        run.record("differing_values", found.count - found.equal, label=label)
    tops = [int(side["lm_head", None][-1].argmax()) for side in (ours, theirs)]
    run.record("same_top", int(tops[0] == tops[1]))
    run.record("candidate_format", candidate.format)
    run.record("reference_format", reference.format)


def _matrix(candidate: Checkpoint, name: str, edit: Callable[[Floats], Floats]) -> Checkpoint:
    def damaged() -> Floats:
        return np.ascontiguousarray(edit(candidate.tensor(name).copy()))

    return Overlay(candidate, replace={name: from_values(name, candidate.info(name).shape, damaged, "F32")})


@format_parity.counter_example("square_weight_transposed", of="candidate")
def square_weight_transposed(candidate: Checkpoint) -> Checkpoint:
    """Transpose the first layer's output projection, whose shape does not show it."""
    return _matrix(candidate, "model.layers.0.self_attn.o_proj.weight", lambda values: values.T)


@format_parity.counter_example("sign_of_one_matrix", of="candidate")
def sign_of_one_matrix(candidate: Checkpoint) -> Checkpoint:
    """Turn the sign of one matrix: a ratio of standard deviations is blind to it at that stage."""
    return _matrix(candidate, "model.layers.1.mlp.up_proj.weight", lambda values: -values)


@format_parity.counter_example("rows_permuted", of="candidate")
def rows_permuted(candidate: Checkpoint) -> Checkpoint:
    """Shift the rows of the last value projection by one."""
    return _matrix(
        candidate, "model.layers.1.self_attn.v_proj.weight", lambda values: np.roll(values, 1, axis=0)
    )


@format_parity.counter_example("one_block_scaled", of="candidate")
def one_block_scaled(candidate: Checkpoint) -> Checkpoint:
    """Double 256 values of one matrix, as the wrong scale of one block does."""

    def edit(values: Floats) -> Floats:
        values.reshape(-1)[:256] *= 2
        return values

    return _matrix(candidate, "model.layers.0.mlp.down_proj.weight", edit)


@format_parity.counter_example("last_token_beside_all", of="watch")
def last_token_beside_all(watch: Watch) -> Watch:
    """Take the candidate's last token and the reference's all: so a healthy layer looked 18 times off."""
    return last_token_only(watch)


@format_parity.counter_example("bias_before_and_after", of="watch")
def bias_before_and_after(watch: Watch) -> Watch:
    """Capture queries, keys and values before the bias on one side: another point under the same name."""

    def early(decoder: Decoder, tokens: list[int]) -> tuple[Tensor, Seen]:
        logits, seen = watch(decoder, tokens)
        return logits, {
            (stage, layer): seen["qkv_matmul", layer] if stage == "qkv_bias" else values
            for (stage, layer), values in seen.items()
        }

    return early


@format_parity.dose("scaled_matrix", of="candidate")
def scaled_matrix(candidate: Checkpoint, amount: float, place: int) -> Checkpoint:
    """Scale one matrix of the candidate."""
    return doses.scaled_matrix(candidate, amount, place)
