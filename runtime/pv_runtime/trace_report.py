"""What `apr trace` says: as values of JSON, and as a table for people."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pv_runtime.anomalies import ENOUGH_LAYERS, Anomaly
from pv_runtime.architecture import Architecture
from pv_runtime.errors import printable
from pv_runtime.formats import Checkpoint
from pv_runtime.stage_names import StageKey, written_name
from pv_runtime.stages import STAGES
from pv_runtime.tokenizer import Tokenizer
from pv_runtime.trace import Trace
from pv_runtime.trace_statistics import StageStatistics

__all__ = ["lines", "report", "skeleton"]

_SHOWN_TOKENS = 16
_COLUMNS = ("min", "max", "mean", "std", "rms", "last std", "last rms", "")


def skeleton(
    model: Checkpoint, architecture: Architecture, measured: Mapping[StageKey, int], dtype: str
) -> dict[str, Any]:
    """Say what would be traced; nothing is computed."""
    return {
        "schema_version": 1,
        "computed": False,
        "path": model.path,
        "format": model.format,
        "architecture": dataclasses.asdict(architecture),
        "backend": None,
        "interpreted": False,
        "dtype": dtype,
        "prompt": None,
        "tokens": None,
        "stages": [
            {"stage": stage, "layer": layer, "features": features}
            for (stage, layer), features in measured.items()
        ],
        "top": None,
        "anomalies": None,
        "not_judged": ["nothing was computed: no prompt was given"],
        "saved": None,
    }


def report(
    outline: Mapping[str, Any],
    traced: Trace,
    anomalies: Sequence[Anomaly],
    *,
    prompt: str | None,
    tokenizer: Tokenizer | None,
    backend: str,
    interpreted: bool = False,
) -> dict[str, Any]:
    """Fill the outline that `skeleton` made with what was measured."""
    figures = {(each.stage, each.layer): each for each in traced.statistics}
    return {
        **outline,
        "computed": True,
        "backend": backend,
        "interpreted": interpreted,
        "dtype": traced.dtype,
        "prompt": prompt,
        "tokens": list(traced.tokens),
        "stages": [
            {**row, **_figures(figures[row["stage"], row["layer"]])}
            for row in outline["stages"]
            if (row["stage"], row["layer"]) in figures
        ],
        "top": [
            {**dataclasses.asdict(each), "text": tokenizer.decode([each.token]) if tokenizer else None}
            for each in traced.top
        ],
        "anomalies": [
            {key: _number(value) for key, value in dataclasses.asdict(each).items()} for each in anomalies
        ],
        "not_judged": list(_not_judged(traced, {(row["stage"], row["layer"]) for row in outline["stages"]})),
    }


def _not_judged(traced: Trace, asked: Collection[StageKey]) -> Iterable[str]:
    layers = {each.layer for each in traced.statistics if each.layer is not None}
    if len(layers) < ENOUGH_LAYERS:
        yield (
            f"layers beside their neighbours: {len(layers)} were traced, and fewer than {ENOUGH_LAYERS} "
            "show no spread"
        )
    seen = {each.stage for each in traced.statistics}
    if missing := [stage for stage in STAGES if stage in {stage for stage, _ in asked} - seen]:
        yield f"stages that this back-end does not show: {', '.join(missing)}"


def _figures(each: StageStatistics) -> dict[str, Any]:
    peak = None if each.peak is None else {
        key: _number(value) for key, value in dataclasses.asdict(each.peak).items()
    }  # fmt: skip
    return {"all": dataclasses.asdict(each.all), "last": dataclasses.asdict(each.last), "peak": peak}


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def lines(found: Mapping[str, Any]) -> Iterable[str]:
    """Put a report into words: one line a stage, then the next tokens, then what is odd."""
    a = found["architecture"]
    computed = f", computed by {found['backend']} in {found['dtype']}" if found["computed"] else ""
    yield f"{printable(found['path'])}: {a['family']}, {a['layers']} layers{computed}"
    if not found["computed"]:
        yield "nothing was computed: no prompt was given, so there are no figures, only what would be traced"
        yield "    give one with --payload 'TEXT' or --token-ids 1,2,3"
        yield from (f"  {written_name(row['stage'], row['layer']):<30}  {row['features']:>7} values a token"
                    for row in found["stages"])  # fmt: skip
        return
    if found["prompt"] is not None:
        yield f"  prompt  {printable(json.dumps(found['prompt'], ensure_ascii=False))}"
    ids = found["tokens"]
    more = f" ... ({len(ids)} in all)" if len(ids) > _SHOWN_TOKENS else ""
    yield f"  tokens  {' '.join(map(str, ids[:_SHOWN_TOKENS]))}{more}"
    yield from _table(found["stages"])
    yield 'figures are of all tokens, those under "last" of the last one alone: two different quantities;'
    yield "std = sqrt(sum((x - mean)^2) / (n - 1)), rms = sqrt(sum(x^2) / n), of the finite values"
    yield "next token"
    for each in found["top"]:
        text = "" if each["text"] is None else f"  {printable(json.dumps(each['text'], ensure_ascii=False))}"
        share = f"probability {each['probability']:.4f}"
        yield f"  {each['token']:>7}  logit {each['logit']:>9.4f}  {share}{text}"
    if not found["top"]:
        yield "  none: no logit of the last token is finite"
    yield from _odd(found)
    if saved := found["saved"]:
        yield f"saved  {saved['stages']} stages as {saved['format']} in {printable(saved['path'])}"


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    width = max(len(written_name(row["stage"], row["layer"])) for row in rows)
    yield f"  {'stage':<{width}}" + "".join(f"  {name:>10}" for name in _COLUMNS[:-1])
    for row in rows:
        everything, last = row["all"], row["last"]
        cells = [everything[key] for key in ("minimum", "maximum", "mean", "std", "rms")]
        cells += [last["std"], last["rms"]]
        line = f"  {written_name(row['stage'], row['layer']):<{width}}"
        line += "".join(f"  {'-' if cell is None else format(cell, '.4g'):>10}" for cell in cells)
        odd = ", ".join(
            f"{everything[key]:,} {key}" for key in ("nan", "infinite", "zeros") if everything[key]
        )
        yield f"{line}  {odd} of {everything['count']:,}" if odd else line


def _odd(found: Mapping[str, Any]) -> Iterable[str]:
    """Say what is odd; of a kind that runs through the stages, the first."""
    yield "odd" if found["anomalies"] else "odd     nothing"
    first: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in found["anomalies"]:
        together = each["kind"] if each["severity"] == "defect" else each["text"]
        first.setdefault((each["severity"], together), []).append(each)
    for (severity, _), each in first.items():
        more = {(one["stage"], one["layer"]) for one in each[1:]} - {(each[0]["stage"], each[0]["layer"])}
        later = f"; so in {len(more)} later stages" if more else ""
        yield f"  {severity:<8}  {each[0]['text']}{later}"
    yield from (f"  not judged  {each}" for each in found["not_judged"])
