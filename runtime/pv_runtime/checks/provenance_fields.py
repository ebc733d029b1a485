"""Three facts of a model's provenance: kept by each format, shown by ``apr inspect``, refused if empty."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pv.check import Metric, Run, check
from pv_runtime.checks.trainer import random_init
from pv_runtime.commands import inspect as inspecting
from pv_runtime.commands import stamp as stamping
from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint
from pv_runtime.origin import GGUF_PREFIX, PREFIX
from pv_runtime.stamp import FIELDS, stamp

__all__ = ["kept_fields", "refused_statements", "shown_fields"]

_FORMATS = ("apr", "gguf", "safetensors")
_STATED = ("license", "data_source", "data_license")
_EXAMPLE = {"license": "Apache-2.0", "data_source": "teacher-only", "data_license": "CC-BY-4.0"}

Fields = Mapping[str, str]
Write = Callable[[Path, Path, Fields], None]
Command = Callable[[Sequence[str]], tuple[int, str, str]]


def _model(folder: Path, form: str) -> Path:
    """Write a small model of random weights, which states nothing."""
    drawn, path = folder / "drawn", folder / f"model.{form}"
    source = drawn if drawn.is_dir() else random_init(drawn)
    export(open_checkpoint(source), str(path), form, with_tokenizer=False)
    return path


def _stamped(source: Path, output: Path, fields: Fields) -> None:
    stamp(open_checkpoint(source), str(output), fields)


@check(
    metrics=[
        Metric("formats", unit="1", kind="count"),
        Metric("differing", unit="1", kind="count"),
        Metric("others_changed", unit="1", kind="count"),
    ]
)
def kept_fields(run: Run, *, statements: Sequence[Fields]) -> None:
    """Stamp each of `statements` on a model in each of three formats, and read it back.

    `differing` is 1 for each of ``license``, ``data_source`` and ``data_license`` that is not, under its own
    key, the text that was given. `others_changed` counts keys that the model had before and that say another
    thing now, but for the record of origin, which now names the model.
    """
    write: Write = run.role("stamp", _stamped)
    folder = Path(run.scratch())
    for form in _FORMATS:
        source = _model(folder, form)
        before = open_checkpoint(source).metadata
        for number, fields in enumerate(statements):
            output = folder / f"stamped-{number}.{form}"
            write(source, output, fields)
            found = open_checkpoint(output).metadata
            for key in _STATED:
                said = found.get(FIELDS[key] if form == "gguf" else key)
                run.record("differing", int(said != fields[key]), label=f"{key} in {form}, {number}")
            changed = [
                key
                for key in before
                if before[key] is not None
                and not key.startswith((PREFIX, GGUF_PREFIX))
                and found.get(key) != before[key]
            ]
            run.record("others_changed", len(changed), label=", ".join(changed[:4]) or None)
    run.record("formats", len(_FORMATS))


@kept_fields.counter_example("data_licence_dropped", of="stamp")
def data_licence_dropped(write: Write) -> Write:
    """Write two of the three."""
    return lambda source, output, fields: write(
        source, output, {key: text for key, text in fields.items() if key != "data_license"}
    )


@kept_fields.counter_example("licences_exchanged", of="stamp")
def licences_exchanged(write: Write) -> Write:
    """Write the licence of the data as the model's, and the other way round."""
    return lambda source, output, fields: write(
        source, output, {**fields, "license": fields["data_license"], "data_license": fields["license"]}
    )


@kept_fields.counter_example("ascii_only", of="stamp")
def ascii_only(write: Write) -> Write:
    """Leave out what is no ASCII."""
    return lambda source, output, fields: write(
        source, output, {key: text.encode("ascii", "ignore").decode() for key, text in fields.items()}
    )


def _command(module: ModuleType) -> Command:
    """Return one command of ``apr``: its exit code, and what it printed on stdout and stderr."""

    def run(line: Sequence[str]) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser(prog="apr")
        module.register(parser.add_subparsers(required=True))
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            arguments = parser.parse_args(line)
            code = int(arguments.run(arguments))
        return code, out.getvalue(), err.getvalue()

    return run


@check(
    metrics=[
        Metric("files", unit="1", kind="count"),
        Metric("exit_code", unit="1", kind="count"),
        Metric("not_in_json", unit="1", kind="count"),
        Metric("not_in_text", unit="1", kind="count"),
    ]
)
def shown_fields(run: Run) -> None:
    """Inspect a model that states nothing, and one that states all, in three formats, as JSON and as text.

    `not_in_json` is 1 for each of the three fields that the JSON does not have with its value, which is null
    where the file is silent; `not_in_text` for each that the text does not show beside its value, or beside
    "(missing)".
    """
    inspect: Command = run.role("inspect", _command(inspecting))
    folder = Path(run.scratch())
    files = 0
    for form in _FORMATS:
        silent, stated = _model(folder, form), folder / f"stated.{form}"
        _stamped(silent, stated, _EXAMPLE)
        for path, fields in ((silent, dict.fromkeys(_STATED)), (stated, _EXAMPLE)):
            code, printed, _ = inspect(["inspect", str(path), "--json"])
            text_code, text, _ = inspect(["inspect", str(path)])
            run.record("exit_code", code + text_code, label=path.name)
            told = json.loads(printed).get("provenance", {})
            lines = [line.split(maxsplit=1) for line in text.splitlines()]
            for key, value in fields.items():
                label = f"{key} of {path.name}"
                run.record("not_in_json", int(told.get(key, "left out") != value), label=label)
                shown = [key, "(missing)" if value is None else value]
                run.record("not_in_text", int(shown not in lines), label=label)
            files += 1
    run.record("files", files)


def _printing(inspect: Command, alter: Callable[[str], str]) -> Command:
    def altered(line: Sequence[str]) -> tuple[int, str, str]:
        code, printed, said = inspect(line)
        return code, alter(printed), said

    return altered


@shown_fields.counter_example("what_is_missing_left_out", of="inspect")
def what_is_missing_left_out(inspect: Command) -> Command:
    """Leave keys without a value out of the JSON, as serialisers do that skip what is none."""

    def alter(printed: str) -> str:
        if not printed.startswith("{"):
            return printed
        report: dict[str, Any] = json.loads(printed)
        told = {key: value for key, value in report["provenance"].items() if value is not None}
        return json.dumps({**report, "provenance": told})

    return _printing(inspect, alter)


@shown_fields.counter_example("not_said_in_words", of="inspect")
def not_said_in_words(inspect: Command) -> Command:
    """Print nothing where something is missing."""
    return _printing(inspect, lambda printed: printed.replace("(missing)", ""))


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("accepted", unit="1", kind="count"),
        Metric("unnamed", unit="1", kind="count"),
        Metric("left", unit="1", kind="count"),
        Metric("sound_code", unit="1", kind="count"),
    ]
)
def refused_statements(run: Run, *, cases: Mapping[str, Sequence[str]]) -> None:
    """Stamp each text of `cases`, by the option that it is given to, on a model that states nothing.

    `accepted` is 1 for each that does not end with 2, `unnamed` for each whose message does not have its
    option's name, `left` for each that left a file. `sound_code` is the exit code for three true statements.
    """
    command: Command = run.role("command", _command(stamping))
    folder = Path(run.scratch())
    source = str(_model(folder, "apr"))
    count = 0
    for option, texts in cases.items():
        for text in texts:
            output = folder / f"refused-{count}.apr"
            code, _, said = command(["stamp", source, "-o", str(output), f"--{option}={text}"])
            label = f"--{option}={text}"
            run.record("accepted", int(code != 2), label=label)
            run.record("unnamed", int(option not in said and repr(text) not in said), label=label)
            run.record("left", int(output.exists()), label=label)
            count += 1
    words = [f"--{key.replace('_', '-')}={text}" for key, text in _EXAMPLE.items()]
    run.record("sound_code", command(["stamp", source, "-o", str(folder / "sound.apr"), *words])[0])
    run.record("cases", count)


@refused_statements.counter_example("any_word_will_do", of="command")
def any_word_will_do(command: Command) -> Command:
    """Take any text for a licence."""

    def taking(line: Sequence[str]) -> tuple[int, str, str]:
        found = command(line)
        return (0, "", "") if found[0] == 2 else found

    return taking


@refused_statements.counter_example("copied_before_it_is_refused", of="command")
def copied_before_it_is_refused(command: Command) -> Command:
    """Write the copy, and then look at what it should state."""

    def copying(line: Sequence[str]) -> tuple[int, str, str]:
        found = command(line)
        if found[0] == 2:
            Path(line[3]).write_bytes(Path(line[1]).read_bytes())
        return found

    return copying


@refused_statements.counter_example("refuses_without_a_word", of="command")
def refuses_without_a_word(command: Command) -> Command:
    """Refuse, and do not say what."""
    return lambda line: (*command(line)[:2], "error")


@refused_statements.counter_example("refuses_everything", of="command")
def refuses_everything(command: Command) -> Command:
    """Refuse true statements as well."""
    del command
    return lambda line: (2, "", " ".join(line))
