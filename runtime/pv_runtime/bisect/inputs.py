"""What each stage was computed from, where some stages are not shown, or cannot be replaced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.bisect.budgets import sigma
from pv_runtime.bisect.mathematics import ROLES, evaluate
from pv_runtime.bisect.recording import Key, Recording
from pv_runtime.stages import LAYER_STAGES

__all__ = ["Inputs", "parts"]

_UNCERTAIN = 10.0
"""How much attention may amplify the relative rounding of what goes in."""


def parts(a: Architecture) -> dict[str, slice]:
    """Return which features of `qkv_matmul` and `qkv_bias` are q, k and v."""
    ends = np.cumsum([a.query_size, a.kv_size, a.kv_size]).tolist()
    return {name: slice(start, end) for name, start, end in zip("qkv", [0, *ends], ends, strict=False)}


class Inputs:
    """Finds the inputs of stages.

    A stage that the computing side shows and takes was replaced by the recorded value. One that it shows and
    does not take went on with the computing side's own value. One that either side does not show is computed
    here, and its rounding is added to that of the stage behind it.

    Parameters
    ----------
    recorded, own
        What one side recorded, and what the other made of it.
    takes
        Stages that the computing side takes.
    weight
        The reference's weight of a stage.
    unit
        Unit roundoff of the computation.
    """

    def __init__(
        self,
        recorded: Recording,
        own: Recording,
        takes: frozenset[str],
        tokens: Tensor,
        architecture: Architecture,
        weight: Callable[[str, int | None], Tensor | None],
        unit: float,
    ) -> None:
        self._recorded, self._own, self._takes = recorded, own, takes
        self._tokens, self._architecture, self._weight, self._unit = tokens, architecture, weight, unit

    def of(self, stage: str, layer: int | None) -> dict[str, Tensor]:
        """Return a stage's inputs by role, as `mathematics.ROLES` names them."""
        if stage == "embedding":
            return {"tokens": self._tokens}
        found = {}
        for role, source in ROLES[stage].items():
            name, _, part = source.partition(".")
            whole = self._value(self._key(name, layer))
            found[role] = whole[:, parts(self._architecture)[part]] if part else whole
        return found

    def replaced(self, stage: str, layer: int | None) -> bool:
        """Whether a stage was computed from the recorded values, directly or through stages not shown."""
        if stage == "embedding":
            return True
        keys = [self._key(source.partition(".")[0], layer) for source in ROLES[stage].values()]
        return all(self._went_in(key) for key in keys)

    def _went_in(self, key: Key) -> bool:
        if key in self._recorded and key[0] in self._takes:
            return True
        return not (key in self._recorded and key in self._own) and self.replaced(*key)

    def _shown(self, key: Key) -> bool:
        """Whether a value was recorded and replaced, or at least seen going on."""
        return key in self._recorded and (key[0] in self._takes or key in self._own)

    def _value(self, key: Key) -> Tensor:
        if key in self._recorded and key[0] in self._takes:
            return self._recorded.values(*key)
        if key in self._recorded and key in self._own:
            return self._own.values(*key)
        return evaluate(key[0], self.of(*key), self._weight(*key), self._architecture)

    def _key(self, name: str, layer: int | None) -> Key:
        if name in LAYER_STAGES:
            return name, layer
        if name != "block_input":
            return name, None
        before = self._architecture.layers if layer is None else layer
        return ("embedding", None) if before == 0 else ("layer_output", before - 1)

    def sigma(self, stage: str, layer: int | None, reference: Tensor) -> Tensor:
        """Return `budgets.sigma` of a stage, and of the stages before it that are not shown."""
        given, weight = self.of(stage, layer), self._weight(stage, layer)
        found = sigma(stage, given, weight, reference, self._architecture, self._unit)
        for role, source in ROLES.get(stage, {}).items():
            name, _, part = source.partition(".")
            key = self._key(name, layer)
            if role in {"normed", "gate", "block_input"} or self._shown(key):
                continue
            hidden = self.sigma(*key, self._value(key))
            if part:
                hidden = hidden[:, parts(self._architecture)[part]]
            found = (found.square() + self._passed_on(stage, role, hidden, given, weight, reference)).sqrt()
        return found

    def _passed_on(
        self,
        stage: str,
        role: str,
        hidden: Tensor,
        given: dict[str, Tensor],
        weight: Tensor | None,
        reference: Tensor,
    ) -> Tensor:
        """Return the variance that errors of an input leave in a stage's values."""
        variance = hidden.square()
        if stage in {"qkv_bias", "post_attn_residual", "layer_output", "ffn_silu"}:
            return variance * 1.21  # silu's slope is at most 1.1
        if stage == "ffn_swiglu":
            return variance * given["up" if role == "x" else "x"].square()
        if stage in {"attn_norm", "ffn_norm", "final_norm"} and weight is not None:
            return variance * weight.square() / given["x"].square().mean(-1, keepdim=True).clamp(min=1e-30)
        if stage in {"q_post_rope", "k_post_rope"}:
            half = self._architecture.head_dim // 2
            pairs = variance.view(len(variance), -1, 2, half).sum(2, keepdim=True)
            return pairs.expand(-1, -1, 2, -1).reshape(variance.shape)
        if weight is not None and stage != "embedding":
            return variance @ weight.square().T
        share = variance.sum() / given[role].square().sum().clamp(min=1e-30)
        return (_UNCERTAIN**2 * share * reference.square().mean()).expand_as(reference)
