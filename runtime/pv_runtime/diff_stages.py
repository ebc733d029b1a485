"""`apr diff` of two traces, or of two APRT files: stage by stage, like with like."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pv_runtime.aprt import MAGIC, read_aprt
from pv_runtime.errors import LoadError, printable, printable_json
from pv_runtime.formats.file_bytes import open_bytes
from pv_runtime.saved_trace import SavedTrace
from pv_runtime.stage_names import SPELLINGS, StageKey, parsed_name, written_name
from pv_runtime.trace_compare import TraceComparison, compare_traces, compare_values
from pv_runtime.trace_file import is_trace, open_trace
from pv_runtime.trace_folder import ORIGIN

__all__ = ["applies", "run"]

DIFFERENT, USAGE = 1, 2
_SHOWN = 20


def applies(a: str, b: str) -> bool:
    """Whether one of the two is a trace or an APRT file, so that both should be."""
    return any(is_trace(path) or _is_aprt(path) for path in (a, b))


def _is_aprt(path: str) -> bool:
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(4) == MAGIC


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison: 0 where every stage is within the threshold, else 1.

    Raises
    ------
    LoadError
        A side cannot be read, or the two were not made on the same things.
    """
    if arguments.transpose_aware:
        print("error: --transpose-aware is about weights, and these are traces", file=sys.stderr)
        return USAGE
    if arguments.limit is not None and arguments.format == "json":
        print("error: --limit shortens the text, and JSON lists every stage of two traces", file=sys.stderr)
        return USAGE
    if arguments.verify_origin:
        print("error: --verify-origin is about model files, and these are traces", file=sys.stderr)
        return USAGE
    single = [_is_aprt(path) for path in (arguments.a, arguments.b)]
    notes: tuple[str, ...] = ()
    if any(single):
        if arguments.filter:
            print("error: --filter chooses among stages, and an APRT file has one", file=sys.stderr)
            return USAGE
        compared, notes = _of_files(arguments.a, arguments.b)
    else:
        a, b = _opened(arguments.a), _opened(arguments.b)
        compared = compare_traces(a, b, arguments.filter)
        notes = tuple(_notes(a, b, compared))
    report = _report(arguments, compared, notes)
    if arguments.format == "json":
        print(printable_json(json.dumps(report, indent=2, allow_nan=False)))
    else:
        print("\n".join(_lines(report, _SHOWN if arguments.limit is None else arguments.limit)))
    return 0 if report["equal"] else DIFFERENT


def _opened(path: str) -> SavedTrace:
    if not is_trace(path):
        raise LoadError("is no trace, and the other side is one", path, "compare a trace with a trace")
    return open_trace(path)


def _of_files(a: str, b: str) -> tuple[TraceComparison, tuple[str, ...]]:
    """Compare two APRT files, of which nobody knows more than their names and traces beside them say."""
    sides = []
    for path in (a, b):
        if not _is_aprt(path):
            raise LoadError(
                "is no APRT file, and the other side is one", path, "compare two files, or folders"
            )
        sides.append(read_aprt(open_bytes(path)))
    (layer, x), (other, y) = sides
    keys = [_key(path, number) for path, (number, _) in zip((a, b), sides, strict=True)]
    if layer != other or keys[0] != keys[1]:
        raise LoadError(f"is {written_name(*keys[1])}, the other side is {written_name(*keys[0])}", b)
    if x.size != y.size:
        raise LoadError(f"has {y.size} values, the other side has {x.size}", b)
    if not x.size:
        raise LoadError("has no values", b)
    first, second = (_trace_around(path, layer) for path in (a, b))
    if first is not None and second is not None:
        return compare_traces(first, second, only=keys[:1]), ()
    note = f"an APRT file does not say on which tokens it was made, and {ORIGIN} is not beside both"
    return TraceComparison((compare_values(*keys[0], x[None], y[None]),), (), ()), (note,)


def _key(path: str, layer: int | None) -> StageKey:
    stage = SPELLINGS.get(Path(path).stem, Path(path).stem)
    return stage, layer


def _trace_around(path: str, layer: int | None) -> SavedTrace | None:
    """Return the trace that the file is a stage of, where it lies in one under its own name."""
    file = Path(path).absolute()
    folder = file.parent if layer is None else file.parent.parent
    name = file.relative_to(folder).with_suffix("").as_posix()
    return open_trace(str(folder)) if (folder / ORIGIN).is_file() and parsed_name(name) else None


def _notes(a: SavedTrace, b: SavedTrace, compared: TraceComparison) -> Iterable[str]:
    for side, keys in (("A", compared.only_a), ("B", compared.only_b)):
        if keys:
            names = ", ".join(written_name(*key) for key in keys[:3])
            yield f"only in {side}, and not compared: {len(keys)} stages, first {names}"
    if a.origin.model_sha256 is not None and a.origin.model_sha256 == b.origin.model_sha256:
        yield "both were made from the same model file"


def _report(
    arguments: argparse.Namespace, compared: TraceComparison, notes: tuple[str, ...]
) -> dict[str, Any]:
    within = [each.within(arguments.threshold) for each in compared.stages]
    first = next((each for each, near in zip(compared.stages, within, strict=True) if not near), None)
    return {
        "schema_version": 1,
        "a": arguments.a,
        "b": arguments.b,
        "equal": all(within),
        "threshold": arguments.threshold,
        "compared_count": len(within),
        "first_beyond": None if first is None else written_name(first.stage, first.layer),
        "only_a": [written_name(*key) for key in compared.only_a],
        "only_b": [written_name(*key) for key in compared.only_b],
        "notes": list(notes),
        "stages": [
            {"within": near, **{key: _number(value) for key, value in dataclasses.asdict(each).items()}}
            for each, near in zip(compared.stages, within, strict=True)
        ],
    }


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lines(report: Mapping[str, Any], limit: int) -> Iterable[str]:
    yield f"A  {printable(report['a'])}"
    yield f"B  {printable(report['b'])}"
    yield from (f"note: {printable(note)}" for note in report["notes"])
    rows = report["stages"]
    apart = [row for row in rows if not row["within"]]
    equal = sum(row["equal"] == row["count"] for row in rows)
    beyond = f"{len(apart)} beyond {report['threshold']:g}"
    yield f"stages compared: {len(rows)}, equal bit for bit: {equal}, {beyond}"
    if not apart:
        return
    yield f"first beyond it, in the order of computation: {report['first_beyond']}"
    head = "stage                          |a-b|/|a|     cosine  of the worst token"
    yield f"{head}  max |a-b|  at token, channel"
    yield from (_line(row) for row in apart[:limit])
    if len(apart) > limit:
        yield f"and {len(apart) - limit} more stages (--limit {len(apart)} shows them)"


def _line(row: Mapping[str, Any]) -> str:
    name = written_name(row["stage"], row["layer"])
    if row["not_finite_a"] or row["not_finite_b"]:
        return f"{name:<30} not finite: {row['not_finite_a']} values of A, {row['not_finite_b']} of B"
    relative, cosine, worst, largest = (
        row[key] for key in ("relative_l2", "cosine", "worst_token_cosine", "max_difference")
    )
    token = f"{worst:.6f} ({row['worst_token']})"
    return (
        f"{name:<30} {_text(relative)}  {cosine:>9.6f}  {token:>19}"
        f"  {_text(largest)}  {row['token']}, {row['channel']}"
    )


def _text(value: float | None) -> str:
    return f"{'infinite' if value is None else format(value, '.3g'):>9}"
