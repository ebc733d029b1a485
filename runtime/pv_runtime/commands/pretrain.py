"""``apr pretrain``: train a model, from a checkpoint or from nothing."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_runtime.commands.output import show
from pv_runtime.errors import printable, printable_json, printable_lines
from pv_runtime.pretrain.errors import UsageError

if TYPE_CHECKING:
    from pv_runtime.pretrain.loop import Finished, Run
    from pv_runtime.pretrain.prepare import Prepared
    from pv_runtime.pretrain.request import Request

__all__ = ["register"]

_CURVE = "loss.svg"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "pretrain",
        help="train a model, from a checkpoint or from nothing",
        description="Train a Qwen2 or Llama model on token shards or text. Everything is checked "
        "before the run's "
        "folder is made; an option that was given is used, or the command stops.",
    )
    parser.add_argument(
        "--run-dir",
        required=True,
        metavar="R",
        help="a new folder for the run; with --resume, one that is there",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint; options come from the run"
    )
    parser.add_argument("--json", action="store_true", help="report as JSON when it is done")
    data = parser.add_argument_group("what is learnt")
    data.add_argument(
        "--dataset", metavar="D", help="token shards (*.bin), or text: a file, or a folder of one kind"
    )
    data.add_argument("--tokenizer", metavar="T", help="a folder that holds tokenizer.json")
    data.add_argument(
        "--val-shard",
        metavar="V",
        help="held out: a shard or text that is no part of D; by default a part of D is",
    )
    data.add_argument(
        "--synthetic",
        action="store_true",
        help="learn made-up tokens, to try a machine out; takes no D and no T",
    )
    model = parser.add_argument_group("what learns")
    model.add_argument(
        "--init",
        metavar="CHECKPOINT",
        help="begin with exactly these weights: a file or folder of any format",
    )
    model.add_argument(
        "--mode", choices=["finetune", "from-scratch"], help="finetune with --init, from-scratch without"
    )
    model.add_argument(
        "--architecture",
        metavar="A",
        help="without --init: a preset (llama-370m), or a folder with config.json",
    )
    model.add_argument(
        "--vocab-size",
        type=int,
        metavar="N",
        help="without --init: rows of the embedding, where they are others",
    )
    steps = parser.add_argument_group("how it learns")
    steps.add_argument(
        "--num-steps", type=int, metavar="N", help="steps (1000); 0 writes the first checkpoint"
    )
    steps.add_argument("--batch-size", type=int, metavar="N", help="sequences of one pass (16)")
    steps.add_argument("--accumulate", type=int, metavar="N", help="passes of one step (1)")
    steps.add_argument(
        "--seq-length",
        type=int,
        metavar="N",
        help="tokens of a sequence (1024, or what the model was made for)",
    )
    steps.add_argument(
        "--lr", type=float, metavar="X", help="peak learning rate (5e-5 to finetune, 3e-4 from scratch)"
    )
    steps.add_argument(
        "--warmup-steps", type=int, metavar="N", help="steps until it (100 or 1000, at most a tenth of all)"
    )
    steps.add_argument("--weight-decay", type=float, metavar="X", help="of matrices (0.01)")
    steps.add_argument("--clip", type=float, metavar="X", help="most norm of the gradients (1.0)")
    steps.add_argument(
        "--seed", type=int, metavar="N", help="of the data's order, and of random weights (42)"
    )
    steps.add_argument("--eval-every", type=int, metavar="N", help="steps between validations (100)")
    steps.add_argument("--val-windows", type=int, metavar="N", help="most windows of one validation (256)")
    steps.add_argument(
        "--target-val-loss", type=float, metavar="X", help="end when the held-out loss is so low"
    )
    steps.add_argument(
        "--patience", type=int, metavar="N", help="end after N validations without a lower loss (0: never)"
    )
    steps.add_argument("--save-every", type=int, metavar="N", help="steps between checkpoints (100)")
    steps.add_argument("--keep", type=int, metavar="N", help="checkpoints that are kept (2)")
    how = parser.add_argument_group("how it is computed")
    how.add_argument(
        "--device", metavar="DEVICE", help="auto (the default: a GPU if there is one), cpu, cuda or cuda:N"
    )
    how.add_argument("--threads", type=int, metavar="N", help="of the processor; all cores by default")
    how.add_argument(
        "--dtype", choices=["float32", "bfloat16"], help="bfloat16: autocast, on a GPU (float32)"
    )
    how.add_argument("--compile", action="store_true", default=None, help="compile by torch, on a GPU")
    how.add_argument(
        "--deterministic",
        action="store_true",
        default=None,
        help="only operations that give the same bits each time",
    )
    parser.set_defaults(run=run)


_SETTINGS = (
    "num_steps", "batch_size", "accumulate", "seq_length", "lr", "warmup_steps", "weight_decay", "clip",
    "seed", "eval_every", "val_windows", "target_val_loss", "patience", "save_every", "keep",
    "dtype", "compile", "deterministic",
)  # fmt: skip
"""Options that are fields of `Settings`, by the same names."""
_SOURCES = (
    "run_dir", "resume", "dataset", "tokenizer", "val_shard", "init", "mode", "architecture", "vocab_size",
    "synthetic", "device", "threads",
)  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Train, and report; 2 for a command line that cannot be meant."""
    from pv_runtime.pretrain.request import Request

    given = {name: getattr(arguments, name) for name in _SETTINGS if getattr(arguments, name) is not None}
    request = Request(settings=given, **{name: getattr(arguments, name) for name in _SOURCES})
    try:
        _early(request)
        from pv_runtime.pretrain.prepare import prepare

        prepared = prepare(request)
    except UsageError as error:
        print(printable_lines(f"error: {error}"), file=sys.stderr)
        return 2
    for note in prepared.notes:
        print(f"note: {note}", file=sys.stderr)
    finished = _train(prepared, shown=not arguments.json)
    report = _report(prepared, finished)
    if arguments.json:
        show(printable_json(json.dumps(report, indent=2, allow_nan=False)))
    else:
        show("\n".join(_lines(report)))
    return 0


def _early(request: Request) -> None:
    """Refuse what needs no library to be refused: a wrong device is said at once."""
    from pv_runtime.pretrain.device import resolve
    from pv_runtime.pretrain.request import require_one_meaning

    if not request.resume:
        require_one_meaning(request)
    if request.device is not None:
        resolve(request.device, built_with_cuda=lambda: True)  # torch is asked when it is there


def _train(prepared: Prepared, *, shown: bool) -> Finished:
    from pv_runtime.formats.writing import writing
    from pv_runtime.pretrain import checkpoints
    from pv_runtime.pretrain.loop import losses, train
    from pv_runtime.pretrain.loss_curve import draw
    from pv_runtime.pretrain.metrics import Metrics, read_metrics

    training, folder = prepared.run, prepared.folder
    Metrics.cut(folder, training.step if training.validation else -1)
    metrics = Metrics(folder)

    def save(run: Run) -> Path:
        return checkpoints.save(
            folder,
            run.module,
            run.optimiser,
            run.state,
            metadata=prepared.files.metadata(run.step),
            texts=prepared.files.texts,
            keep=run.settings.keep,
        )

    try:
        with _progress(training.settings.num_steps, training.step, shown=shown) as watch:
            return train(training, metrics, save, watch)
    finally:
        metrics.close()
        lines = read_metrics(folder)
        title = folder.absolute().name + (
            ", synthetic data" if prepared.record["data"]["kind"] == "synthetic" else ""
        )
        with contextlib.suppress(OSError), writing(folder / _CURVE) as file:
            picture = draw(title, list(losses(lines, "step")), list(losses(lines, "validation")))
            file.write(picture.encode())


@contextlib.contextmanager
def _progress(total: int, done: int, *, shown: bool) -> Iterator[Callable[[int, float], None] | None]:
    """Draw a bar on stderr where that is a terminal."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=total, completed=done)
        yield lambda step, loss: bar.update(task, completed=step, description=f"loss {loss:.4f}")


def _report(prepared: Prepared, finished: Finished) -> dict[str, Any]:
    from pv_runtime.pretrain import checkpoints
    from pv_runtime.pretrain.metrics import FILE

    training, record = prepared.run, prepared.record
    settings = training.settings
    first = prepared.resumed_at or 0
    steps = training.step - first
    tokens = steps * settings.sequences_a_step * settings.seq_length
    return {
        "schema_version": 1,
        "status": finished.status,
        "detail": finished.detail,
        "run_dir": str(prepared.folder),
        "mode": settings.mode,
        "data": record["data"]["kind"],
        "device": settings.device,
        "init": record["init"],
        "parameters": record["architecture"]["parameters"],
        "settings": record["settings"],
        "resumed_at": prepared.resumed_at,
        "steps": training.step,
        "steps_now": steps,
        "tokens_seen": training.step * settings.sequences_a_step * settings.seq_length,
        "tokens_per_second": tokens / finished.seconds if finished.seconds else None,
        "initial_val_loss": training.validation[0][1],
        "final_val_loss": training.validation[-1][1],
        "val_loss_history": [{"step": step, "loss": loss} for step, loss in training.validation],
        "checkpoint": str(checkpoints.checkpoints_of(prepared.folder)[-1]),
        "metrics": str(prepared.folder / FILE),
        "loss_curve": str(prepared.folder / _CURVE),
    }


def _lines(report: dict[str, Any]) -> list[str]:
    synthetic = "; the data were made up: this model knows nothing" if report["data"] == "synthetic" else ""
    resumed = f", the first {report['resumed_at']} before" if report["resumed_at"] else ""
    speed = f", {report['tokens_per_second']:,.0f} a second" if report["tokens_per_second"] else ""
    first, last = report["initial_val_loss"], report["final_val_loss"]
    return [
        f"{report['status']}: {report['detail']}{synthetic}",
        f"  steps       {report['steps']}{resumed}; {report['tokens_seen']:,} tokens{speed}",
        f"  held out    {first:.4f} nats a token at first, {last:.4f} now",
        f"  checkpoint  {printable(report['checkpoint'])}",
        f"  metrics     {printable(report['metrics'])}, {printable(report['loss_curve'])}",
    ]
