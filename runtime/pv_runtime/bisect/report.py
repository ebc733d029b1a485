"""What ``apr bisect`` prints: a stable JSON object, and text; docs/bisect-json.md has the keys."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pv_runtime.bisect.bisection import Bisection
from pv_runtime.bisect.diagnose import Explanation
from pv_runtime.bisect.judge import StageResult
from pv_runtime.errors import printable

__all__ = ["lines", "report"]

_SHOWN = 8


def report(
    found: Bisection, *, reference: str, candidate: str, seconds: float, interpreted: bool = False
) -> dict[str, Any]:
    """Return the result as values of JSON."""
    culprits = [_stage(each) for each in found.culprits]
    return {
        "schema_version": 1,
        "reference": reference,
        "candidate": candidate,
        "agree": not culprits,
        "tokens": list(found.tokens),
        "passes": [list(each) for each in found.passes],
        "dtype": found.dtype,
        "interpreted": interpreted,
        "notes": list(found.notes),
        "stages_compared": len(found.stages),
        "first": culprits[0] if culprits else None,
        "culprits": culprits,
        "stages": [_stage(each) for each in found.stages],
        "seconds": round(seconds, 3),
    }


def _stage(each: StageResult) -> dict[str, Any]:
    figures = each.figures
    found: dict[str, Any] = {
        "stage": each.stage,
        "layer": each.layer,
        "part": each.part or None,
        "culprit": each.culprit,
        "reached": figures is not None,
        "times_budget": _number(each.excess),
    }
    if figures is not None:
        found |= {
            "relative_l2": _number(figures.relative_l2),
            "cosine": _number(figures.cosine),
            "one_minus_cosine": _number(figures.one_minus_cosine),
            "max_over_rms": _number(figures.max_over_rms),
            "worst_token": figures.worst_token,
            "worst_feature": figures.worst_feature,
            "not_finite": figures.not_finite,
        }
    found["accounted_for"] = each.storage or None
    found["explanation"] = _explanation(each.explanation)
    return found


def _explanation(found: Explanation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "signature": found.signature,
        "experiment": found.experiment,
        "settled": found.settled,
        "before": _number(found.before),
        "after": _number(found.after),
        "sentence": found.sentence,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def lines(found: Mapping[str, Any], *, all_stages: bool = False) -> Iterator[str]:
    """Put a report into words: the verdict first, then the stages beyond their budgets, then all of them."""
    yield f"reference: {printable(found['reference'])}"
    yield f"candidate: {printable(found['candidate'])}"
    prompt, *later = found["passes"]
    cached = f", {len(found['tokens']) - prompt[1]} of them with the cache" if later else ""
    yield f"{len(found['tokens'])} tokens{cached}; {found['stages_compared']} stages in {found['dtype']}"
    for note in found["notes"]:
        yield f"note: {printable(note)}"
    yield ""
    yield from _verdict(found)
    if found["culprits"]:
        yield ""
        shown = found["culprits"][:_SHOWN]
        yield from _table(shown)
        if len(found["culprits"]) > len(shown):
            yield f"  and {len(found['culprits']) - len(shown)} more (--stages shows all, --json too)"
    if all_stages:
        yield ""
        yield from _table(found["stages"])


def _verdict(found: Mapping[str, Any]) -> Iterator[str]:
    first = found["first"]
    if first is None:
        compared = [each for each in found["stages"] if each["times_budget"] is not None]
        worst = max(compared, key=lambda each: each["times_budget"])
        yield (
            f"no stage is beyond its budget; the nearest is {_place(worst)}, "
            f"at {worst['times_budget']:.2g} of it"
        )
        accounted = sorted(
            {each["accounted_for"].split(":")[0] for each in found["stages"] if each["accounted_for"]}
        )
        if accounted:
            yield f"accounted for: {'; '.join(accounted)}"
        return
    yield f"{_place(first)} first goes wrong: {_amount(first)}"
    explanation = first["explanation"]
    if explanation is None:
        yield "  it looks like nothing that is known here"
        return
    yield f"  it looks like: {explanation['signature']}{'' if explanation['settled'] else ' (not settled)'}"
    yield f"  what was tried: {printable(explanation['sentence'])}"


def _amount(stage: Mapping[str, Any]) -> str:
    if not stage["reached"]:
        return "the candidate never computes it"
    if stage["not_finite"]:
        return f"{stage['not_finite']} values are not finite"
    where = f"most at token {stage['worst_token']}, feature {stage['worst_feature']}"
    return f"relative L2 {stage['relative_l2']:.2g}, {_times(stage)} its budget, {where}"


def _times(stage: Mapping[str, Any]) -> str:
    value = stage["times_budget"]
    return "beyond" if value is None else f"{value:.3g} times"


def _place(stage: Mapping[str, Any]) -> str:
    part = f" ({stage['part']})" if stage["part"] else ""
    return f"{stage['stage']}{part}" + ("" if stage["layer"] is None else f" of layer {stage['layer']}")


def _table(stages: list[Mapping[str, Any]]) -> Iterator[str]:
    yield f"  {'layer':>5}  {'stage':<22} {'relative L2':>11} {'1-cosine':>9} {'max/rms':>9} {'budget':>9}"
    for each in stages:
        layer = "" if each["layer"] is None else each["layer"]
        name = f"{each['stage']}{' ' + each['part'] if each['part'] else ''}"
        signature = each["explanation"]["signature"] if each["explanation"] else each["accounted_for"] or ""
        mark = "!" if each["culprit"] else " "
        if not each["reached"]:
            figures = f"{'never computed':>41}"
        else:
            figures = (
                f"{_figure(each['relative_l2']):>11} {_figure(each['one_minus_cosine']):>9} "
                f"{_figure(each['max_over_rms']):>9} "
                f"{_figure(each['times_budget']):>8}x"
            )
        yield f"{mark} {layer:>5}  {name:<22} {figures}  {printable(signature)}".rstrip()


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
