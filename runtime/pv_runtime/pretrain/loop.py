"""The training loop, from top to bottom."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pv_runtime.pretrain.batches import Batches
from pv_runtime.pretrain.errors import TrainingError
from pv_runtime.pretrain.metrics import Metrics
from pv_runtime.pretrain.optimiser import clip, learning_rate
from pv_runtime.pretrain.settings import Settings
from pv_runtime.pretrain.trainable import Trainable

__all__ = ["Finished", "Run", "train", "validate"]

_WORSE = 2.0
"""A held-out loss of this many times the one before it is no learning any more."""


@dataclasses.dataclass
class Run:
    """A run that can be trained, at some step.

    Parameters
    ----------
    settings
        What it was asked.
    module, optimiser
        On the device.
    batches
        What is learnt from.
    windows
        What is held out: int64 ``[windows, length]``.
    step
        Steps that were done.
    validation
        Pairs of step and held-out loss, so far.
    """

    settings: Settings
    module: Trainable
    optimiser: torch.optim.Optimizer
    batches: Batches
    windows: Tensor
    step: int
    validation: list[tuple[int, float]]

    @property
    def state(self) -> dict[str, Any]:
        """What a checkpoint has to remember beside tensors."""
        return {
            "schema_version": 1,
            "step": self.step,
            "sequences": self.step * self.settings.sequences_a_step,
            "validation": self.validation,
        }


@dataclasses.dataclass(frozen=True)
class Finished:
    """How it ended.

    Parameters
    ----------
    status
        ``"OK"``, or ``"EARLY_STOP"``.
    detail
        Why, in words.
    seconds
        Of the steps that were done now, without validation and checkpoints.
    """

    status: str
    detail: str
    seconds: float


def train(
    run: Run,
    metrics: Metrics,
    save: Callable[[Run], Path],
    watch: Callable[[int, float], None] | None = None,
) -> Finished:
    """Train until the last step, or until the held-out loss says that it is enough.

    Parameters
    ----------
    run
        Goes on from its step; is changed.
    metrics
        Is written a line for each step and each validation.
    save
        Writes a checkpoint of the run.
    watch
        Is told steps done and the loss of the last.

    Raises
    ------
    TrainingError
        The loss or the gradient is not a number, or the held-out loss doubled. The last checkpoint stays.
    """
    settings = run.settings
    compiled = torch.compile(run.module) if settings.compile else run.module
    position, size = run.step * settings.sequences_a_step, settings.batch_size
    seconds, unsaved = 0.0, not run.validation
    if not run.validation:
        _validate(run, metrics)
    ended = _enough(run)
    while run.step < settings.num_steps and ended is None:
        started = time.perf_counter()
        loss = 0.0
        for _ in range(settings.accumulate):
            tokens, targets = _moved(run.batches.batch(position, size), settings.device)
            with precision(settings):
                part = compiled(tokens, targets) / settings.accumulate
            part.backward()
            loss += part.item()
            position += size
        norm = clip(run.module, settings.clip).item()
        _require_finite(run.step, loss, norm)
        rate = learning_rate(
            run.step, peak=settings.lr, warm_up=settings.warmup_steps, steps=settings.num_steps
        )
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        run.optimiser.step()
        run.optimiser.zero_grad(set_to_none=True)
        run.step += 1
        seconds += (took := time.perf_counter() - started)
        learnt = settings.sequences_a_step * settings.seq_length
        figures = {"loss": loss, "learning_rate": rate, "gradient_norm": norm}
        metrics.write(
            "step", run.step, {**figures, "wall_ms": 1e3 * took, "tokens_per_second": learnt / took}
        )
        if watch is not None:
            watch(run.step, loss)
        unsaved = True
        if run.step == settings.num_steps or run.step % settings.eval_every == 0:
            _validate(run, metrics)
            ended = _enough(run)
        if run.step % settings.save_every == 0:
            save(run)
            unsaved = False
    if unsaved:
        save(run)
    return Finished("EARLY_STOP", ended, seconds) if ended else Finished("OK", "all steps are done", seconds)


def precision(settings: Settings) -> AbstractContextManager[Any]:
    """Return the context of a forward pass: autocast for bfloat16, and nothing for float32."""
    if settings.dtype == "float32":
        return nullcontext()
    return torch.autocast(settings.device.partition(":")[0], dtype=getattr(torch, settings.dtype))


def _moved(batch: tuple[Tensor, Tensor], device: str) -> tuple[Tensor, Tensor]:
    if device == "cpu":
        return batch
    tokens, targets = (each.pin_memory().to(device, non_blocking=True) for each in batch)
    return tokens, targets


@torch.no_grad()
def validate(module: Trainable, windows: Tensor, settings: Settings) -> float:
    """Return the mean of -ln p over held-out windows, in nats a token.

    Each window predicts all its tokens but the first, from those before them in the window: N = windows ·
    (length - 1) predictions.
    """
    total = 0.0
    for part in torch.split(windows, settings.batch_size):
        tokens = part.to(settings.device)
        with precision(settings):
            total += module.total(tokens[:, :-1], tokens[:, 1:]).item()
    return total / (windows.shape[0] * (windows.shape[1] - 1))


def _validate(run: Run, metrics: Metrics) -> None:
    """Measure the held-out loss, and remember it.

    Raises
    ------
    TrainingError
        It is no number, or twice what it was before.
    """
    loss = validate(run.module, run.windows, run.settings)
    if not math.isfinite(loss):
        raise TrainingError(
            "not-finite",
            f"the held-out loss is {loss} after {run.step} steps",
            "look at the weights with `apr trace`; a smaller --lr, or a longer warm-up, may keep them finite",
        )
    before = run.validation[-1][1] if run.validation else math.inf
    run.validation.append((run.step, loss))
    metrics.write("validation", run.step, {"loss": loss})
    if loss > _WORSE * before:
        raise TrainingError(
            "diverged",
            f"the held-out loss is {loss:.4f} after {run.step} steps, and was {before:.4f} before",
            "begin again with a smaller --lr; the checkpoint before it is kept",
        )


def _enough(run: Run) -> str | None:
    """Say why no more steps are needed, if so."""
    settings, losses = run.settings, [loss for _, loss in run.validation]
    if settings.target_val_loss is not None and losses[-1] <= settings.target_val_loss:
        return f"the held-out loss is {losses[-1]:.4f}, and --target-val-loss {settings.target_val_loss}"
    since = len(losses) - 1 - losses.index(min(losses))
    if settings.patience and since >= settings.patience:
        return f"the held-out loss was not lower than {min(losses):.4f} for {since} validations"
    return None


def _require_finite(step: int, loss: float, norm: float) -> None:
    if math.isfinite(loss) and math.isfinite(norm):
        return
    what = f"loss is {loss}" if not math.isfinite(loss) else f"norm of the gradients is {norm}"
    raise TrainingError(
        "not-finite",
        f"the {what} in step {step + 1}; no weight was changed by it",
        "a smaller --lr, or a longer --warmup-steps; --resume would only come here again",
    )


def losses(lines: list[dict[str, Any]], kind: str) -> Iterator[tuple[int, float]]:
    """Yield step and loss of the lines of `kind`."""
    return ((line["step"], line["loss"]) for line in lines if line["kind"] == kind)
