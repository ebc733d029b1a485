"""A device that was asked for and is not there: said, and not replaced by another unsaid."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import torch

from pv.check import Metric, Run, check
from pv_runtime.commands import bench as bench_command
from pv_runtime.commands import run as run_command
from pv_runtime.commands import trace as trace_command
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.formats import Checkpoint

__all__ = ["absent_device"]


@dataclasses.dataclass(frozen=True)
class Ended:
    """An exit code, and what was said on standard output and standard error."""

    code: int
    answer: str
    said: str


Program = Callable[[Sequence[str]], Ended]


def _apr(words: Sequence[str]) -> Ended:
    """Run ``apr`` of three commands, as on a machine without a GPU."""
    parser = argparse.ArgumentParser(prog="apr")
    below = parser.add_subparsers(required=True)
    for command in (run_command, trace_command, bench_command):
        command.register(below)
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(torch.cuda, "is_available", return_value=False),
    ):
        try:
            arguments = parser.parse_args([*words])
            code = int(arguments.run(arguments))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 2
        except (LoadError, ModelError) as error:  # of which the program makes an exit code and a line
            return Ended(1, out.getvalue(), f"{err.getvalue()}{error}")
    return Ended(code, out.getvalue(), err.getvalue())


@check(
    metrics=[
        Metric("commands", unit="1", kind="count"),
        Metric("works_on_the_cpu", unit="1", kind="count"),
        Metric("succeeded", unit="1", kind="count"),
        Metric("answered", unit="1", kind="count"),
        Metric("unnamed", unit="1", kind="count"),
    ]
)
def absent_device(run: Run, *, model: Checkpoint, lines: Sequence[Sequence[str]]) -> None:
    """Give each of `lines`, a command and its options behind the model, ``--device cuda`` without a GPU.

    `works_on_the_cpu` is 1 for each of `commands` that ends with 0 without that option. With it, `succeeded`
    is 1 for each that ends with 0 all the same, `answered` for each that prints an answer, and `unnamed` for
    each that does not say that there is no GPU.
    """
    program: Program = run.role("program", _apr)
    folder = str(Path(model.path).parent)
    for command, *options in lines:
        words = [command, folder, *options]
        run.record("works_on_the_cpu", int(program(words).code == 0), label=command)
        ended = program([*words, "--device", "cuda"])
        run.record("succeeded", int(ended.code == 0), label=command)
        run.record("answered", int(bool(ended.answer.strip())), label=command)
        run.record("unnamed", int("no GPU" not in ended.said), label=command)
    run.record("commands", len(lines))


def _on_the_cpu(program: Program, words: Sequence[str]) -> Ended:
    return program([word for word in words if word not in {"--device", "cuda"}])


@absent_device.counter_example("falls_back_unsaid", of="program")
def falls_back_unsaid(program: Program) -> Program:
    """Compute on the processor instead, and say nothing."""
    return lambda words: _on_the_cpu(program, words)


@absent_device.counter_example("falls_back_and_says_so", of="program")
def falls_back_and_says_so(program: Program) -> Program:
    """Compute on the processor, say so, and end with success: nobody reads what was said."""

    def warned(words: Sequence[str]) -> Ended:
        ended = _on_the_cpu(program, words)
        return dataclasses.replace(ended, said=f"{ended.said}there is no GPU here: on the processor, then")

    return warned


@absent_device.counter_example("fails_unsaid", of="program")
def fails_unsaid(program: Program) -> Program:
    """End with an error, and do not say why."""
    return lambda words: dataclasses.replace(program(words), said="")


@absent_device.counter_example("fails_always", of="program")
def fails_always(program: Program) -> Program:
    """Say that there is no GPU whatever was asked for."""
    return lambda words: program([*words, "--device", "cuda"])
