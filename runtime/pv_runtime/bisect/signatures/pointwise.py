"""Guesses at stages that work value by value: bias, activation, gating, residual."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from pv_runtime.bisect.case import Attempt, Case

__all__ = ["activation", "bias", "gating", "residual"]


def bias(case: Case) -> Iterator[Attempt]:
    """Left out, doubled, subtracted, another one's, or a constant that is measured."""
    x, own = case.inputs["x"], case.weight
    if own is not None:
        yield Attempt("missing bias", "leaving the bias out", x)
        yield Attempt("doubled bias", "adding the bias twice", x + 2 * own)
        yield Attempt("bias of the wrong sign", "subtracting the bias", x - own)
        for what, other in case.siblings():
            yield Attempt("wrong tensor", f"adding the bias of {what}", x + other)
        half = len(own) // max(1, len(own) // case.architecture.head_dim) // 2
        pairs = own.view(-1, 2, half).transpose(1, 2).reshape(-1)
        yield Attempt("permuted rows", "reordering the bias from halves to pairs", x + pairs)
        pairs = own.view(-1, half, 2).transpose(1, 2).reshape(-1)
        yield Attempt("permuted rows", "reordering the bias from pairs to halves", x + pairs)
    if len(x) > 1:
        constant = (case.candidate - x).double().mean(0).float()
        name = "unexpected bias" if own is None else "other bias"
        yield Attempt(name, "adding a constant vector that is the same at every token", x + constant)


def activation(case: Case) -> Iterator[Attempt]:
    """On the other operand, or another function."""
    gate, up = case.inputs["x"], case.inputs.get("up")
    if up is not None:
        yield Attempt("activation on the wrong operand", "taking silu of ffn_up", functional.silu(up))
    yield Attempt("other activation", "taking gelu", functional.gelu(gate))
    yield Attempt("other activation", "taking gelu by tanh", functional.gelu(gate, approximate="tanh"))
    yield Attempt("other activation", "taking relu", functional.relu(gate))
    yield Attempt("other activation", "taking the sigmoid", gate.sigmoid())
    yield Attempt("other activation", "taking x · sigmoid(1.702 x)", gate * (1.702 * gate).sigmoid())
    yield Attempt("activation left out", "passing the gate through", gate)
    if up is not None:
        yield Attempt("activation left out", "passing ffn_up through", up)


def gating(case: Case) -> Iterator[Attempt]:
    """Multiply the wrong two, or do not multiply."""
    silu, up, gate = case.inputs["x"], case.inputs["up"], case.inputs.get("gate")
    if gate is not None:
        yield Attempt(
            "activation on the wrong operand",
            "multiplying silu(ffn_up) and ffn_gate",
            functional.silu(up) * gate,
        )
        yield Attempt("activation left out", "multiplying ffn_gate and ffn_up", gate * up)
        yield Attempt("wrong operand", "multiplying ffn_silu and ffn_gate", silu * gate)
    yield Attempt("operand dropped", "leaving ffn_up out", silu)
    yield Attempt("operand dropped", "leaving ffn_silu out", up)
    yield Attempt("sum for product", "adding ffn_silu and ffn_up", silu + up)
    yield Attempt("activation twice", "taking silu again", functional.silu(silu) * up)


def residual(case: Case) -> Iterator[Attempt]:
    """One of the two left out, taken from elsewhere, or weighted."""
    x, branch = case.inputs["x"], case.inputs["branch"]
    yield Attempt("residual dropped", "leaving the stream out", branch)
    yield Attempt("branch dropped", "leaving the branch out", x)
    elsewhere = {"normed": "the normalised stream", "block_input": "the block's input"}
    for role, what in elsewhere.items():
        if role in case.inputs:
            other = case.inputs[role]
            yield Attempt("residual from elsewhere", f"adding the branch to {what}", other + branch)
    x64, b64, c64 = (each.double().flatten() for each in (x, branch, case.candidate))
    # Least squares of candidate = a·x + b·branch.
    system = torch.stack([torch.stack([x64 @ x64, x64 @ b64]), torch.stack([x64 @ b64, b64 @ b64])])
    if float(torch.linalg.det(system)) > 0:
        a, b = torch.linalg.solve(system, torch.stack([x64 @ c64, b64 @ c64])).tolist()
        yield Attempt(
            "residual weighted", f"adding {a:.6g} of the stream and {b:.6g} of the branch", a * x + b * branch
        )
