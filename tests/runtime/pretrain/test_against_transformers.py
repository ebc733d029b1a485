"""The losses of a hundred steps, beside those of a plain loop on transformers' model."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.pretrain.loop import train
from pv_runtime.pretrain.metrics import Metrics, read_metrics
from pv_runtime.pretrain.prepare import prepare
from pv_runtime.pretrain.request import Request
from torch import Tensor

from benchmarks.plain_training import peer, plain_training, text_in

MODELS = Path(__file__).resolve().parents[3] / "models"
STEPS, BATCH, LENGTH = 100, 4, 64
LR = 1e-3
"""That of docs/how-to/train-from-a-checkpoint.md."""


@pytest.mark.oracle
def test_losses_are_no_further_from_a_plain_loop_than_its_own_ways_to_attend_are_apart(
    tmp_path: Path,
) -> None:
    model = str(MODELS / "tiny-qwen2")
    settings = {
        "num_steps": STEPS, "batch_size": BATCH, "seq_length": LENGTH, "lr": LR, "warmup_steps": 10,
        "val_windows": 1, "eval_every": STEPS, "save_every": STEPS,
    }  # fmt: skip
    request = Request(
        run_dir=str(tmp_path / "run"), init=model, tokenizer=model, dataset=str(text_in(tmp_path)),
        device="cpu", threads=1, settings=settings,
    )  # fmt: skip
    run = prepare(request).run
    with contextlib.closing(Metrics(tmp_path / "run")) as metrics:
        train(run, metrics, lambda _run: tmp_path)
    ours = [line["loss"] for line in read_metrics(tmp_path / "run") if line["kind"] == "step"]

    def batch(step: int) -> tuple[Tensor, Tensor]:
        return run.batches.batch(step * BATCH, BATCH)

    eager, sdpa = (
        np.array(plain_training(peer(Path(model), way), batch, steps=STEPS, lr=LR, warm_up=10)[0])
        for way in ("eager", "sdpa")
    )
    assert len(ours) == len(eager) == STEPS
    assert eager[-10:].mean() < eager[:10].mean() - 0.1, (
        "the loops do not learn, so that equal losses say little"
    )
    spread = np.abs(eager - sdpa).max()
    apart = min(np.abs(np.array(ours) - way).max() for way in (eager, sdpa))
    assert apart <= 3 * spread, f"{apart:.2e} apart, and the loop's own two ways {spread:.2e}"
