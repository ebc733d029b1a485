"""The loop that a user would write instead of `apr pretrain`: PyTorch, and transformers' model.

It is the peer of `benchmarks/train.py` and of the test of losses, and shares no line with the trainer.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["Batch", "peer", "plain_training", "text_in"]

Batch = Callable[[int], tuple[Tensor, Tensor]]
"""Step → int64 ``[batch, tokens]``, and the tokens that follow them."""


def plain_training(
    model: Any, batch: Batch, *, steps: int, lr: float, warm_up: int
) -> tuple[list[float], list[float]]:
    """Train `model` of transformers in place; return loss (nats a token) and seconds of each step."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
        lr=lr,
        betas=(0.9, 0.95),
        fused=True,
    )
    floor = max(lr / 100, 1e-7) / lr

    def share(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        turned = math.pi * (step - warm_up) / max(1, steps - warm_up)
        return floor + (1 - floor) * (1 + math.cos(turned)) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    model.train()
    losses, seconds = [], []
    for step in range(steps):
        started = time.perf_counter()
        tokens, targets = batch(step)
        logits = model(input_ids=tokens, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - started)
    return losses, seconds


def peer(folder: Path, attention: str) -> Any:
    """Return transformers' model of `folder` in float32, its attention ``"eager"`` or ``"sdpa"``.

    The token that pads a batch is the one that ends a text, which is learnt. transformers would not let its
    row of the embedding learn from being read (``torch.nn.Embedding(padding_idx=…)``): another gradient.
    """
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
    model.get_input_embeddings().padding_idx = None
    return model


def text_in(folder: Path) -> Path:
    """Copy the recipe of the shipped models, which is the text to learn, into a new folder below `folder`."""
    text = folder / "text"
    text.mkdir()
    for source in sorted((Path(__file__).resolve().parents[1] / "models" / "recipe").glob("*.py")):
        shutil.copy(source, text)
    return text
