"""How it is measured: the check with its metrics, what it is given at each level, how it is shown to fail."""

from __future__ import annotations

import ast
from typing import Any

from pv.binding import Binding
from pv.check import Metric
from pv.contract import LEVELS
from pv.detection import limits_of
from pv.dosing import dosed
from pv.errors import PvError
from pv.explain.section import Explained, Section
from pv.fit import planned
from pv.python_source import UNREADABLE, parse_python

__all__ = ["check", "counter_examples", "detection", "subjects"]


def check(of: Explained) -> Section:
    """Say what measures it: where it is declared, what it records, in which unit and range."""
    falsifier = of.falsifier
    if falsifier.basis:
        cites = {
            name: {"falsifier": cited.falsifier, "metric": cited.metric, "level": cited.level}
            for name, cited in falsifier.basis.items()
        }
        lines = [
            f"{name}: {cited.metric} of {cited.falsifier}"
            f"{f' at {cited.level} level' if cited.level else ''}, from its evidence"
            for name, cited in falsifier.basis.items()
        ]
        return Section("measured by others", lines, cites)
    try:
        bound = of.project.binding(falsifier)
    except PvError as error:
        place = f"{error.where}: " if error.where else ""
        return Section("measured by", [f"nothing: {place}{error.what}"], {"problem": error.what})
    summary = _summary(bound, of)
    data = {
        "reference": bound.reference,
        "kind": bound.kind,
        "where": f"{bound.where.path}:{bound.where.line}",
        "summary": summary,
        "arguments": dict(falsifier.arguments),
        "metrics": [
            {"name": m.name, "kind": m.kind, "unit": m.unit, "low": m.low, "high": m.high, "slack": m.slack}
            for m in bound.metrics.values()
        ],
    }
    lines = [f"{bound.reference}  ({data['where']})"]
    lines += [f"    {summary}"] if summary else []
    lines += [f"with {name} = {value}" for name, value in falsifier.arguments.items()]
    width = max((len(name) for name in bound.metrics), default=0)
    lines += [f"records {name:<{width}}  {_range(metric)}" for name, metric in bound.metrics.items()]
    return Section("measured by", lines, data)


def _range(metric: Metric) -> str:
    unit = "" if metric.unit == "1" else f", in {metric.unit}"
    if metric.kind == "text":
        return "a word"
    low = metric.low if metric.low is not None else (0 if metric.kind == "count" else None)
    noun = "a count" if metric.kind == "count" else "a number"
    if low is None and metric.high is None:
        return f"{noun}{unit}"
    if metric.high is None:
        return f"{noun}, at least {low:g}{unit}"
    if low is None:
        return f"{noun}, at most {metric.high:g}{unit}"
    return f"{noun} from {low:g} to {metric.high:g}{unit}"


def _summary(bound: Binding, of: Explained) -> str:
    """Return the first line of the docstring of the check or the test; empty where there is none."""
    if bound.kind == "command":
        return ""
    try:
        tree = parse_python((of.project.config.root / bound.where.path).read_bytes())
    except (OSError, *UNREADABLE):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno == bound.where.line:
            return (ast.get_docstring(node) or "").split("\n")[0]
    return ""


def subjects(of: Explained) -> Section | None:
    """Say what it is judged on, level by level, and which of it is pinned."""
    if not of.falsifier.subjects:
        return None
    specs = of.project.config.subjects
    lines: list[str] = []
    data: dict[str, list[dict[str, Any]]] = {}
    for level in (name for name in LEVELS if name in of.falsifier.subjects):
        data[level] = []
        for role, name in of.falsifier.subjects[level].items():
            spec = specs.get(name)
            sha256 = None if spec is None else spec.sha256
            built = spec is not None and spec.builder is not None
            data[level].append({"role": role, "subject": name, "sha256": sha256, "built": built})
            if spec is None:
                how = "not in pv.toml"
            elif built:
                how = f"built from {', '.join(spec.derived_from)}"
            else:
                how = f"sha256 {sha256[:12]}" if sha256 else "not pinned: supports no status"
            lines.append(f"{level}: {role} = {name} ({how})")
    return Section("judged on", lines, data)


def counter_examples(of: Explained) -> Section | None:
    """Give the defects that it must notice, with the role that each damages, and whether it did."""
    bound = of.project.binding_if_readable(of.falsifier)
    if of.falsifier.outcome == "refuted":
        example = dict(of.falsifier.satisfying_example or {})
        changed = [
            f"{key}: {name} = {value}" for key, part in example.items() for name, value in part.items()
        ]
        lines = ["that it holds where only this is otherwise:", *(f"    {change}" for change in changed)]
        return Section("must notice", lines, {"satisfying_example": example})
    if bound is None:
        return None
    caught: dict[str, bool] = {}
    for record in of.status.records:
        for name, plant in record.predicate.get("counter_examples", {}).items():
            caught[name] = bool(plant["caught"])
    damages = {**bound.counter_examples, **{n: d.of for n, d in dosed(of.falsifier, bound).items()}}
    data = [
        {"name": name, "damages": damages.get(name), "caught": caught.get(name)}
        for name in planned(of.falsifier, bound)
    ]
    words = {True: "caught", False: "NOT CAUGHT", None: "no evidence"}
    lines = [
        f"{entry['name']}: damages {entry['damages'] or 'nothing, it is not planted'}"
        f" ({words[caught.get(str(entry['name']))]})"
        for entry in data
    ]
    return Section("must notice", lines or ["nothing: no counter-example shows that it can fail"], data)


def detection(of: Explained) -> Section | None:
    """Say how small a damage it must notice, and how small a one it was seen to notice."""
    required = of.falsifier.must_detect
    if not required:
        return None
    limits = [limit for record in of.status.records for limit in limits_of(record.predicate)]
    data = {
        "required": dict(required),
        "limits": [
            {
                "kind": one.kind,
                "damages": one.of,
                "places": one.places,
                "limit": one.amount,
                "steps": one.steps,
            }
            for one in limits
        ],
    }
    lines = [f"required    {kind} of {amount:g}" for kind, amount in required.items()]
    lines += [f"limit       {limit}" for limit in limits]
    if not limits:
        lines.append(f"no limit was measured: pv discharge --limits {of.address}")
    return Section("limit of detection", lines, data)
