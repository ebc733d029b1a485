"""`apr diff` as a person runs it: whether what it reports is of all tensors of both files, or of some."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.commands import diff
from pv_runtime.formats import Checkpoint, TensorInfo
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.quant.scheme import Bytes

__all__ = ["Program", "whole_diff"]

Report = tuple[int, dict[str, Any]]
Program = Callable[[list[str]], Report]


@check(
    metrics=[
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("compared", unit="1", kind="count"),
        Metric("differing", unit="1", kind="count"),
        Metric("listed", unit="1", kind="count"),
        Metric("only_in_a", unit="1", kind="count"),
        Metric("only_in_b", unit="1", kind="count"),
        Metric("exit_code", unit="1", kind="count"),
    ]
)
def whole_diff(run: Run, *, model: Checkpoint) -> None:
    """Compare `model` with a copy of which every tensor differs in one bit; each side has one tensor more.

    `expected_tensors` counts those of the model, all of which are on both sides. `compared` and `differing`
    are what the program counts, `listed` how many of the model's tensors it shows as differing; `only_in_a`
    and `only_in_b` are the tensors that it says one side has alone.
    """
    program: Program = run.role("program", _diff)
    names = run.undamaged("model").names()
    folder = Path(run.scratch())
    paths = [folder / "a.safetensors", folder / "b.safetensors"]
    for path in paths:
        extra = TensorInfo(f"only.in.{path.stem}", "F32", (4,), 16)
        tensors = [
            (model.info(name), lambda name=name, b=path is paths[1]: _turned(model.raw(name), turn=b))
            for name in names
        ]
        write_safetensors(str(path), [*tensors, (extra, lambda: np.zeros(16, np.uint8))])
    code, report = program([*map(str, paths), "--values", "--json"])
    run.record("expected_tensors", len(names))
    run.record("compared", int(report["tensors_compared"]))
    run.record("differing", int(report["tensors_differing"]))
    shown = {each["name"] for each in report["results"] if not each["accepted"]}
    left_out = [name for name in names if name not in shown]
    run.record(
        "listed", len(names) - len(left_out), label=f"not: {', '.join(left_out[:3])}" if left_out else None
    )
    for side in ("only_in_a", "only_in_b"):
        run.record(side, len(report[side]))
    run.record("exit_code", code)


def _turned(raw: Bytes, *, turn: bool) -> Bytes:
    """Return `raw`, with the lowest bit of its first value turned."""
    values = np.array(raw)
    if turn:
        values[0] ^= 1
    return values


def _diff(line: list[str]) -> Report:
    """Run ``apr diff`` with the arguments `line`; return its exit code, and what it printed as JSON."""
    parser = argparse.ArgumentParser(prog="apr")
    diff.register(parser.add_subparsers(required=True))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        arguments = parser.parse_args(["diff", *line])
        code: int = arguments.run(arguments)
    return code, json.loads(out.getvalue())


def _altered(program: Program, alter: Callable[[dict[str, Any]], dict[str, Any]]) -> Program:
    def other(line: list[str]) -> Report:
        code, report = program(line)
        return code, {**report, **alter(report)}

    return other


@whole_diff.counter_example("the_first_ten", of="program")
def the_first_ten(program: Program) -> Program:
    """Compare ten tensors by the alphabet, and report on them as if they were the file."""

    def alter(report: dict[str, Any]) -> dict[str, Any]:
        ten = sorted(report["results"], key=lambda each: str(each["name"]))[:10]
        differing = sum(not each["accepted"] for each in ten)
        return {"results": ten, "tensors_compared": len(ten), "tensors_differing": differing}

    return _altered(program, alter)


@whole_diff.counter_example("the_ten_worst", of="program")
def the_ten_worst(program: Program) -> Program:
    """Count all, show ten, and do not say that there are more."""
    return _altered(program, lambda report: {"results": report["results"][:10]})


@whole_diff.counter_example("one_side_ignored", of="program")
def one_side_ignored(program: Program) -> Program:
    """Go through the names that both sides have, and say nothing of the others."""
    return _altered(program, lambda _: {"only_in_a": [], "only_in_b": []})


@whole_diff.counter_example("always_ends_well", of="program")
def always_ends_well(program: Program) -> Program:
    """End with 0 whatever was found."""
    return lambda line: (0, program(line)[1])
