"""Judge every stage: within its budget, accounted for by how weights are stored, or wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.bisect.budgets import excess
from pv_runtime.bisect.case import Case
from pv_runtime.bisect.diagnose import Explanation, explain
from pv_runtime.bisect.figures import Figures, measure
from pv_runtime.bisect.inputs import Inputs, parts
from pv_runtime.bisect.mathematics import evaluate
from pv_runtime.bisect.recording import Recording
from pv_runtime.bisect.signatures import Guess
from pv_runtime.bisect.storage import judge_storage
from pv_runtime.bisect.weights_at_hand import WeightsAtHand

__all__ = ["KNOWN_ROUNDINGS", "Judge", "StageResult"]

KNOWN_ROUNDINGS: dict[str, frozenset[str]] = {
    "llama.cpp": frozenset({"rounded to float16", "activations in 8 bits"}),
}
"""Signatures that are how a back-end computes: accounted for where the experiment settles them."""

_LOOKED_INTO = 3
"""Layers of one stage whose error is looked into from the start; in more, what was found is tried again."""


@dataclasses.dataclass(frozen=True, slots=True)
class StageResult:
    """One stage of one block.

    Parameters
    ----------
    stage, layer
        Which one; the layer is None for stages of the whole model.
    part
        ``"q"``, ``"k"`` or ``"v"`` where one of the three is wrong.
    figures
        The candidate's own error; None where the candidate never reached the stage.
    excess
        That error, in multiples of the budget: 1 is the most that rounding explains.
    culprit
        Whether it exceeds its budget.
    storage
        How the candidate's weight is stored otherwise, where it is, and that explains the error.
    explanation
        What it looks like, where it was looked into.
    """

    stage: str
    layer: int | None
    part: str
    figures: Figures | None
    excess: float
    culprit: bool
    storage: str = ""
    explanation: Explanation | None = None


class Judge:
    """Holds what both sides computed against each other.

    Parameters
    ----------
    values, own
        The reference's stages, and the candidate's.
    inputs
        What they were computed from.
    tokens, passes, architecture, weights
        Of `bisect`.
    """

    weights_are_candidates = False
    """Whether the only weights known are the candidate's, because the reference is a saved trace."""
    known_roundings: frozenset[str] = frozenset()
    """Signatures that are no error of this candidate."""
    roundings_of_the_reference: frozenset[str] = frozenset()
    """Signatures that this reference has, and a candidate need not have."""

    def __init__(
        self,
        values: Recording,
        own: Recording,
        inputs: Inputs,
        tokens: Tensor,
        passes: Sequence[tuple[int, int]],
        architecture: Architecture,
        weights: WeightsAtHand,
    ) -> None:
        self._values, self._own, self._inputs, self._weights = values, own, inputs, weights
        self._tokens, self._passes, self._architecture = tokens, tuple(passes), architecture
        self._found: dict[tuple[str, str], Guess] = {}
        self._looked: dict[tuple[str, str], int] = {}

    def results(self) -> list[StageResult]:
        """Judge every stage that both sides show, in the order of computation."""
        shown = {stage for stage, _ in self._own}
        found: list[StageResult] = []
        for stage, layer in self._values:
            if stage not in shown:
                continue
            if (stage, layer) in self._own:
                found += self._judged(self._case(stage, layer))
            else:
                found.append(StageResult(stage, layer, "", None, math.inf, culprit=True))
        return _merged(found)

    def _case(self, stage: str, layer: int | None) -> Case:
        weights, given = self._weights, self._inputs.of(stage, layer)
        weight = weights.reference(stage, layer)
        if self._inputs.replaced(stage, layer):
            reference = self._values.values(stage, layer)
        else:  # the candidate went on with values of its own
            reference = evaluate(stage, given, weight, self._architecture)
        return Case(
            stage=stage,
            layer=layer,
            architecture=self._architecture,
            inputs=given,
            reference=reference,
            candidate=self._own.values(stage, layer),
            sigma=self._inputs.sigma(stage, layer, reference),
            weight=weight,
            other=weights.candidate(stage, layer),
            positions=torch.arange(len(self._tokens)),
            passes=self._passes,
            siblings=lambda: weights.siblings(stage, layer),
            readings=lambda: weights.readings(stage, layer),
        )

    def _judged(self, case: Case) -> Iterator[StageResult]:
        """Judge one stage, or where only some of q, k and v are wrong, each of those."""
        beyond = excess(case.candidate - case.reference, case.sigma)
        if beyond <= 1:
            yield _result(case, beyond)
            return
        each = [case]
        if case.stage in {"qkv_matmul", "qkv_bias"}:
            each = [self._only(case, name, where) for name, where in parts(self._architecture).items()]
        judged = [self._judged_part(part) for part in each]
        wrong = [found for found in judged if found.culprit]
        yield from wrong
        if not wrong:
            worst = max(judged, key=lambda found: (bool(found.storage), found.excess))
            figures = measure(case.reference, case.candidate)
            yield dataclasses.replace(worst, part="", figures=figures)

    def _only(self, case: Case, name: str, where: slice) -> Case:
        """Return the case of one of q, k and v."""
        weights, inputs = self._weights, dict(case.inputs)
        if case.stage == "qkv_bias":
            inputs["x"] = inputs["x"][:, where]
        return dataclasses.replace(
            case,
            part=name,
            inputs=inputs,
            reference=case.reference[:, where],
            candidate=case.candidate[:, where],
            sigma=case.sigma[:, where],
            weight=None if case.weight is None else case.weight[where],
            other=None if case.other is None else case.other[where],
            siblings=lambda: weights.siblings(case.stage, case.layer, name),
            readings=lambda: weights.readings(case.stage, case.layer, name),
        )

    def _judged_part(self, case: Case) -> StageResult:
        beyond = excess(case.candidate - case.reference, case.sigma)
        if beyond <= 1:
            return _result(case, beyond)
        if case.weight is None or case.other is None or torch.equal(case.weight, case.other):
            return self._culprit(case, beyond)
        dtypes = self._weights.dtypes(case.stage, case.layer, case.part)
        stored = judge_storage(case.weight, case.other, *dtypes)
        if not stored.accepted:
            return self._culprit(case, beyond)
        # The weights are the same but for how they are stored: what remains is the computation's.
        expected = evaluate(case.stage, case.inputs, case.other, self._architecture)
        left = excess(case.candidate - expected, case.sigma)
        if left <= 1:
            return _result(case, left, storage=stored.words)
        same = dataclasses.replace(case, reference=expected, weight=case.other, other=None)
        return self._culprit(same, left, stored.words)

    def _culprit(self, case: Case, beyond: float, storage: str = "") -> StageResult:
        if self.roundings_of_the_reference:
            turned = dataclasses.replace(case, reference=case.candidate, candidate=case.reference)
            found = self._looked_into(turned)
            if found is not None and found.settled and found.signature in self.roundings_of_the_reference:
                return _result(case, 0.0, storage=f"{found.signature} by the reference: {found.experiment}")
        explanation = self._looked_into(case)
        if explanation is not None and explanation.settled and explanation.signature in self.known_roundings:
            words = f"{explanation.signature}: {explanation.experiment}"
            return _result(case, 0.0, storage=f"{storage}; {words}" if storage else words)
        return dataclasses.replace(
            _result(case, beyond, storage=storage), culprit=True, explanation=explanation
        )

    def _looked_into(self, case: Case) -> Explanation | None:
        key = (case.stage, case.part)
        first = self._found.get(key)
        if first is None and self._looked.get(key, 0) >= _LOOKED_INTO:
            return None
        self._looked[key] = self._looked.get(key, 0) + 1
        found = self._explained(case, first)
        if found is not None and found.settled and found.guess is not None:
            self._found[key] = found.guess
        return found

    def _explained(self, case: Case, first: Guess | None) -> Explanation | None:
        if not self.weights_are_candidates:
            return explain(case, first)
        # What the candidate should make of its own weights; then it is they that differ from the trace's.
        expected = evaluate(case.stage, case.inputs, case.weight, self._architecture)
        if excess(case.candidate - expected, case.sigma) > 1:
            return explain(dataclasses.replace(case, reference=expected), first)
        turned = dataclasses.replace(case, reference=case.candidate, candidate=case.reference)
        found = explain(turned, first)
        if found is None:
            return None
        return dataclasses.replace(found, experiment=f"on the candidate's side, {found.experiment}")


def _merged(results: list[StageResult]) -> list[StageResult]:
    """Say of a block none of whose stages was reached that it was skipped, at its first stage."""
    missing = [each.layer for each in results if each.figures is None]
    seen: set[int | None] = set()
    out = []
    for each in results:
        if each.figures is not None:
            out.append(each)
            continue
        whole = each.layer is not None and missing.count(each.layer) == sum(
            other.layer == each.layer for other in results
        )
        if whole and each.layer in seen:
            continue
        seen.add(each.layer)
        words = (
            "the candidate goes from the block before to the one behind it"
            if whole
            else "the candidate computes this stage in other layers, and not here"
        )
        signature = "layer skipped" if whole else "never computed"
        explanation = Explanation(signature, words, settled=True, before=math.nan, after=math.nan)
        out.append(dataclasses.replace(each, explanation=explanation))
    return out


def _result(case: Case, beyond: float, storage: str = "") -> StageResult:
    figures: Figures = measure(case.reference, case.candidate)
    return StageResult(case.stage, case.layer, case.part, figures, beyond, culprit=False, storage=storage)
