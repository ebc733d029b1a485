"""How fast a model is trained on the CPU, and in how much memory, beside a plain loop on transformers' model.

Same first weights, batches and settings; each loop has a process of its own, and they take turns. A third row
loads an init of the shape of Qwen2.5 0.5B, beside reading its file and converting it once. Ratios count, and
the best of several turns, since a busy machine adds to each.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from benchmarks.plain_training import peer, plain_training, text_in

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models" / "tiny-qwen2"
STEPS, BATCH, LENGTH, LR, THREADS, TURNS = 40, 8, 128, 1e-3, 2, 3
TIME, MEMORY, LOADING = 1.0, 1.1, 2.0
"""Targets: at most so many times the plain loop's step and peak, and the reading and converting."""


def ours(folder: Path) -> dict[str, Any]:
    """Train with `apr pretrain`'s loop, in this process."""
    from pv_runtime.pretrain.loop import train
    from pv_runtime.pretrain.metrics import Metrics, read_metrics
    from pv_runtime.pretrain.prepare import prepare

    prepared = prepare(_request(folder))
    with contextlib.closing(Metrics(prepared.folder)) as metrics:
        train(prepared.run, metrics, lambda _run: folder)
    steps = [line for line in read_metrics(prepared.folder) if line["kind"] == "step"]
    return {"losses": [line["loss"] for line in steps], "seconds": [line["wall_ms"] / 1e3 for line in steps]}


def _request(folder: Path) -> Any:
    from pv_runtime.pretrain.request import Request

    settings = {
        "num_steps": STEPS, "batch_size": BATCH, "seq_length": LENGTH, "lr": LR, "warmup_steps": 4,
        "val_windows": 1, "eval_every": STEPS, "save_every": STEPS,
    }  # fmt: skip
    return Request(
        run_dir=str(folder / "run"), init=str(MODEL), tokenizer=str(MODEL), dataset=str(text_in(folder)),
        device="cpu", threads=THREADS, settings=settings,
    )  # fmt: skip


def theirs(folder: Path) -> dict[str, Any]:
    """Train with the plain loop, in this process, on the batches that ours has."""
    from pv_runtime.pretrain.batches import Batches
    from pv_runtime.pretrain.data import read_data
    from pv_runtime.tokenizer import tokenizer_in

    model = peer(MODEL, "sdpa")
    data = read_data(text_in(folder), None, tokenizer_in(MODEL), model.config.vocab_size)
    batches = Batches(data.training, LENGTH, seed=42)
    losses, seconds = plain_training(
        model, lambda step: batches.batch(step * BATCH, BATCH), steps=STEPS, lr=LR, warm_up=4
    )
    return {"losses": losses, "seconds": seconds}


def _child(way: str) -> None:
    torch.set_num_threads(THREADS)
    import transformers  # noqa: F401  on both sides: it counts in neither

    with tempfile.TemporaryDirectory() as folder:
        found = (ours if way == "ours" else theirs)(Path(folder))
    print(json.dumps({**found, "peak": _peak()}))


def _peak() -> int:
    """Return the most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _run(way: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "benchmarks.train", way]
    done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def training() -> None:
    """Print the rows of time and memory."""
    turns = [(_run("ours"), _run("theirs")) for _ in range(TURNS)]
    # Of each turn the median step: the first ones warm up. Of all turns the best.
    mine, other = (min(float(np.median(turn[side]["seconds"])) for turn in turns) for side in (0, 1))
    apart = max(abs(a - b) for a, b in zip(turns[0][0]["losses"], turns[0][1]["losses"], strict=True))
    _row("step of the shipped model", f"{1e3 * mine:.1f} ms, plain {1e3 * other:.1f} ms", mine / other, TIME)
    peak, plain = (min(turn[side]["peak"] for turn in turns) for side in (0, 1))
    _row("peak memory", f"{peak >> 20} MiB, plain {plain >> 20} MiB", peak / plain, MEMORY)
    print(f"{'':<28} losses of {STEPS} steps are at most {apart:.1e} apart")


def loading() -> None:
    """Print the row of the init."""
    from pv_runtime.presets import PRESETS
    from pv_runtime.pretrain.init import open_init, read_weights
    from pv_runtime.pretrain.trainable import assemble
    from pv_runtime.random_model import RandomModel

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        RandomModel(PRESETS["qwen2.5-0.5b"], dtype="F16").save(folder)
        (file,) = folder.glob("*.safetensors")
        best = [float("inf")] * 2
        for _ in range(TURNS):
            started = time.perf_counter()
            torch.from_numpy(np.fromfile(file, dtype=np.float16)).float()
            read = time.perf_counter()
            init = open_init(str(folder))
            assemble(init.architecture, read_weights(init))
            best = [min(best[0], read - started), min(best[1], time.perf_counter() - read)]
        size = file.stat().st_size
    floor, took = best
    _row(
        f"init of {size / 1e6:.0f} MB",
        f"{took:.2f} s, read and converted {floor:.2f} s",
        took / floor,
        LOADING,
    )


def _row(what: str, figures: str, ratio: float, target: float) -> None:
    met = "met" if ratio <= target else "missed"
    print(f"{what:<28} {figures}: {ratio:.2f} times, target {target:g}: {met}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _child(sys.argv[1])
    else:
        torch.set_num_threads(THREADS)
        training()
        loading()
