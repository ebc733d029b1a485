"""The last product of a model, in float32: the head is [vocabulary, hidden], and read as that.

A kernel that took [out, in] for [in, out] computed y = A^T x in the head alone. All before it was right, the
cosine of the logits was -0.005, and attention was looked at for months.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.checks.traces import draw_tokens
from pv_runtime.compare import cosine
from pv_runtime.defects.loading import AlteredWeights
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.triton_matrix import PlainMatrix, StackedMatrix
from pv_runtime.weights import load_weights

__all__ = ["head_product"]


@check(
    metrics=[
        Metric("expected_products", unit="1", kind="count"),
        Metric("cosine", unit="1", low=-1.0, high=1.0, slack=1e-12),
        Metric("worst_error", unit="1", low=0.0),
        Metric("same_top", unit="1", kind="count"),
    ]
)
def head_product(run: Run, *, model: Checkpoint, tokens: int) -> None:
    """Compute the logits of random tokens in two ways, and hold them against the file's matrix in float64.

    The ways are the reference decoder as a whole, and the product that our decoder of kernels takes for a
    matrix without blocks. What is multiplied is the last norm's output, ``[tokens, hidden]``. Of each way and
    token: `cosine` to the float64 product, `worst_error`, the greatest error of a logit over the root mean
    square of them all, and `same_top`, 1 where the likeliest successor is the same.
    """
    weights = load_weights(model)
    name = "model.embed_tokens.weight" if weights.architecture.tied else "lm_head.weight"
    matrix = run.undamaged("model").tensor(name).astype(np.float64)
    head: Tensor = run.role("head", weights.head)
    decoder = Decoder(AlteredWeights(weights, head=lambda _: head))  # type: ignore[arg-type]
    kept: dict[str, Tensor] = {}

    def tap(stage: str, _: int | None, values: Tensor) -> Tensor:
        if stage == "final_norm":
            kept[stage] = values[0]
        return values

    ids = draw_tokens(run, weights.architecture.vocab_size, tokens)
    logits = decoder.forward(torch.tensor([ids]), tap=tap)[0]
    hidden = kept["final_norm"]
    ways = {"reference": logits, "kernels": StackedMatrix((PlainMatrix(head),))(hidden)}
    expected = hidden.double().numpy() @ matrix.T
    run.record("expected_products", len(ways) * tokens)
    for way, found in ways.items():
        for place, (row, true) in enumerate(zip(found.double().numpy(), expected, strict=True)):
            label = f"{way}, token {place}"
            run.record("cosine", cosine(row.astype(np.float32), true.astype(np.float32)), label=label)
            scale = float(np.sqrt(np.mean(true**2)))
            run.record("worst_error", float(np.abs(row - true).max()) / scale, label=label)
            run.record("same_top", int(row.argmax() == true.argmax()), label=label)


@head_product.counter_example("read_transposed", of="head")
def read_transposed(head: Tensor) -> Tensor:
    """Take the bytes of [vocabulary, hidden] for those of [hidden, vocabulary]: y = A^T x."""
    return head.reshape(head.shape[1], head.shape[0]).T


@head_product.counter_example("rows_one_off", of="head")
def rows_one_off(head: Tensor) -> Tensor:
    """Give each token its neighbour's row."""
    return head.roll(1, 0)


@head_product.counter_example("one_row_negated", of="head")
def one_row_negated(head: Tensor) -> Tensor:
    """Turn the sign of one row of thousands, which a cosine of all logits does not show."""
    altered = head.clone()
    altered[len(altered) // 2] *= -1
    return altered


@head_product.counter_example("rounded_to_half", of="head")
def rounded_to_half(head: Tensor) -> Tensor:
    """Keep eight bits of each weight, in what is said to be float32."""
    return head.bfloat16().float()
