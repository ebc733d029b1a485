"""What finding a wrong stage costs at the shape of Qwen2.5 0.5B: time beside a plain pass, and memory.

Both sides are the same random weights, once as F16 and once as Q8_0 of it, on one prompt of 64 tokens.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from pv_runtime.convert import convert
from pv_runtime.formats import open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.presets import PRESETS
from pv_runtime.random_model import RandomModel
from pv_runtime.weights import load_weights

TOKENS = 64
SECONDS, MEMORY = 60, 6e9
"""The most that a run may take."""


def plain_pass(folder: Path) -> float:
    """Seconds of one forward pass of `TOKENS` tokens, the weights loaded."""
    decoder = Decoder(load_weights(open_checkpoint(folder)))
    tokens = torch.arange(TOKENS)[None]
    decoder.forward(tokens)
    started = time.perf_counter()
    decoder.forward(tokens)
    return time.perf_counter() - started


def measured(reference: Path, candidate: Path) -> tuple[float, int, str]:
    """Run ``apr bisect``; return seconds, peak memory in bytes, and its last line but the empty ones."""
    tokens = ",".join(str(number) for number in range(TOKENS))
    command = [sys.executable, "-m", "pv_runtime.cli", "bisect", str(reference), str(candidate)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    started = time.perf_counter()
    with subprocess.Popen(
        [*command, "--token-ids", tokens],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as child:
        text = child.stdout.read() if child.stdout else ""
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
    lines = [line for line in text.splitlines() if line.strip()]
    return time.perf_counter() - started, usage.ru_maxrss * 1024, lines[-1] if lines else "it printed nothing"


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        source, quantised = Path(name) / "model", Path(name) / "q8_0.gguf"
        source.mkdir()
        RandomModel(PRESETS["qwen2.5-0.5b"], dtype="F16").save(source)
        convert(open_checkpoint(source), str(quantised), "q8_0", with_tokenizer=False)
        plain = plain_pass(source)
        print(f"a plain pass of {TOKENS} tokens takes {plain:.2f} s, the weights loaded")
        for label, candidate in (("itself", source), ("its Q8_0", quantised)):
            seconds, memory, says = measured(source, candidate)
            within = seconds <= SECONDS and memory <= MEMORY
            limits = f"{SECONDS} s and {MEMORY / 1e9:.0f} GB {'held' if within else 'MISSED'}"
            took = f"{seconds:.1f} s, {seconds / plain:.0f} plain passes, {memory / 1e9:.2f} GB"
            print(f"F16 beside {label}: {took}; {limits}; {says}")


if __name__ == "__main__":
    main()
