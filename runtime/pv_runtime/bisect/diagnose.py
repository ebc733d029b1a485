"""Find what explains a wrong stage: the first guess that reproduces what the candidate computed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from pv_runtime.bisect.budgets import OF_A_VALUE, excess
from pv_runtime.bisect.case import Attempt, Case, relative
from pv_runtime.bisect.signatures import Guess, attempts

__all__ = ["Explanation", "explain"]

_NEAR = 0.05
"""A guess that leaves this share of the error is worth a word, though it does not settle the matter."""
_LARGEST_HALF = 65504.0


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """What a wrong stage looks like.

    Parameters
    ----------
    signature
        In a few words.
    experiment
        What was tried on the reference.
    settled
        Whether that reproduces the candidate's values within rounding.
    before, after
        |candidate - reference| / |candidate| without and with the experiment.
    guess
        Whose guess it was; the same one is tried first where the same stage is wrong again.
    """

    signature: str
    experiment: str
    settled: bool
    before: float
    after: float
    guess: Guess | None = None

    @property
    def sentence(self) -> str:
        """The experiment and what came of it, for people."""
        if math.isnan(self.before):  # there was nothing to restore
            return self.experiment
        if not self.settled and self.after == self.before:
            return self.experiment
        if not self.settled:
            return f"{self.experiment} takes the difference from {self.before:.2g} to {self.after:.2g}"
        return f"{self.experiment} restores agreement to {self.after:.1e}"


def explain(case: Case, first: Guess | None = None) -> Explanation | None:
    """Return the first guess that reproduces the candidate's values, or the nearest one."""
    if not bool(torch.isfinite(case.candidate).all()):
        return _reproduced(case) or _not_finite(case)
    before = relative(case.candidate - case.reference, case.candidate)
    best: Explanation | None = None
    for guess, attempt in attempts(case, first):
        for predicted, where in _variants(case, attempt):
            after = relative(case.candidate - predicted, case.candidate)
            # Rounding grows with the values where an experiment makes them larger.
            growth = max(1.0, float(predicted.norm() / case.reference.norm().clamp(min=1e-30)))
            settled = excess(case.candidate - predicted, case.sigma * growth) <= 1
            words = attempt.experiment + where
            found = Explanation(attempt.signature, words, settled, before, after, guess)
            if settled:
                return found
            if after < _NEAR * before and (best is None or after < best.after):
                best = found
    return best or _unlike(case, before)


def _reproduced(case: Case) -> Explanation | None:
    """Look for a guess that is not finite in the same places, and agrees in all others."""
    finite = torch.isfinite(case.candidate)
    for guess, attempt in attempts(dataclasses.replace(case, other=None)):
        predicted = attempt.predicted
        if predicted.shape != finite.shape or not torch.equal(torch.isfinite(predicted), finite):
            continue
        candidate, same = (torch.where(finite, each, 0) for each in (case.candidate, predicted))
        growth = max(1.0, float(same.norm() / case.reference.norm().clamp(min=1e-30)))
        if excess(candidate - same, case.sigma * growth) <= 1:
            after = relative(candidate - same, candidate)
            return Explanation(attempt.signature, attempt.experiment, True, math.inf, after, guess)
    return None


def _variants(case: Case, attempt: Attempt) -> Iterator[tuple[Tensor, str]]:
    """Yield the guess for all values; then for the wrong ones alone, if they are a part one can name."""
    predicted = attempt.predicted
    if predicted.shape != case.reference.shape or not bool(torch.isfinite(predicted).all()):
        return
    yield predicted, ""
    wrong = (case.candidate - case.reference).abs() > OF_A_VALUE * case.sigma
    tokens = wrong.any(1)
    if len(case.passes) > 1:
        later = torch.arange(len(tokens)) >= case.passes[0][1]
        if bool(tokens[later].any()) and not bool(tokens[~later].any()):
            yield torch.where(later[:, None], predicted, case.reference), ", where the cache is used,"
    heads = _heads(case, wrong.any(0))
    if heads:
        size = case.architecture.head_dim
        mask = torch.zeros(case.reference.shape[1], dtype=torch.bool)
        for head in heads:
            mask[head * size : (head + 1) * size] = True
        named = ", ".join(map(str, heads))
        yield (
            torch.where(mask, predicted, case.reference),
            f" in {'head' if len(heads) == 1 else 'heads'} {named} alone",
        )


def _heads(case: Case, wrong: Tensor) -> list[int]:
    """Return the heads that hold all wrong features, if there are other heads."""
    by_head = case.stage in {"q_post_rope", "k_post_rope", "attention", "qkv_matmul", "qkv_bias"}
    size = case.architecture.head_dim
    if not by_head or len(wrong) % size:
        return []
    found: list[int] = wrong.view(-1, size).any(1).nonzero().flatten().tolist()
    return found if len(found) < len(wrong) // size else []


def _not_finite(case: Case) -> Explanation:
    """NaN or infinity: in which tokens and features, and whether float16's range explains it."""
    broken = ~torch.isfinite(case.candidate)
    tokens, features = broken.any(1).nonzero().flatten().tolist(), broken.any(0).nonzero().flatten().tolist()
    place = f"in {int(broken.sum())} values: {_listed('token', tokens)}, {_listed('feature', features)}"
    large = case.reference.abs()[broken]
    infinite = bool(torch.isinf(case.candidate[broken]).any())
    if bool((large > _LARGEST_HALF).any()) or infinite:
        most = float(case.reference.abs().max())
        return Explanation(
            "overflow",
            f"not finite {place}; the reference reaches {most:.6g}, and float16 ends at {_LARGEST_HALF:g}",
            bool((large > _LARGEST_HALF).all()),
            float("nan"),
            float("nan"),
        )
    reason = ""
    if case.other is not None and not bool(torch.isfinite(case.other).all()):
        first = (~torch.isfinite(case.other)).nonzero()[0].tolist()
        count = int((~torch.isfinite(case.other)).sum())
        reason = f"; the candidate's weight has {count} values that are not finite, the first at {first}"
    elif len(features) == 1 and len(tokens) == len(case.candidate) and case.weight is not None:
        reason = f"; all tokens and one feature: look at row {features[0]} of the weight"
    return Explanation("NaN", f"NaN {place}{reason}", bool(reason), float("nan"), float("nan"))


def _listed(what: str, places: list[int]) -> str:
    more = f" and {len(places) - 4} more" if len(places) > 4 else ""
    return f"{what}{'s' if len(places) > 1 else ''} {', '.join(map(str, places[:4]))}{more}"


def _unlike(case: Case, before: float) -> Explanation | None:
    """Values that have nothing in common with the reference's, and that no guess reproduced."""
    r, c = case.reference.double().flatten(), case.candidate.double().flatten()
    cosine = float(r @ c / (r.norm() * c.norm()).clamp(min=1e-300))
    constant = len(case.candidate) > 1 and bool((case.candidate[1:] == case.candidate[:1]).all())
    if constant:
        return Explanation("constant", "every token has the same values", False, before, before)
    usual = 1 / math.sqrt(case.reference.shape[1])
    if abs(cosine) < 0.1:
        return Explanation(
            "random weight" if case.weight is not None else "unrelated values",
            f"no known tensor or layout makes these values; their cosine to the reference's is {cosine:.4f}, "
            f"and that of unrelated ones about {usual:.2g}",
            False,
            before,
            before,
        )
    return None
