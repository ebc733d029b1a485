"""How a run ends before its last step: because it learnt enough, or because it must not go on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.checks.trainer import Ended, Trainer, folder_of, random_init, random_shards, words
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.pretrain import checkpoints, loop, prepare, request, settings
from pv_runtime.pretrain.metrics import Metrics
from pv_runtime.pretrain.request import Request

__all__ = ["early_endings", "mode_rows"]


@check(
    metrics=[
        Metric("enough", unit="1", kind="count"),
        Metric("enough_code", unit="1", kind="count"),
        Metric("enough_status", unit="1", kind="text"),
        Metric("steps_too_many", unit="1", kind="count"),
        Metric("not_saved", unit="1", kind="count"),
        Metric("stopped", unit="1", kind="count"),
        Metric("stopped_code", unit="1", kind="count"),
        Metric("unsaid", unit="1", kind="count"),
        Metric("values_not_finite", unit="1", kind="count"),
        Metric("numbers_not_finite", unit="1", kind="count"),
    ]
)
def early_endings(run: Run, *, tokenizer: Checkpoint) -> None:
    """Train so that it is enough before the last step, and so that it must not go on.

    It is `enough` where a held-out loss that was asked for is reached, and where none was lower for as many
    validations as patience lasts: of each run the exit code, the status, steps beyond the one at which it was
    enough, and 1 if the last checkpoint is not the one of its last step. It must not go on, and is `stopped`,
    where the held-out loss doubles, and where weights become so large that a loss is no number: of each run
    the exit code, words that its message lacks, and of the last checkpoint values that are NaN or infinite,
    and lines of metrics with a number that is none.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    common: dict[str, Any] = {
        "init": random_init(folder / "init"), "dataset": random_shards(folder / "shards"),
        "tokenizer": folder_of(tokenizer), "warmup_steps": 0, "eval_every": 1, "save_every": 5,
        "num_steps": 12,
    }  # fmt: skip
    reached: dict[str, Any] = {"target_val_loss": 99.0}
    no_better: dict[str, Any] = {
        "patience": 2,
        "lr": 0.6,
    }  # steps too long to come nearer, and too short to double the loss
    enough = {"a loss is reached": (reached, 0), "no lower for two": (no_better, None)}
    for number, (name, (options, expected)) in enumerate(enough.items()):
        ended = trainer.run(words(folder / f"enough-{number}", **{**common, **options}))
        _record_enough(run, name, ended, expected, options.get("patience"))
    run.record("enough", len(enough))
    worse = {"lr": 3.0, "num_steps": 9}
    gone = {"lr": 1e30, "num_steps": 9, "eval_every": 9, "save_every": 1}
    stopped = {
        "it doubles": (worse, ("GATE-TRAIN-005", "held-out loss")),
        "no number": (gone, ("GATE-TRAIN-007",)),
    }
    for number, (name, (options, said)) in enumerate(stopped.items()):
        ended = trainer.run(words(folder / f"stopped-{number}", **{**common, **options}))
        run.record("stopped_code", ended.code, label=name)
        run.record(
            "unsaid", sum(word not in ended.said for word in said), label=f"{name}: {ended.said[:160]}"
        )
        run.record("values_not_finite", _not_finite(ended), label=name)
        run.record("numbers_not_finite", _broken_lines(ended.folder), label=name)
    run.record("stopped", len(stopped))


def _record_enough(run: Run, name: str, ended: Ended, expected: int | None, patience: int | None) -> None:
    run.record("enough_code", ended.code, label=name)
    run.record("enough_status", str(ended.report.get("status", "none")), label=name)
    history = [each["loss"] for each in ended.report.get("val_loss_history", [])]
    if expected is None and history:
        # Validated at every step: it is enough when the lowest lies so many validations back.
        waits = [n - history[: n + 1].index(min(history[: n + 1])) for n in range(len(history))]
        expected = next((n for n, since in enumerate(waits) if since >= (patience or 0)), len(history))
    done = int(ended.report.get("steps", 99))
    run.record("steps_too_many", abs(done - (expected if expected is not None else 0)), label=name)
    saved = checkpoints.checkpoints_of(ended.folder)
    last = saved[-1].name if saved else "none"
    run.record("not_saved", int(last != f"step-{done:08d}"), label=f"{name}: {last}")


def _not_finite(ended: Ended) -> int:
    """Count values of the last checkpoint that are NaN or infinite; where there is none, there are none."""
    if not checkpoints.checkpoints_of(ended.folder):
        return 0
    model = open_checkpoint(ended.latest)
    return sum(int((~np.isfinite(model.tensor(name))).sum()) for name in model.names())


def _broken_lines(folder: Path) -> int:
    count = 0
    for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        numbers = [value for value in json.loads(line).values() if isinstance(value, float)]
        count += any(not math.isfinite(value) for value in numbers)
    return count


@early_endings.counter_example("never_enough", of="trainer")
def never_enough(trainer: Trainer) -> Trainer:
    """Go on to the last step, whatever was asked."""
    return trainer.having(loop, "_enough", lambda _: lambda *_: None)


@early_endings.counter_example("last_step_not_saved", of="trainer")
def last_step_not_saved(trainer: Trainer) -> Trainer:
    """Save at multiples of --save-every only, so that an early end leaves an older model."""

    def make(save: Callable[..., Path]) -> Callable[..., Path]:
        def saving(run: Path, module: Any, optimiser: Any, state: Mapping[str, Any], **how: Any) -> Path:
            due = int(state["step"]) % 5 == 0 and state["step"] > 0
            return save(run, module, optimiser, state, **how) if due else run

        return saving

    return trainer.having(checkpoints, "save", make)


@early_endings.counter_example("doubling_is_borne", of="trainer")
def doubling_is_borne(trainer: Trainer) -> Trainer:
    """Go on however bad the held-out loss becomes."""
    return trainer.having(loop, "_WORSE", lambda _: 1e30)


@early_endings.counter_example("nan_is_borne", of="trainer")
def nan_is_borne(trainer: Trainer) -> Trainer:
    """Take a gradient that is no number as any other; and write it down as the zero that it is not."""
    blind = trainer.having(loop, "_require_finite", lambda _: lambda *_: None)
    return blind.having(Metrics, "write", lambda _: lambda *_: None)


@check(
    metrics=[
        Metric("modes", unit="1", kind="count"),
        Metric("differing", unit="1", kind="count"),
        Metric("contradictions", unit="1", kind="count"),
        Metric("accepted", unit="1", kind="count"),
    ]
)
def mode_rows(run: Run, *, tokenizer: Checkpoint, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Begin a run of each mode, saying nothing of what the mode decides, and read what it settled on.

    `differing` is 1 for each setting that is not as `rows` says of the mode; the modes differ in all of them.
    `accepted` is 1 for each run that asks for one mode and gives what only the other takes.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    init = random_init(folder / "init")
    common: dict[str, Any] = {
        "dataset": str(random_shards(folder / "shards")), "tokenizer": str(folder_of(tokenizer)),
        "device": "cpu", "threads": 1,
    }  # fmt: skip
    said = {"num_steps": 100_000, "seq_length": 16}
    own: dict[str, dict[str, Any]] = {
        "finetune": {"init": str(init)},
        "from-scratch": {"architecture": str(init)},
    }
    for mode, row in rows.items():
        for asked in (mode, None):
            name = f"{mode} {'said' if asked else 'unsaid'}"
            line = Request(str(folder / name), mode=asked, settings=said, **own[mode], **common)
            with trainer.in_place():
                found = prepare.prepare(line).record["settings"]
            for key, value in {**row, "mode": mode}.items():
                run.record("differing", int(found[key] != value), label=f"{name}: {key} {found[key]}")
    run.record("modes", len(rows))
    others = {"finetune": own["from-scratch"], "from-scratch": own["finetune"]}
    for mode, options in others.items():
        ended = trainer.run(words(folder / f"{mode} of the other", mode=mode, **options, **common))
        run.record("accepted", int(ended.code == 0), label=mode)
    run.record("contradictions", len(others))


@mode_rows.counter_example("half_a_row", of="trainer")
def half_a_row(trainer: Trainer) -> Trainer:
    """Take the learning rate of the one mode and the warm-up of the other."""
    mixed = {mode: {**row, "warmup_steps": 1000} for mode, row in settings.MODES.items()}
    return trainer.having(settings, "MODES", lambda _: mixed)


@mode_rows.counter_example("always_finetune", of="trainer")
def always_finetune(trainer: Trainer) -> Trainer:
    """Take one mode's row for both."""
    return trainer.having(settings, "MODES", lambda modes: dict.fromkeys(modes, modes["finetune"]))


@mode_rows.counter_example("mode_is_only_a_word", of="trainer")
def mode_is_only_a_word(trainer: Trainer) -> Trainer:
    """Take the mode as it is said, and let weights come from wherever they do."""
    blind = trainer.having(prepare, "require_one_meaning", lambda _: lambda *_: None)
    return blind.having(request, "require_one_meaning", lambda _: lambda *_: None)
