"""Whether an option that nothing would use stops the command: without an effect, and by its name."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pv.check import Metric, Run, check, named
from pv_runtime.config import CONFIG
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.formats import Checkpoint

__all__ = ["refusals"]


@dataclasses.dataclass(frozen=True)
class Line:
    """A command line that means something, and what is given besides: an option, and its values."""

    words: tuple[str, ...]
    given: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Ended:
    """An exit code, and what was said on standard error."""

    code: int
    said: str


Program = Callable[[Line], Ended]


def _program(commands: Sequence[str]) -> Program:
    """Return ``apr`` of these commands alone, each named as ``module:register``.

    The endings are those of ``pv_runtime.cli``, which is not imported: it would bring every command along.
    """
    parser = argparse.ArgumentParser(prog="apr")
    below = parser.add_subparsers(required=True)
    for command in commands:
        named(command)(below)

    def ended(line: Line) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                arguments = parser.parse_args([*line.words, *line.given])
                code = int(arguments.run(arguments))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 2
            except (LoadError, ModelError, FileNotFoundError) as error:
                return Ended(1, f"{err.getvalue()}{error}")
        return Ended(code, err.getvalue())

    return ended


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("accepted", unit="1", kind="count"),
        Metric("unnamed", unit="1", kind="count"),
        Metric("left", unit="1", kind="count"),
    ]
)
def refusals(
    run: Run,
    *,
    model: Checkpoint,
    commands: Sequence[str],
    lines: Mapping[str, str],
    given: Mapping[str, Sequence[str]],
) -> None:
    """Give options to command lines that have no use for them, one by one.

    `lines` are command lines by name, each of which would be accepted, and `given` says what is added to
    each. ``{model}`` is the folder of `model`, ``{text}`` one with short texts, ``{huge}`` one whose
    config.json is of a model that no machine has room for, ``{out}`` an empty folder of each case,
    ``{begun}`` the folder of a run that has begun, ``{trace}`` a saved trace of the model. There is no GPU
    for the program.

    `accepted` is 1 for each case that ends with 0; `unnamed` is 1 for each refusal that does not name the
    option; `left` is how much lies in the folder ``{out}`` afterwards.
    """
    import torch._dynamo  # noqa: F401 - what training imports: here it is seen, and imported once for all runs

    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.fsync = lambda fd: None  # noqa: ARG005 - of what is written here nothing is to last, and a disk may take minutes
    usual = _program(commands)
    apr: Program = run.role("apr", usual)
    scratch = Path(run.scratch())
    holes = _prepared(scratch, model, usual, " ".join(lines.values()))
    cases = [(name, each) for name, options in given.items() for each in options]
    for number, (name, each) in enumerate(run.progress(cases)):
        out = scratch / f"out-{number}"
        out.mkdir()
        words = [[word.format(**holes, out=out) for word in text.split()] for text in (lines[name], each)]
        ended = apr(Line(tuple(words[0]), tuple(words[1])))
        option, label = words[1][0], f"{name}: {each}"
        run.record("accepted", int(ended.code == 0), label=label)
        run.record("unnamed", int(ended.code != 0 and not _names(ended.said, option)), label=label)
        run.record("left", len(list(out.rglob("*"))), label=label)
    run.record("cases", len(cases))


def _names(said: str, option: str) -> bool:
    """Tell whether a message names the option, or its field of a run's record."""
    return option in said or f"settings.{option[2:].replace('-', '_')}:" in said


def _prepared(scratch: Path, model: Checkpoint, apr: Program, wanted: str) -> dict[str, str]:
    """Make what the command lines in `wanted` name, and return the paths by name."""
    folder = Path(model.path).parent if Path(model.path).is_file() else Path(model.path)
    holes = {name: str(scratch / name) for name in ("text", "huge", "begun", "trace")} | {
        "model": str(folder)
    }
    (scratch / "text").mkdir()
    for number in range(8):
        body = "".join(f"def f{number}_{line}(x):\n    return x + {line}\n" for line in range(12))
        (scratch / "text" / f"{number}.txt").write_text(body, encoding="utf-8")
    (scratch / "huge").mkdir()
    stated = model.metadata[CONFIG]
    config = {**stated, "intermediate_size": 10**12} if isinstance(stated, Mapping) else {}
    (scratch / "huge" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name, line in (
        ("begun", _BEGIN),
        (
            "trace",
            "trace {model} --token-ids 5,6,7 --save-tensor all --save-dir {trace} --save-as safetensors",
        ),
    ):
        if f"{{{name}}}" in wanted:
            ended = apr(Line(tuple(word.format(**holes) for word in line.split()), ()))
            if ended.code != 0:
                raise ValueError(f"{line} ended with {ended.code}: {ended.said}")
    return holes


_BEGIN = (
    "pretrain --run-dir {begun} --init {model} --tokenizer {model} --dataset {text} --device cpu --threads 1 "
    "--num-steps 0 --seq-length 16 --val-windows 1 --lr 1e-3"
)


def _without(apr: Program, option: str) -> Program:
    """Ignore `option` wherever it is given besides."""

    def silent(line: Line) -> Ended:
        return apr(dataclasses.replace(line, given=()) if line.given[0] == option else line)

    return silent


@refusals.counter_example("init_ignored", of="apr")
def init_ignored(apr: Program) -> Program:
    """Begin with other weights than were named."""
    return _without(apr, "--init")


@refusals.counter_example("synthetic_ignored", of="apr")
def synthetic_ignored(apr: Program) -> Program:
    """Learn the text, although made-up tokens were asked for."""
    return _without(apr, "--synthetic")


@refusals.counter_example("dataset_ignored", of="apr")
def dataset_ignored(apr: Program) -> Program:
    """Learn made-up tokens, although a text was named."""
    return _without(apr, "--dataset")


@refusals.counter_example("val_shard_ignored", of="apr")
def val_shard_ignored(apr: Program) -> Program:
    """Hold out what the program chooses."""
    return _without(apr, "--val-shard")


@refusals.counter_example("tokenizer_ignored", of="apr")
def tokenizer_ignored(apr: Program) -> Program:
    """Take another tokenizer than was named, or none."""
    return _without(apr, "--tokenizer")


@refusals.counter_example("device_ignored", of="apr")
def device_ignored(apr: Program) -> Program:
    """Compute on the processor where a GPU was asked for, and there is none."""
    return _without(apr, "--device")


@refusals.counter_example("resume_ignored", of="apr")
def resume_ignored(apr: Program) -> Program:
    """Begin anew where a run was to go on."""
    return _without(apr, "--resume")


@refusals.counter_example("seed_ignored", of="apr")
def seed_ignored(apr: Program) -> Program:
    """Draw by another seed than was given."""
    return _without(apr, "--seed")


@refusals.counter_example("limit_ignored", of="apr")
def limit_ignored(apr: Program) -> Program:
    """List everything where a few were asked for."""
    return _without(apr, "--limit")


@refusals.counter_example("vocab_size_ignored", of="apr")
def vocab_size_ignored(apr: Program) -> Program:
    """Take the rows that the architecture has."""
    return _without(apr, "--vocab-size")


@refusals.counter_example("warmup_ignored", of="apr")
def warmup_ignored(apr: Program) -> Program:
    """Warm up for as many steps as there are."""
    return _without(apr, "--warmup-steps")


@refusals.counter_example("everything_ignored", of="apr")
def everything_ignored(apr: Program) -> Program:
    """Do what the line says without what is given besides."""
    return lambda line: apr(dataclasses.replace(line, given=()))


@refusals.counter_example("refused_without_a_name", of="apr")
def refused_without_a_name(apr: Program) -> Program:
    """Refuse as rightly, and say nothing of use."""
    return lambda line: dataclasses.replace(apr(line), said="error: these options cannot be used together")


@refusals.counter_example("refused_too_late", of="apr")
def refused_too_late(apr: Program) -> Program:
    """Make the folder that the line names, and refuse after that."""

    def late(line: Line) -> Ended:
        for name in ("--run-dir", "-o", "--save-dir"):
            words = (*line.words, *line.given)
            if name in words:
                Path(words[words.index(name) + 1]).mkdir(exist_ok=True)
        return apr(line)

    return late
