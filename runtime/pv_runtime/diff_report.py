"""What ``apr diff`` prints: a stable JSON object, and text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pv_runtime.diff import Comparison, Structure, worst_first
from pv_runtime.errors import printable
from pv_runtime.formats import Checkpoint, TensorInfo
from pv_runtime.origin import relation
from pv_runtime.provenance import DERIVED_FROM, GGUF_DERIVED_FROM

__all__ = ["lines", "report"]

_TEXT_LIMIT = 20


def report(
    a: Checkpoint,
    b: Checkpoint,
    found: Structure,
    compared: Sequence[Comparison],
    *,
    values: bool,
    threshold: float,
    limit: int | None,
    diagnosis: Sequence[str] = (),
    verify_origin: bool = False,
) -> dict[str, Any]:
    """Collect all that is printed, as values of JSON; docs/how-to/compare-two-checkpoints.md has the keys."""
    ordered = worst_first(compared)
    shown = ordered if limit is None else ordered[:limit]
    differing = sum(not each.accepted for each in compared)
    related, words = relation(a, b, verify=verify_origin)
    return {
        "schema_version": 1,
        "model_a": a.path,
        "model_b": b.path,
        "format_a": a.format,
        "format_b": b.format,
        "derived_from_a": _derived_from(a),
        "derived_from_b": _derived_from(b),
        "origin": related,
        "values_compared": values,
        "threshold": threshold,
        "equal": not (differing or found.only_a or found.only_b),
        "tensors_compared": len(compared),
        "tensors_differing": differing,
        "statuses": dict(sorted(Counter(each.status for each in compared).items())),
        "only_in_a": [_tensor(info) for info in found.only_a],
        "only_in_b": [_tensor(info) for info in found.only_b],
        "notes": [*found.notes, *([words] if words else [])],
        "diagnosis": list(diagnosis),
        "results": [_result(each) for each in shown],
        "results_not_shown": len(ordered) - len(shown),
    }


def _derived_from(model: Checkpoint) -> str | None:
    """Return the digest of what a file says it was made from; it is stated, not verified."""
    stated = model.metadata.get(DERIVED_FROM, model.metadata.get(GGUF_DERIVED_FROM))
    return stated if isinstance(stated, str) else None


def _tensor(info: TensorInfo) -> dict[str, Any]:
    return {"name": info.name, "dtype": info.dtype, "shape": list(info.shape), "bytes": info.nbytes}


def _result(each: Comparison) -> dict[str, Any]:
    figures = each.figures
    found: dict[str, Any] = {
        "name": each.name,
        "status": each.status,
        "accepted": each.accepted,
        "shape_a": list(each.a.info.shape),
        "shape_b": list(each.b.info.shape),
        "dtype_a": each.a.info.dtype,
        "dtype_b": each.b.info.dtype,
        "element_count": each.a.info.elements,
        "layout": each.layout,
        "diagnosis": list(each.diagnosis),
    }
    if figures is None:
        return found
    return {
        **found,
        "cosine_similarity": _number(figures.cosine),
        "one_minus_cosine": _number(figures.one_minus_cosine),
        "max_diff": _number(figures.max_difference),
        "max_diff_at": _place(figures.max_index, each),
        "mean_diff": _number(figures.mean_difference),
        "rmse": _number(figures.rmse),
        "relative_l2": _number(figures.relative_l2),
        "identical_count": figures.equal,
        "identical_after_rounding_count": figures.equal_rounded,
        "block_count": figures.blocks or None,
        "differing_block_count": figures.differing_blocks if figures.blocks else None,
        "max_ulps": figures.max_ulps,
        "not_finite_a": figures.not_finite_a,
        "not_finite_b": figures.not_finite_b,
    }


def _number(value: float) -> float | None:
    """Return what JSON can hold: a figure that is not finite is no figure."""
    return value if math.isfinite(value) else None


def _place(index: int, each: Comparison) -> list[int] | None:
    if index < 0 or each.layout == "transposed":
        return None
    place = []
    for size in reversed(each.a.info.shape):
        index, at = divmod(index, size)
        place.append(at)
    return place[::-1]


def lines(found: Mapping[str, Any], *, limit: int | None) -> Iterable[str]:
    """Put a report into words, structure first, then the worst tensors."""
    for side in ("a", "b"):
        derived = found[f"derived_from_{side}"]
        stated = f", says it was made from sha256 {printable(derived)}" if derived else ""
        yield f"{side}: {printable(found[f'model_{side}'])} ({found[f'format_{side}']}){stated}"
    for note in found["notes"]:
        yield f"note: {printable(note)}"
    for side in ("a", "b"):
        for each in found[f"only_in_{side}"]:
            yield f"only in {side}: {printable(each['name'])} {each['dtype']} {_shape(each['shape'])}"
    statuses = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found["statuses"].items())
    yield f"{found['tensors_compared']} tensors on both sides: {statuses or 'none'}"
    results = found["results"] if limit is not None else found["results"][:_TEXT_LIMIT]
    for each in results:
        yield from _result_lines(each)
    left_out = found["tensors_compared"] - len(results)
    if left_out:
        yield f"{left_out} more are not shown; they are no worse than the last one (--limit N shows more)"
    if not found["values_compared"]:
        yield "values were not compared (--values compares them)"
    yield from map(printable, found["diagnosis"])
    yield "no difference beyond the threshold" if found["equal"] else "the two differ"


def _result_lines(each: Mapping[str, Any]) -> Iterable[str]:
    mark = "  " if each["accepted"] else "! "
    dtypes = "|".join(dict.fromkeys([each["dtype_a"], each["dtype_b"]]))
    status = each["status"].replace("_", " ")
    name, shape = printable(each["name"]), _shape(each["shape_a"])
    yield f"{mark}{name}  {dtypes} {shape}  {status}"
    if "rmse" in each and each["status"] != "identical":
        blocks = (
            f", {each['differing_block_count']} of {each['block_count']} blocks differ"
            if each["block_count"] is not None
            else ""
        )
        ulps = f", at most {each['max_ulps']} ulp" if each["max_ulps"] is not None else ""
        shown = {key: _figure(each[key]) for key in ("relative_l2", "one_minus_cosine", "max_diff")}
        mean, rmse = _figure(each["mean_diff"]), _figure(each["rmse"])
        yield (
            f"      relative L2 {shown['relative_l2']}, 1-cosine {shown['one_minus_cosine']}, "
            f"max {shown['max_diff']} at {each['max_diff_at']}, mean {mean}, rmse {rmse}"
        )
        yield f"      {each['identical_count']} of {each['element_count']} equal{blocks}{ulps}"
    for words in each["diagnosis"]:
        yield f"      {printable(words)}"


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def _shape(shape: Sequence[int]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
