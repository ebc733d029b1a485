"""Stages that the command line keeps, and what the command line says of two such traces."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.checks.traces import draw_tokens, watch_all
from pv_runtime.commands import diff as diff_command
from pv_runtime.commands import trace as trace_command
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.overlay import Overlay, from_values
from pv_runtime.model import Decoder
from pv_runtime.quant.scheme import Floats
from pv_runtime.trace import chosen
from pv_runtime.trace_folder import open_folder
from pv_runtime.weights import load_weights

__all__ = ["saved_by_command"]

Program = Callable[[Sequence[str]], "tuple[int, str]"]
_REFUSED = 99


def _apr(words: Sequence[str]) -> tuple[int, str]:
    """Run ``apr`` of two commands; return its exit code and what it printed."""
    parser = argparse.ArgumentParser(prog="apr")
    below = parser.add_subparsers(required=True)
    trace_command.register(below)
    diff_command.register(below)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            arguments = parser.parse_args([*words])
            return int(arguments.run(arguments)), out.getvalue()
        except (SystemExit, LoadError, ModelError, FileNotFoundError):
            return _REFUSED, out.getvalue()


@check(
    metrics=[
        Metric("expected_kept", unit="1", kind="count"),
        Metric("kept", unit="1", kind="count"),
        Metric("trace_exit", unit="1", kind="count"),
        Metric("differing_values", unit="1", kind="count"),
        Metric("same_exit", unit="1", kind="count"),
        Metric("same_compared", unit="1", kind="count"),
        Metric("planted_exit", unit="1", kind="count"),
        Metric("planted_gate", unit="1", low=0.0),
        Metric("untouched_gate", unit="1", low=0.0),
    ]
)
def saved_by_command(
    run: Run, *, model: Checkpoint, stages: Sequence[str], layer: int, planted: float
) -> None:
    """Keep `stages` of `layer` by ``apr trace``, of the model and of one whose gate there is scaled.

    `trace_exit` is the exit code of each run. For each of `expected_kept` stages, `differing_values` counts
    values in the files that are not those of a forward pass without the command line. ``apr diff`` of two
    traces of one model ends with `same_exit` and compares `same_compared` stages; of the model's and the
    planted one's, whose gate of `layer` is scaled by 1 + `planted`, with `planted_exit`. `planted_gate` is
    what it says of that gate, |a - b| / |a|, and `untouched_gate` of the stage before it, ``ffn_norm``.
    """
    program: Program = run.role("program", _apr)
    folder = Path(run.scratch())
    decoder = Decoder(load_weights(model))
    tokens = draw_tokens(run, decoder.architecture.vocab_size, 9)
    altered = folder / "planted.safetensors"
    export(_gate_scaled(model, layer, planted), str(altered), "safetensors", with_tokenizer=False)
    plain = folder / "plain.safetensors"
    export(model, str(plain), "safetensors", with_tokenizer=False)
    words = ["--token-ids", ",".join(map(str, tokens)), "--layer", str(layer)]
    words += ["--save-tensor", ",".join(stages), "--save-as", "aprt"]
    for name, path in (("first", plain), ("second", plain), ("planted", altered)):
        code, _ = program(["trace", str(path), *words, "--save-dir", str(folder / name)])
        run.record("trace_exit", code, label=name)
    wanted = chosen(decoder.architecture, [*stages], [layer])
    _, seen = watch_all(Decoder(load_weights(open_checkpoint(plain))), tokens)
    run.record("expected_kept", len(wanted))
    _record_kept(run, folder / "first", {key: seen[key].numpy() for key in wanted})
    code, same = _diff(program, folder / "first", folder / "second")
    run.record("same_exit", code)
    run.record("same_compared", len(same))
    code, apart = _diff(program, folder / "first", folder / "planted")
    run.record("planted_exit", code)
    run.record("planted_gate", apart.get("ffn_gate", 0.0))
    run.record("untouched_gate", apart.get("ffn_norm", 1.0))


def _record_kept(run: Run, folder: Path, expected: dict[tuple[str, int | None], Floats]) -> None:
    kept = 0
    found = open_folder(folder) if folder.is_dir() else None
    for key, values in expected.items():
        there = found is not None and key in found.stages()
        ours = np.ascontiguousarray(found.values(*key)) if found is not None and there else values[:0]
        same = ours.shape == values.shape
        differing = np.count_nonzero(ours.view(np.uint32) != values.view(np.uint32)) if same else values.size
        run.record("differing_values", int(differing), label=f"{key[0]} {key[1]}")
        kept += there
    run.record("kept", kept)


def _diff(program: Program, a: Path, b: Path) -> tuple[int, dict[str, float]]:
    """Return the exit code, and the relative distance of each stage that was compared."""
    code, said = program(["diff", str(a), str(b), "--values", "--json"])
    try:
        return code, {row["stage"]: float(row["relative_l2"]) for row in json.loads(said)["stages"]}
    except (ValueError, KeyError):
        return code, {}


def _gate_scaled(model: Checkpoint, layer: int, planted: float) -> Checkpoint:
    name = f"model.layers.{layer}.mlp.gate_proj.weight"

    def scaled() -> Floats:
        values: Floats = model.tensor(name) * np.float32(1 + planted)
        return values

    return Overlay(model, replace={name: from_values(name, model.info(name).shape, scaled, "F16")})


def _without(program: Program, word: str, count: int) -> Program:
    """Leave `word`, and what follows it, out of command lines."""

    def less(words: Sequence[str]) -> tuple[int, str]:
        if word not in words:
            return program(words)
        at = [*words].index(word)
        return program([*words[:at], *words[at + count :]])

    return less


@saved_by_command.counter_example("keeps_nothing", of="program")
def keeps_nothing(program: Program) -> Program:
    """Trace, and print that it was saved, and save nothing: what a stub of the option did."""

    def stub(words: Sequence[str]) -> tuple[int, str]:
        if words[0] != "trace":
            return program(words)
        return _without(_without(_without(program, "--save-dir", 2), "--save-tensor", 2), "--save-as", 2)(
            words
        )

    return stub


@saved_by_command.counter_example("always_equal", of="program")
def always_equal(program: Program) -> Program:
    """End with 0 whatever was compared, as a tool did."""
    return lambda words: (0, program(words)[1])


@saved_by_command.counter_example("traces_not_recognised", of="program")
def traces_not_recognised(program: Program) -> Program:
    """Take traces for something that cannot be compared."""
    return lambda words: (_REFUSED, "") if words[0] == "diff" else program(words)


@saved_by_command.counter_example("another_layer_kept", of="program")
def another_layer_kept(program: Program) -> Program:
    """Keep the first layer's stages whichever was asked for."""

    def first(words: Sequence[str]) -> tuple[int, str]:
        if words[0] != "trace":
            return program(words)
        at = [*words].index("--layer") + 1
        return program([*words[:at], "0", *words[at + 1 :]])

    return first
