"""The model card: facts for programs (``card.json``) and for people (``README.md``, ``loss.svg``)."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .corpus import LICENCE, Corpus
from .curve import draw_curve
from .decoder import Shape
from .export import sha256
from .train import Point, Schedule


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured of the file that was written, not of the weights in training."""

    held_out_loss: float
    held_out_tokens: int
    predicted_tokens: int
    training_tokens: int
    parameters: int
    minutes: float


def write_card(
    folder: Path,
    shape: Shape,
    schedule: Schedule,
    corpus: Corpus,
    curve: Sequence[Point],
    measured: Measured,
) -> None:
    """Write the three files into `folder`, which holds the model and the tokenizer already."""
    facts = collect_facts(folder, shape, schedule, corpus, curve, measured)
    (folder / "card.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (folder / "loss.svg").write_text(draw_curve(shape.name, curve), encoding="utf-8")
    (folder / "README.md").write_text(describe(facts), encoding="utf-8")


def collect_facts(
    folder: Path,
    shape: Shape,
    schedule: Schedule,
    corpus: Corpus,
    curve: Sequence[Point],
    measured: Measured,
) -> dict[str, Any]:
    """Return the machine-readable facts; losses in nats per token, sizes in bytes."""
    held_out = folder.parent / "heldout.txt"
    return {
        "name": shape.name,
        "architecture": dataclasses.asdict(shape) | {"head_width": shape.head_width},
        "parameters": measured.parameters,
        "held_out_loss": round(measured.held_out_loss, 6),
        "held_out_tokens": measured.held_out_tokens,
        "held_out_predicted_tokens": measured.predicted_tokens,
        "held_out_window": shape.context,
        "sha256": {
            "model.safetensors": sha256(folder / "model.safetensors"),
            "tokenizer.json": sha256(folder / "tokenizer.json"),
            "heldout.txt": sha256(held_out),
        },
        "model_bytes": (folder / "model.safetensors").stat().st_size,
        "seed": schedule.seed,
        "steps": schedule.steps,
        "minutes": round(measured.minutes, 1),
        "schedule": dataclasses.asdict(schedule),
        "data": {
            "source": f"standard library of CPython {corpus.python}",
            "licence": LICENCE,
            "python": corpus.python,
            "training_files": [document.path for document in corpus.training],
            "training_bytes": sum(document.size for document in corpus.training),
            "training_tokens": measured.training_tokens,
            "training_sha256": corpus.digest,
            "held_out_files": [document.path for document in corpus.held_out],
            "held_out_bytes": held_out.stat().st_size,
        },
        "built_with": {"python": platform.python_version(), "torch": torch.__version__},
        "curve": [
            [point.step, _number(point.training_loss), _number(point.held_out_loss)] for point in curve
        ],
    }


def describe(facts: dict[str, Any]) -> str:
    """Render the card for people from the facts alone, so that the two cannot disagree."""
    shape, data, schedule = facts["architecture"], facts["data"], facts["schedule"]
    loss, window, built = facts["held_out_loss"], facts["held_out_window"], facts["built_with"]
    attention = f"{shape['heads']} / {shape['key_value_heads']} / {shape['head_width']}"
    seen = facts["steps"] * schedule["batch"] * shape["context"]
    held_out = "\n".join(f"- `{path}`" for path in data["held_out_files"])
    files = "\n".join(f"| `{name}` | `{digest}` |" for name, digest in facts["sha256"].items())
    return f"""\
# {facts["name"]}

A decoder of {facts["parameters"]:,} parameters in the manner of Qwen2, trained from scratch by this
repository's recipe. It exists to be a real, trained subject of contracts: small enough to ship, not good
enough to write programs. This card is written by the recipe (`make models`); `card.json` holds the same
facts for programs.

## Architecture

| | |
|---|---|
| hidden width | {shape["hidden"]} |
| layers | {shape["layers"]} |
| query heads / key-value heads / head width | {attention} |
| feed-forward width (SwiGLU) | {shape["feed_forward"]} |
| vocabulary | {shape["vocabulary"]}, byte-level BPE, Qwen2's pre-tokenizer, ChatML tokens and template |
| context | {shape["context"]} tokens |
| RoPE | split halves (NEOX), theta {shape["rope_theta"]:,.0f} |
| RMSNorm epsilon | {shape["epsilon"]:g} |
| biases | on q, k and v only |
| output matrix | tied to the embedding |
| stored as | F16, {facts["model_bytes"]:,} bytes |

## Data

The sources of the {data["source"]}, licence {data["licence"]} (Python Software
Foundation). Left out are tests, bundled and generated code, tables, IDLE, Tk and files that are not UTF-8;
`recipe/corpus.py` is the exact rule. Training: {len(data["training_files"])} files,
{data["training_bytes"]:,} bytes, {data["training_tokens"]:,} tokens.
They are listed in `card.json`; the SHA-256 of their paths and texts is
`{data["training_sha256"]}`.
The split is by file and precedes the training of the tokenizer. Held out:

{held_out}

Their text, one file after another, is `../heldout.txt`: {data["held_out_bytes"]:,} bytes,
{facts["held_out_tokens"]:,} tokens.

## Recipe

{facts["steps"]} steps of {schedule["batch"]} windows of {shape["context"]} tokens ({seen:,} tokens seen),
seed {facts["seed"]}. Muon at {schedule["muon_rate"]} (decay {schedule["muon_decay"]}) for the matrices
of the layers, AdamW at {schedule["adam_rate"]} for the rest; {schedule["warm_up"]} steps of warm-up,
flat to 40 %, then linearly down to 2 %.
bfloat16 autocast on {schedule["threads"]} CPU threads, {facts["minutes"]:g} minutes of wall clock
(other work on the machine counts). Python {built["python"]}, torch {built["torch"]}.
Rebuild with `make models`. Equal seeds give equal data and order; weights agree only as far as
floating-point sums do.

## Held-out loss

**{loss:.4f} nats per token**, perplexity {math.exp(loss):.1f}
(an untrained model: ln {shape["vocabulary"]} = {math.log(shape["vocabulary"]):.4f}).

Procedure: encode the whole of `../heldout.txt` with `tokenizer.json`, adding no tokens; cut the identifiers
into windows of {window} without overlap and drop the remainder; widen the F16 weights to float32; in each
window predict every token but the first from those before it in the window; the mean of -ln p over all
{facts["held_out_predicted_tokens"]:,} predictions.

![loss curve](loss.svg)

| step | training | held out |
|---|---|---|
{_table(facts["curve"])}

"Training" is the mean since the row before, while the weights moved. The curve's held-out column is
measured with the float32 weights in training; the loss stated above with the F16 file. Neither chose
anything.

## Digests

| file | SHA-256 |
|---|---|
{files}
"""


def _table(curve: Sequence[Sequence[float | None]]) -> str:
    """Return every other row, and always the first and the last."""
    last = len(curve) - 1
    rows = [row for index, row in enumerate(curve) if index % 2 == 0 or index == last]
    return "\n".join(
        "| " + " | ".join("" if cell is None else f"{cell:g}" for cell in row) + " |" for row in rows
    )


def _number(loss: float) -> float | None:
    return round(loss, 4) if math.isfinite(loss) else None
