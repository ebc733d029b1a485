"""The stages of a feed-forward part, as a trace shows them: named, whole, counted, and never made up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pv.check import Metric, Run, check
from pv_runtime.anomalies import anomalies
from pv_runtime.architecture import architecture_of
from pv_runtime.checks.traces import draw_tokens
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.stage_names import parsed_name, stage_features, written_name
from pv_runtime.trace import Trace, chosen, trace
from pv_runtime.trace_report import lines, report, skeleton
from pv_runtime.trace_statistics import Figures, StageStatistics
from pv_runtime.weights import load_weights

__all__ = ["SUB_BLOCK", "sub_block_stages", "unfilled_stages"]

SUB_BLOCK = ("ffn_norm", "ffn_gate", "ffn_up", "ffn_silu", "ffn_swiglu", "ffn_out")
"""The stages of a feed-forward part, in the order of computation."""

_ELSEWHERE = {"ffn_swigl": "ffn_swiglu", **{stage: stage for stage in SUB_BLOCK}}
"""How aprender spells them."""

Watch = Callable[[Decoder, list[int], Sequence[str] | None], Trace]
Tell = Callable[[Checkpoint, Trace], list[str]]
Parse = Callable[[str], "tuple[str, int | None] | None"]


def _watch(decoder: Decoder, tokens: list[int], stages: Sequence[str] | None) -> Trace:
    return trace(decoder, tokens, measured=chosen(decoder.architecture, stages))


def _told(model: Checkpoint, traced: Trace) -> list[str]:
    return list(lines(_report(model, traced)))


@check(
    metrics=[
        Metric("layers", unit="1", kind="count"),
        Metric("values_off", unit="1", kind="count"),
        Metric("figures_changed", unit="1", kind="count"),
        Metric("lines_of_a_layer", unit="1", kind="count"),
        Metric("sub_block_lines", unit="1", kind="count"),
        Metric("misnamed", unit="1", kind="count"),
        Metric("spellings", unit="1", kind="count"),
    ]
)
def sub_block_stages(run: Run, *, model: Checkpoint, prompt_tokens: int) -> None:
    """Trace a random prompt, all stages and those of the feed-forward part's output alone.

    For each layer: `values_off` is for each of its six feed-forward stages the distance of the values counted
    from tokens times the stage's width; `figures_changed` is 1 where the output's figures are others when the
    stages before it are measured, too; `lines_of_a_layer` counts the report's lines of that layer, and
    `sub_block_lines` those of its feed-forward stages. `misnamed` is 1 for each of `spellings`, ours and
    aprender's, that is not understood as its stage and layer.
    """
    watch: Watch = run.role("watch", _watch)
    tell: Tell = run.role("tell", _told)
    parse: Parse = run.role("parse", parsed_name)
    decoder = Decoder(load_weights(model))
    features = stage_features(decoder.architecture)
    tokens = draw_tokens(run, decoder.architecture.vocab_size, prompt_tokens)
    whole, alone = watch(decoder, tokens, None), watch(decoder, tokens, ["ffn_out"])
    seen = {(each.stage, each.layer): each for each in whole.statistics}
    output = {(each.stage, each.layer): each for each in alone.statistics}
    told = tell(model, whole)
    for layer in range(decoder.architecture.layers):
        for stage in SUB_BLOCK:
            found = seen.get((stage, layer))
            count = 0 if found is None else found.all.count
            off = abs(count - prompt_tokens * features[stage])
            run.record("values_off", off, label=f"layer {layer} {stage}")
        key = ("ffn_out", layer)
        run.record("figures_changed", int(seen.get(key) != output.get(key)), label=f"layer {layer}")
        rows = [line.split()[0] for line in told if line.strip().startswith(f"layer-{layer}/")]
        run.record("lines_of_a_layer", len(rows), label=f"layer {layer}")
        ours = [written_name(stage, layer) for stage in SUB_BLOCK]
        run.record("sub_block_lines", len({*rows} & {*ours}), label=f"layer {layer}")
    for spelling, stage in _ELSEWHERE.items():
        run.record("misnamed", int(parse(f"layer-3/{spelling}") != (stage, 3)), label=spelling)
    run.record("spellings", len(_ELSEWHERE))
    run.record("layers", decoder.architecture.layers)


def _changed(watch: Watch, change: Callable[[StageStatistics], StageStatistics | None]) -> Watch:
    def changed(decoder: Decoder, tokens: list[int], stages: Sequence[str] | None) -> Trace:
        traced = watch(decoder, tokens, stages)
        if stages is not None:
            return traced
        kept = [found for each in traced.statistics if (found := change(each)) is not None]
        return dataclasses.replace(traced, statistics=tuple(kept))

    return changed


@sub_block_stages.counter_example("gate_not_shown", of="watch")
def gate_not_shown(watch: Watch) -> Watch:
    """Show no gate: a layer's line is missing, and its values."""
    return _changed(watch, lambda each: None if each.stage == "ffn_gate" else each)


@sub_block_stages.counter_example("last_token_counted_only", of="watch")
def last_token_counted_only(watch: Watch) -> Watch:
    """Take the last token's figures for those of all tokens."""
    return _changed(watch, lambda each: dataclasses.replace(each, all=each.last))


@sub_block_stages.counter_example("output_scaled_by_looking", of="watch")
def output_scaled_by_looking(watch: Watch) -> Watch:
    """Scale the output's deviation where the stages before it are looked at, as an added stage may."""

    def change(each: StageStatistics) -> StageStatistics:
        if each.stage != "ffn_out" or each.all.std is None:
            return each
        return dataclasses.replace(each, all=dataclasses.replace(each.all, std=each.all.std * 1.001))

    return _changed(watch, change)


@sub_block_stages.counter_example("six_lines_of_a_layer", of="tell")
def six_lines_of_a_layer(tell: Tell) -> Tell:
    """Print only what was printed before the stages of the feed-forward part were shown."""
    inner = tuple(SUB_BLOCK[1:-1])
    return lambda model, traced: [
        line for line in tell(model, traced) if not line.split(maxsplit=1)[0].endswith(inner)
    ]


@sub_block_stages.counter_example("one_spelling_only", of="parse")
def one_spelling_only(parse: Parse) -> Parse:
    """Understand our own spelling only."""
    return lambda name: None if name.endswith("ffn_swigl") else parse(name)


Report = Callable[[Checkpoint, Trace], Mapping[str, Any]]


def _report(model: Checkpoint, traced: Trace) -> dict[str, Any]:
    """Return what ``apr trace --json`` says."""
    architecture = architecture_of(model)
    outline = skeleton(model, architecture, chosen(architecture), traced.dtype)
    return report(
        outline, traced, anomalies(traced.statistics), prompt=None, tokenizer=None, backend="reference"
    )


@check(
    metrics=[
        Metric("stages", unit="1", kind="count"),
        Metric("healthy_called_defects", unit="1", kind="count"),
        Metric("healthy_called_missing", unit="1", kind="count"),
        Metric("zeros_passed", unit="1", kind="count"),
        Metric("absence_passed", unit="1", kind="count"),
    ]
)
def unfilled_stages(run: Run, *, model: Checkpoint, prompt_tokens: int) -> None:
    """Fill each feed-forward stage of a trace with zeros in turn, and leave each out in turn.

    `healthy_called_defects` counts defects that are reported of the trace as it is, and
    `healthy_called_missing` stages that it is said to lack. Of `stages`, `zeros_passed` counts layers in
    which a stage's zeros are no defect, and `absence_passed` is 1 where it is not said that it is missing.
    """
    tell: Report = run.role("tell", _report)
    decoder = Decoder(load_weights(model))
    tokens = draw_tokens(run, decoder.architecture.vocab_size, prompt_tokens)
    traced = trace(decoder, tokens)
    healthy = tell(model, traced)
    run.record("healthy_called_defects", len(_defects(healthy)))
    run.record("healthy_called_missing", sum(_missing(healthy, stage) for stage in SUB_BLOCK))
    layers = range(decoder.architecture.layers)
    for stage in SUB_BLOCK:
        zeros = tuple(_zeros(each) if each.stage == stage else each for each in traced.statistics)
        found = _defects(tell(model, dataclasses.replace(traced, statistics=zeros)))
        run.record("zeros_passed", len({(stage, layer) for layer in layers} - found), label=stage)
        rest = tuple(each for each in traced.statistics if each.stage != stage)
        said = tell(model, dataclasses.replace(traced, statistics=rest))
        run.record("absence_passed", int(not _missing(said, stage)), label=stage)
    run.record("stages", len(SUB_BLOCK))


def _defects(said: Mapping[str, Any]) -> set[tuple[str, int | None]]:
    return {(each["stage"], each["layer"]) for each in said["anomalies"] if each["severity"] == "defect"}


def _missing(said: Mapping[str, Any], stage: str) -> bool:
    return any("does not show" in text and stage in text for text in said["not_judged"])


def _zeros(each: StageStatistics) -> StageStatistics:
    return dataclasses.replace(each, all=_nothing(each.all), last=_nothing(each.last), peak=None)


def _nothing(figures: Figures) -> Figures:
    return dataclasses.replace(
        figures, minimum=0.0, maximum=0.0, mean=0.0, std=0.0, rms=0.0, zeros=figures.count
    )


@unfilled_stages.counter_example("zeros_are_values", of="tell")
def zeros_are_values(tell: Report) -> Report:
    """Take zeros for values that were computed."""
    return lambda model, traced: {**tell(model, traced), "anomalies": []}


@unfilled_stages.counter_example("absence_unsaid", of="tell")
def absence_unsaid(tell: Report) -> Report:
    """Say nothing of what was not shown."""
    return lambda model, traced: {**tell(model, traced), "not_judged": []}


@unfilled_stages.counter_example("always_incomplete", of="tell")
def always_incomplete(tell: Report) -> Report:
    """Say of every trace that it shows no stage."""
    text = f"stages that this back-end does not show: {', '.join(SUB_BLOCK)}"
    return lambda model, traced: {**tell(model, traced), "not_judged": [text]}
