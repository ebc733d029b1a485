"""Guesses at a product with a weight: another layout, another tensor, damaged rows or blocks, rounding."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from pv_runtime.bisect.case import Attempt, Case
from pv_runtime.bisect.mathematics import evaluate

__all__ = [
    "another_tensor", "damaged", "embedding", "head", "misread", "permuted", "replaced", "rounded",
    "transposed",
]  # fmt: skip

_BLOCKS = (256, 32)
_FEW_ROWS = 16


def transposed(case: Case) -> Iterator[Attempt]:
    """Yield the product with the weight's bytes read in the other order."""
    weight = _weight(case)
    rows, columns = weight.shape
    words = (
        "transposing this weight"
        if rows == columns
        else f"reading this weight as [{columns}, {rows}], transposed"
    )
    yield Attempt("transposed", words, functional.linear(case.inputs["x"], weight.reshape(columns, rows).T))


def another_tensor(case: Case) -> Iterator[Attempt]:
    """Yield products with other weights of the same shape."""
    for what, other in case.siblings():
        predicted = functional.linear(case.inputs["x"], other)
        yield Attempt("wrong tensor", f"taking {what} for this weight", predicted)


def misread(case: Case) -> Iterator[Attempt]:
    """Yield products with the stored blocks, decoded as another format's."""
    for what, other in case.readings():
        yield Attempt("read as another format", what, functional.linear(case.inputs["x"], other))


def _weight(case: Case) -> Tensor:
    assert case.weight is not None  # noqa: S101 - projections have weights
    return case.weight


def permuted(case: Case) -> Iterator[Attempt]:
    """Rows of each head from halves to neighbouring pairs, and back; inputs by head and by feature."""
    x, weight, size = case.inputs["x"], _weight(case), case.architecture.head_dim
    if case.stage == "qkv_matmul" and weight.shape[0] % size == 0:
        for shape, words in (((2, size // 2), "halves to pairs"), ((size // 2, 2), "pairs to halves")):
            turned = weight.view(-1, *shape, weight.shape[1]).transpose(1, 2).reshape(weight.shape)
            yield Attempt(
                "permuted rows", f"reordering each head's rows from {words}", functional.linear(x, turned)
            )
    if case.stage == "attn_out":
        heads = case.architecture.heads
        for shape, words in (((heads, size), "head by head"), ((size, heads), "feature by feature")):
            turned = x.view(len(x), *shape).transpose(1, 2).reshape(x.shape)
            yield Attempt(
                "permuted inputs",
                f"reordering the inputs, which come {words}, the other way",
                functional.linear(turned, weight),
            )


def damaged(case: Case) -> Iterator[Attempt]:
    """Scale one block of each row that is wrong; the block and the factor are found by least squares.

    Where one block of W in one row is multiplied by 1 + a, the error of that output is a · x_B · W_B: one
    unknown for each block, and as many equations as there are tokens.
    """
    x, weight, difference = case.inputs["x"], _weight(case), case.candidate - case.reference
    wrong = ((difference.abs() / case.sigma).amax(0) > 8).nonzero().flatten().tolist()
    if not 0 < len(wrong) <= _FEW_ROWS or len(x) < 2:
        return
    for size in _BLOCKS:
        if weight.shape[1] % size:
            continue
        predicted, said = case.reference.clone(), []
        for row in wrong:
            parts = (x * weight[row]).view(len(x), -1, size).sum(2)  # x_B · W_B of each block
            error = difference[:, row]
            factors = (parts * error[:, None]).sum(0) / parts.square().sum(0).clamp(min=1e-30)
            left = (error[:, None] - factors * parts).square().sum(0)
            block = int(left.argmin())
            predicted[:, row] += factors[block] * parts[:, block]
            said.append(
                f"row {row}, columns {block * size}-{(block + 1) * size - 1} by "
                f"{1 + float(factors[block]):.6g}"
            )
        more = f" and {len(said) - 3} more" if len(said) > 3 else ""
        yield Attempt(
            "wrong block", f"multiplying the block of {size} in {'; '.join(said[:3])}{more}", predicted
        )
    if case.other is None and len(wrong) < case.reference.shape[1] / 4:
        predicted = case.reference.clone()
        predicted[:, wrong] = case.candidate[:, wrong]
        listed = ", ".join(map(str, wrong[:4])) + (" …" if len(wrong) > 4 else "")
        yield Attempt("wrong rows", f"replacing the output of row {listed} alone", predicted)


def rounded(case: Case) -> Iterator[Attempt]:
    """Yield products of rounded inputs and weights, as units for half precision and integers make them."""
    x, weight = case.inputs["x"], _weight(case)
    for dtype in (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        low_x, low_weight = x.to(dtype).float(), weight.to(dtype).float()
        yield Attempt(f"rounded to {name}", f"rounding the input to {name}", functional.linear(low_x, weight))
        yield Attempt(
            f"rounded to {name}", f"rounding the weight to {name}", functional.linear(x, low_weight)
        )
        yield Attempt(
            f"rounded to {name}", f"rounding input and weight to {name}", functional.linear(low_x, low_weight)
        )
    if x.shape[1] % 32 == 0:
        for size in (32, 256):
            if x.shape[1] % size == 0:
                yield Attempt(
                    "activations in 8 bits",
                    f"rounding the input to 8 bits in blocks of {size}",
                    functional.linear(_eight_bits(x, size), weight),
                )


def _eight_bits(x: Tensor, size: int) -> Tensor:
    """Round to ggml's Q8_0, whose step is kept as float16, or to its Q8_K, whose step is signed."""
    blocks = x.view(len(x), -1, size)
    if size == 32:
        step = blocks.abs().amax(-1, keepdim=True) / 127
        codes = (blocks / step.clamp(min=1e-30)).round()
        return (codes * step.half().float()).view(x.shape)
    largest = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
    inverse = -127 / torch.where(largest == 0, 1.0, largest)
    codes = (blocks * inverse).round().clamp(max=127)
    return (codes / inverse).view(x.shape)


def replaced(case: Case) -> Iterator[Attempt]:
    """Compute with the candidate's own weight where it is known, and say how that differs."""
    weight, other = case.weight, case.other
    if weight is None or other is None or torch.equal(weight, other):
        return
    signature, words = _difference(weight, other)
    given = {**case.inputs}
    predicted = evaluate(case.stage, given, other, case.architecture)
    yield Attempt(signature, f"taking the candidate's weight, {words}", predicted)


def _difference(weight: Tensor, other: Tensor) -> tuple[str, str]:
    for size in _BLOCKS if weight.ndim == 2 else ():
        if weight.shape[1] % size:
            continue
        blocks = (weight != other).view(-1, size).any(1)
        count = int(blocks.sum())
        if count and count <= max(8, len(blocks) // 100):
            places = blocks.nonzero().flatten().tolist()
            row, column = divmod(places[0] * size, weight.shape[1])
            more = f" and {count - 1} others" if count > 1 else ""
            return (
                "wrong block",
                f"of which block {places[0]} (row {row}, columns {column}-{column + size - 1}){more} differs",
            )
    flat, others = weight.flatten().double(), other.flatten().double()
    cosine = float(flat @ others / (flat.norm() * others.norm()).clamp(min=1e-300))
    if abs(cosine) < 0.05:
        return "random weight", f"which has nothing in common with the reference's (cosine {cosine:.4f})"
    return "other weight", f"whose cosine to the reference's is {cosine:.6f}"


def head(case: Case) -> Iterator[Attempt]:
    """Yield guesses that only logits can be: those of another token, softcapped."""
    r, c = case.reference, case.candidate
    for step in (1, -1):
        yield Attempt(
            "values of another token",
            f"taking the logits of the token {'before' if step > 0 else 'after'}",
            torch.roll(r, step, 0),
        )
    for index, words in ((-1, "last"), (0, "first")):
        yield Attempt(
            "values of another token",
            f"taking the {words} token's logits everywhere",
            r[index].expand(r.shape),
        )
    limit = float(c.abs().max())
    for cap in (30.0, 50.0, limit * 1.001):
        yield Attempt("softcapped logits", f"capping logits at {cap:g} by tanh", cap * torch.tanh(r / cap))


def embedding(case: Case) -> Iterator[Attempt]:
    """Yield guesses at a lookup: scaled, another row, the table read in the other order."""
    tokens, table = case.inputs["tokens"], case.weight
    assert table is not None  # noqa: S101 - the embedding is a weight
    root = table.shape[1] ** 0.5
    yield Attempt("scaled", "multiplying by the root of the hidden size", case.reference * root)
    for step in (1, -1):
        moved = (tokens + step).clamp(0, len(table) - 1)
        yield Attempt("wrong rows", f"looking up token id {step:+d}", functional.embedding(moved, table))
    turned = table.reshape(table.shape[1], table.shape[0]).T
    yield Attempt("transposed", "reading the table transposed", functional.embedding(tokens, turned))
    for what, other in case.readings():
        yield Attempt("read as another format", what, functional.embedding(tokens, other))
    for what, other in case.siblings():
        yield Attempt("wrong tensor", f"looking up in {what}", functional.embedding(tokens, other))
