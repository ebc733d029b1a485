"""Traces: complete, without effect on what they watch, kept as they were, and compared like with like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.architecture import architecture_of
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.model import Decoder
from pv_runtime.quant.scheme import Floats
from pv_runtime.stage_names import StageKey, stage_features
from pv_runtime.stages import LAYER_STAGES, STAGES
from pv_runtime.trace import chosen, trace
from pv_runtime.trace_compare import compare_values
from pv_runtime.trace_folder import open_folder
from pv_runtime.trace_origin import TraceOrigin
from pv_runtime.trace_writer import aprt_folder
from pv_runtime.weights import load_weights

__all__ = ["format_parity", "kept_stages", "watched_forward"]

Seen = dict[StageKey, Tensor]
Watch = Callable[[Decoder, list[int]], tuple[Tensor, Seen]]
Write = Callable[[Path, TraceOrigin, Seen], None]


def _tokens(run: Run, rows: int, count: int) -> list[int]:
    generator = np.random.default_rng(run.seed)
    found: list[int] = generator.integers(0, rows, count).tolist()
    return found


def _watch(decoder: Decoder, tokens: list[int]) -> tuple[Tensor, Seen]:
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
    watch: Watch = run.role("watch", _watch)
    architecture = decoder.architecture
    features = stage_features(architecture)
    expected = {
        (stage, layer)
        for stage in STAGES
        for layer in (range(architecture.layers) if stage in LAYER_STAGES else (None,))
    }
    for length in lengths:
        tokens = _tokens(run, architecture.vocab_size, length)
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
    watch: Watch = run.role("watch", _watch)
    tokens = _tokens(run, architecture_of(reference).vocab_size, prompt_tokens)
    _, ours = _watch(Decoder(load_weights(reference)), tokens)
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


@check(
    metrics=[
        Metric("kept", unit="1", kind="count"),
        Metric("expected_kept", unit="1", kind="count"),
        Metric("read_back", unit="1", kind="count"),
        Metric("differing_bits", unit="1", kind="count"),
        Metric("wrong_header", unit="1", kind="count"),
        Metric("runs_differ", unit="1", kind="count"),
        Metric("nan_bits_kept", unit="1", kind="count"),
        Metric("damaged_accepted", unit="1", kind="count"),
        Metric("damaged", unit="1", kind="count"),
    ]
)
def kept_stages(run: Run, *, model: Checkpoint, stages: Sequence[str], layers: Sequence[int]) -> None:
    """Save `stages` of `layers` and those of the whole model as APRT files, twice, and read them back.

    `differing_bits` counts values read back whose bits are not those that were computed; `wrong_header`
    files that do not begin with ``APRT``, the layer (0xFFFFFFFF for the whole) and the count;
    `runs_differ` is 1 where the second run's files are other bytes. One value is made NaN with bits of
    its own: `nan_bits_kept` is 1 where they come back. `damaged_accepted` is 1 for each of `damaged`
    files, cut short, prolonged, of a false count or of another layer, that is read nevertheless.
    """
    decoder = Decoder(load_weights(model))
    write: Write = run.role("write", _write)
    tokens = _tokens(run, decoder.architecture.vocab_size, 9)
    origin = TraceOrigin(tuple(tokens), dtype="float32")
    wanted = chosen(decoder.architecture, stages, layers)
    _, seen = _watch(decoder, tokens)
    values = {key: seen[key] for key in wanted}
    first = next(iter(values))
    values[first] = values[first].clone()
    values[first].view(torch.int32)[2, 3] = 0x7FC12345
    folders = [Path(run.scratch()) / name for name in ("first", "second")]
    for folder in folders:
        write(folder, origin, values)
    files = sorted(path.relative_to(folders[0]) for path in folders[0].rglob("*.bin"))
    run.record("kept", len(files))
    run.record("expected_kept", len(wanted))
    run.record("runs_differ", int(_digest(folders[0]) != _digest(folders[1])))
    found = open_folder(folders[0])
    for key in found.stages():
        label = f"{key[0]} {key[1]}"
        ours = found.values(*key)
        same = np.ascontiguousarray(ours).view(np.uint32) == values[key].numpy().view(np.uint32)
        run.record("differing_bits", int(same.size - same.sum()), label=label)
    run.record("read_back", len(found.stages()))
    kept = np.ascontiguousarray(found.values(*first)).view(np.uint32)[2, 3]
    run.record("nan_bits_kept", int(kept == 0x7FC12345))
    for file in files:
        layer = int(file.parts[0].removeprefix("layer-")) if len(file.parts) > 1 else 0xFFFFFFFF
        head = np.frombuffer((folders[0] / file).read_bytes()[:12], "<u4")
        count = ((folders[0] / file).stat().st_size - 12) // 4
        right = head.tolist() == [int.from_bytes(b"APRT", "little"), layer, count]
        run.record("wrong_header", int(not right), label=str(file))
    damages = _damages((folders[1] / files[0]).read_bytes())
    for label, damaged in damages.items():
        (folders[1] / files[0]).write_bytes(damaged)
        run.record("damaged_accepted", int(_opens(folders[1])), label=label)
    run.record("damaged", len(damages))


def _write(folder: Path, origin: TraceOrigin, values: Seen) -> None:
    with aprt_folder(str(folder), origin) as keep:
        for (stage, layer), each in values.items():
            keep(stage, layer, each)


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = [[str(file.relative_to(folder)), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
    return json.dumps(parts)


def _opens(folder: Path) -> bool:
    try:
        found = open_folder(folder)
        for key in found.stages():
            found.values(*key)
    except LoadError:
        return False
    return True


def _damages(whole: bytes) -> dict[str, bytes]:
    return {
        "cut short": whole[:-4],
        "cut inside the header": whole[:10],
        "prolonged": whole + bytes(4),
        "count too small": whole[:8] + (1).to_bytes(4, "little") + whole[12:],
        "another layer": whole[:4] + (7).to_bytes(4, "little") + whole[8:],
        "another magic": b"APRX" + whole[4:],
    }


@kept_stages.counter_example("kept_in_half", of="write")
def kept_in_half(write: Write) -> Write:
    """Keep values in half precision."""
    return lambda folder, origin, values: write(
        folder, origin, {key: each.half().float() for key, each in values.items()}
    )


@kept_stages.counter_example("nan_made_the_usual_one", of="write")
def nan_made_the_usual_one(write: Write) -> Write:
    """Write every NaN as the NaN that arithmetic gives."""

    def usual(folder: Path, origin: TraceOrigin, values: Seen) -> None:
        nan = torch.tensor(float("nan"))
        write(folder, origin, {key: torch.where(each.isnan(), nan, each) for key, each in values.items()})

    return usual


@kept_stages.counter_example("one_layer_left_out", of="write")
def one_layer_left_out(write: Write) -> Write:
    """Leave the last layer out."""

    def short(folder: Path, origin: TraceOrigin, values: Seen) -> None:
        last = max(layer for _, layer in values if layer is not None)
        write(folder, origin, {key: each for key, each in values.items() if key[1] != last})

    return short


@kept_stages.counter_example("layers_exchanged", of="write")
def layers_exchanged(write: Write) -> Write:
    """File the first layer's values under the last one's number, and the other way round."""

    def exchanged(folder: Path, origin: TraceOrigin, values: Seen) -> None:
        numbers = [layer for _, layer in values if layer is not None]
        other = {min(numbers): max(numbers), max(numbers): min(numbers)}
        write(
            folder,
            origin,
            {
                (stage, layer if layer is None else other[layer]): each
                for (stage, layer), each in values.items()
            },
        )

    return exchanged


@kept_stages.counter_example("time_of_writing_inside", of="write")
def time_of_writing_inside(write: Write) -> Write:
    """Write something of the moment into the folder: two runs of one thing are two things."""
    calls = 0

    def stamped(folder: Path, origin: TraceOrigin, values: Seen) -> None:
        nonlocal calls
        calls += 1
        write(folder, origin, values)
        (folder / "made").write_text(str(calls))

    return stamped
