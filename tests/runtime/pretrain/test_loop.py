from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pv_runtime.architecture import architecture_of
from pv_runtime.formats import open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.pretrain.loop import Run, train, validate
from pv_runtime.pretrain.metrics import Metrics, read_metrics
from pv_runtime.pretrain.optimiser import learning_rate
from pv_runtime.pretrain.prepare import prepare
from pv_runtime.pretrain.request import Request
from pv_runtime.weights import load_weights
from torch.nn import functional

Make = Callable[..., Request]


def trained(request: Request, folder: Path) -> list[float]:
    prepared = prepare(request)
    metrics = Metrics(prepared.folder)
    train(prepared.run, metrics, lambda _: folder)
    metrics.close()
    return [line["loss"] for line in read_metrics(prepared.folder) if line["kind"] == "step"]


def test_the_held_out_loss_is_that_of_the_reference(request_of: Make, init: Path) -> None:
    run = prepare(request_of()).run
    decoder = Decoder(load_weights(open_checkpoint(init)))
    assert run.module.architecture == architecture_of(open_checkpoint(init))
    logits = decoder.forward(run.windows[:, :-1]).clone()
    theirs = functional.cross_entropy(logits.flatten(0, 1), run.windows[:, 1:].flatten()).item()
    assert validate(run.module, run.windows, run.settings) == pytest.approx(theirs, abs=1e-5)


def test_passes_of_one_step_are_one_batch(tmp_path: Path, request_of: Make) -> None:
    runs = []
    for name, size, accumulate in (("whole", 4, 1), ("parts", 1, 4)):
        settings = {"batch_size": size, "accumulate": accumulate, "num_steps": 5}
        runs.append(trained(request_of(run_dir=str(tmp_path / name), settings=settings), tmp_path))
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-5)


def test_moments_and_steps_begin_at_nothing(request_of: Make) -> None:
    run: Run = prepare(request_of()).run
    assert (run.step, run.validation, dict(run.optimiser.state)) == (0, [], {})


@pytest.mark.oracle
def test_the_losses_are_those_of_a_plain_loop_with_transformers(
    tmp_path: Path, request_of: Make, init: Path
) -> None:
    import transformers

    settings = {"num_steps": 30, "warmup_steps": 3}
    ours = trained(request_of(settings=settings), tmp_path)
    batches = prepare(request_of(run_dir=str(tmp_path / "again"), settings=settings)).run.batches
    peers: dict[str, list[float]] = {}
    for kind in ("eager", "sdpa"):
        model = transformers.AutoModelForCausalLM.from_pretrained(
            init, dtype=torch.float32, attn_implementation=kind
        )
        decaying = [each for each in model.parameters() if each.ndim == 2]
        others = [each for each in model.parameters() if each.ndim == 1]
        groups = [{"params": decaying, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
        peers[kind] = []
        for step in range(30):
            tokens, targets = batches.batch(2 * step, 2)
            loss = functional.cross_entropy(model(tokens).logits.flatten(0, 1), targets.flatten())
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, peak=1e-3, warm_up=3, steps=30)
            optimiser.step()
            optimiser.zero_grad()
            peers[kind].append(loss.item())
    spread = float(np.abs(np.subtract(peers["eager"], peers["sdpa"])).max())
    apart = float(np.abs(np.subtract(ours, peers["sdpa"])).max())
    assert spread > 0
    assert apart <= 3 * spread
