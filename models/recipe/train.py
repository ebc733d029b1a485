"""Train one decoder for a fixed number of steps, and measure it on the held-out text."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .decoder import Decoder, Shape


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how fast; steps rather than minutes, so that a rebuild learns as much."""

    steps: int = 1000
    batch: int = 4
    seed: int = 20260
    muon_rate: float = 0.02
    muon_decay: float = 0.1
    adam_rate: float = 0.004
    warm_up: int = 20
    report_every: int = 50
    threads: int = 2

    def factor(self, step: int) -> float:
        """Learning-rate factor: linear up over `warm_up` steps, flat to 40 %, linear down to 2 %."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        knee = 0.4 * self.steps
        if step < knee:
            return 1.0
        return max(0.02, (self.steps - step) / (self.steps - knee))


@dataclasses.dataclass(frozen=True)
class Point:
    """One row of the loss curve: steps done, mean training loss since the last, held-out loss (nats)."""

    step: int
    training_loss: float
    held_out_loss: float


@dataclasses.dataclass(frozen=True)
class Trained:
    """What training yields; `decoder` holds float32 weights."""

    decoder: Decoder
    curve: tuple[Point, ...]
    minutes: float


def train(
    shape: Shape, tokens: NDArray[np.int64], held_out: NDArray[np.int64], schedule: Schedule
) -> Trained:
    """Train on windows of `tokens`; nothing is chosen by the held-out loss, it is only watched.

    Matrices inside the blocks are stepped by Muon (Jordan et al., 2024), the embedding, the norms
    and the biases by AdamW; arithmetic is bfloat16 where autocast allows it, weights are float32.

    Raises
    ------
    ArithmeticError
        The loss is no longer finite.
    """
    torch.manual_seed(schedule.seed)
    torch.set_num_threads(schedule.threads)
    decoder = Decoder(shape)
    optimisers = _optimisers(decoder, schedule)
    batches = _batches(tokens, shape.context, schedule)
    curve = [Point(0, float("nan"), evaluate(decoder, held_out))]
    losses: list[float] = []
    start = time.monotonic()
    for step in range(schedule.steps):
        window = next(batches)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = decoder(window[:, :-1])
        loss = functional.cross_entropy(logits.float().flatten(0, 1), window[:, 1:].flatten())
        loss.backward()
        for optimiser, rate in optimisers:
            optimiser.param_groups[0]["lr"] = rate * schedule.factor(step)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if not np.isfinite(losses[-1]):
            raise ArithmeticError(f"{shape.name}: the loss is {losses[-1]} at step {step}")
        if (step + 1) % schedule.report_every == 0 or step + 1 == schedule.steps:
            point = Point(step + 1, float(np.mean(losses)), evaluate(decoder, held_out))
            curve.append(point)
            losses.clear()
            _report(shape, point, (time.monotonic() - start) / 60)
    return Trained(decoder, tuple(curve), (time.monotonic() - start) / 60)


@torch.no_grad()
def evaluate(decoder: Decoder, tokens: NDArray[np.int64]) -> float:
    """Mean nats per predicted token, in float32, over windows that do not overlap.

    The tokens are cut into windows of `context`, the rest dropped; each predicts all its tokens but
    the first: -1/N · Σ ln p(token | the window's tokens before it), N = windows · (context - 1).
    """
    windows = held_out_windows(tokens, decoder.shape.context)
    total = 0.0
    for window in torch.split(torch.from_numpy(windows), 4):
        logits = decoder(window[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten(), reduction="sum")
        total += loss.item()
    return total / (len(windows) * (decoder.shape.context - 1))


def held_out_windows(tokens: NDArray[np.int64], context: int) -> NDArray[np.int64]:
    """Cut [tokens] into [tokens // context, context]."""
    count = tokens.size // context
    return tokens[: count * context].reshape(count, context)


def _optimisers(decoder: Decoder, schedule: Schedule) -> list[tuple[torch.optim.Optimizer, float]]:
    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, parameter in decoder.named_parameters():
        (matrices if parameter.ndim == 2 and ".layers." in name else rest).append(parameter)
    muon: Any = torch.optim.Muon(matrices, lr=schedule.muon_rate, weight_decay=schedule.muon_decay)
    adam = torch.optim.AdamW(rest, lr=schedule.adam_rate, betas=(0.9, 0.95), weight_decay=0.0)
    return [(muon, schedule.muon_rate), (adam, schedule.adam_rate)]


def _batches(tokens: NDArray[np.int64], context: int, schedule: Schedule) -> Iterator[Tensor]:
    """Yield int64 [batch, context + 1]: every window once an epoch, in a seeded order."""
    generator = np.random.default_rng(schedule.seed)
    while True:
        # A different offset each epoch, so that windows do not always break at the same places.
        starts = np.arange(generator.integers(context), tokens.size - context - 1, context)
        generator.shuffle(starts)
        for first in range(0, starts.size - schedule.batch + 1, schedule.batch):
            chosen = starts[first : first + schedule.batch]
            yield torch.from_numpy(np.stack([tokens[start : start + context + 1] for start in chosen]))


def _report(shape: Shape, point: Point, minutes: float) -> None:
    print(
        f"{shape.name}: step {point.step}, training {point.training_loss:.4f}, "
        f"held-out {point.held_out_loss:.4f}, {minutes:.1f} min",
        flush=True,
    )
