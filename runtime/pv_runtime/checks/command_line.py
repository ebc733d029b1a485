"""The trainer's command line: an option is there, is told of, is used; and made-up data are called so."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pv.check import Metric, Run, check
from pv_runtime.checks.trainer import Trainer, parser, random_init, words
from pv_runtime.commands import pretrain
from pv_runtime.pretrain import data as data_module
from pv_runtime.pretrain import prepare

__all__ = ["init_option", "synthetic_run"]


@check(
    metrics=[
        Metric("spellings", unit="1", kind="count"),
        Metric("misread", unit="1", kind="count"),
        Metric("default_is_none", unit="1", kind="count"),
        Metric("words_missing", unit="1", kind="count"),
        Metric("without_value_refused", unit="1", kind="count"),
        Metric("reaches_the_run", unit="1", kind="count"),
    ]
)
def init_option(run: Run, *, paths: Sequence[str]) -> None:
    """Spell ``--init`` with each of `paths`, without a path, and not at all.

    `misread` is 1 for each path that is not what the parser has; `words_missing` counts words that the help
    lacks; `reaches_the_run` is 1 if a path that is not there is what the command complains of.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    with trainer.in_place():
        whole = parser()
        for path in paths:
            for line in (["--init", path], [f"--init={path}"]):
                found = whole.parse_args(["pretrain", "--run-dir", "r", *line])
                run.record("misread", int(found.init != path), label=" ".join(line))
        run.record("spellings", 2 * len(paths))
        absent = whole.parse_args(["pretrain", "--run-dir", "r"])
        run.record("default_is_none", int(absent.init is None))
        (commands,) = (a for a in whole._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001
        told = commands.choices["pretrain"].format_help()
        run.record(
            "words_missing", sum(word not in told for word in ("--init CHECKPOINT", "exactly these weights"))
        )
    empty = trainer.run(["pretrain", "--run-dir", str(folder / "none"), "--init"])
    run.record("without_value_refused", int(empty.code == 2 and "--init" in empty.said))
    missing = str(folder / "nothing")
    said = trainer.run(words(folder / "run", init=missing, dataset=folder, tokenizer=folder)).said
    run.record("reaches_the_run", int(missing in said and "INIT-003" in said))


Register = Callable[[Any], None]


def _with_init(trainer: Trainer, alter: Callable[[argparse.Action], None]) -> Trainer:
    """Let the option be declared otherwise."""

    def make(register: Register) -> Register:
        def registering(commands: Any) -> None:
            register(commands)
            actions = commands.choices["pretrain"]._actions  # noqa: SLF001
            alter(next(each for each in actions if each.dest == "init"))

        return registering

    return trainer.having(pretrain, "register", make)


@init_option.counter_example("default_is_a_path", of="trainer")
def default_is_a_path(trainer: Trainer) -> Trainer:
    """Begin with some model where none is named."""

    def alter(action: argparse.Action) -> None:
        action.default = "model.safetensors"

    return _with_init(trainer, alter)


@init_option.counter_example("not_told_of", of="trainer")
def not_told_of(trainer: Trainer) -> Trainer:
    """Take the option, and keep it to yourself."""

    def alter(action: argparse.Action) -> None:
        action.help = argparse.SUPPRESS

    return _with_init(trainer, alter)


@init_option.counter_example("taken_and_not_used", of="trainer")
def taken_and_not_used(trainer: Trainer) -> Trainer:
    """Parse the option, and train without it."""
    return trainer.having(pretrain, "_SOURCES", lambda names: tuple(name for name in names if name != "init"))


@check(
    metrics=[
        Metric("exit_code", unit="1", kind="count"),
        Metric("steps", unit="1", kind="count"),
        Metric("mode", unit="1", kind="text"),
        Metric("init_recorded", unit="1", kind="count"),
        Metric("places", unit="1", kind="count"),
        Metric("not_called_synthetic", unit="1", kind="count"),
        Metric("contradictions", unit="1", kind="count"),
        Metric("accepted", unit="1", kind="count"),
    ]
)
def synthetic_run(run: Run, *, steps: int) -> None:
    """Train from nothing on made-up tokens, and look at each place that says what was learnt.

    `not_called_synthetic` is 1 for each of the report, the record, the checkpoint's metadata, the picture and
    the names of the data that does not say so; `accepted` is 1 for each option that names real data or a
    tokenizer beside ``--synthetic`` and is not refused.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    shape = random_init(folder / "shape")
    options: dict[str, Any] = {
        "synthetic": True,
        "architecture": shape,
        "warmup_steps": 1,
        "num_steps": steps,
    }
    ended = trainer.run(words(folder / "run", **options))
    run.record("exit_code", ended.code)
    run.record("steps", int(ended.report.get("steps", 0)))
    run.record("mode", str(ended.report.get("mode", "none")))
    run.record("init_recorded", int(ended.record["init"] is not None))
    data = ended.record["data"]
    places = {
        "report": ended.report.get("data") == "synthetic",
        "record": data["kind"] == "synthetic",
        "names": all("synthetic" in each["name"] for each in (*data["training"], *data["held_out"])),
        "checkpoint": ended.stated["data"] == "synthetic",
        "picture": "synthetic data" in (ended.folder / "loss.svg").read_text(encoding="utf-8"),
    }
    for place, called in places.items():
        run.record("not_called_synthetic", int(not called), label=place)
    run.record("places", len(places))
    contradicting = ("dataset", "tokenizer", "val_shard")
    for name in contradicting:
        other = trainer.run(words(folder / f"with {name}", **{**options, name: shape}))
        run.record("accepted", int(other.code == 0), label=name)
    run.record("contradictions", len(contradicting))


@synthetic_run.counter_example("passed_off_as_text", of="trainer")
def passed_off_as_text(trainer: Trainer) -> Trainer:
    """Make tokens up, and call them text everywhere."""

    def make(invent: Callable[..., data_module.Data]) -> Callable[..., data_module.Data]:
        def invented(*arguments: Any) -> data_module.Data:
            made = invent(*arguments)
            return data_module.Data("text", made.training, made.held_out)

        return invented

    return trainer.having(prepare, "made_up", make)


@synthetic_run.counter_example("checkpoint_does_not_say_so", of="trainer")
def checkpoint_does_not_say_so(trainer: Trainer) -> Trainer:
    """Leave out of the model's own metadata what it was trained on."""

    def make(collect: Callable[..., Any]) -> Callable[..., Any]:
        def collected(init: Any, config: Any, tokenizer: Any, kind: str, settings: Any) -> Any:
            del kind
            return collect(init, config, tokenizer, "text", settings)

        return collected

    return trainer.having(prepare, "model_files", make)


@synthetic_run.counter_example("begins_with_a_model", of="trainer")
def begins_with_a_model(trainer: Trainer) -> Trainer:
    """Record an init where there was none."""
    return trainer.having(
        prepare, "_record", lambda record: lambda *parts: {**record(*parts), "init": {"sha256": "0" * 64}}
    )
