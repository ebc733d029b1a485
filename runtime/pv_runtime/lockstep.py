"""Two models go through the same tokens, and what each finds likely next is compared.

Distances are those that llama.cpp's users judge quantised models by (``llama-perplexity --kl-divergence``):
the Kullback-Leibler divergence Σ p ln(p / q) of the candidate's distribution q from the reference's p, in
nats, and how often both find the same token most likely.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pv_runtime.errors import ModelError
from pv_runtime.generate import check_prompt
from pv_runtime.model import Decoder

__all__ = ["Fidelity", "Steps", "compare_logits", "fidelity", "lockstep"]

_ROWS = 64
"""Positions whose distributions are compared at a time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Steps:
    """What was found at each position, one element a position.

    Parameters
    ----------
    reference_top, candidate_top
        The most likely tokens.
    cosine
        Of the logits.
    divergence
        Kullback-Leibler, nats.
    """

    reference_top: tuple[int, ...]
    candidate_top: tuple[int, ...]
    cosine: tuple[float, ...]
    divergence: tuple[float, ...]

    def parted(self, least_cosine: float) -> list[int]:
        """Return the steps where the tops differ and the cosine is below `least_cosine`, or NaN."""
        return [
            step
            for step, (ours, theirs) in enumerate(zip(self.reference_top, self.candidate_top, strict=True))
            if ours != theirs and not self.cosine[step] >= least_cosine
        ]

    @property
    def same_top(self) -> float:
        """Share of positions with the same most likely token."""
        pairs = zip(self.reference_top, self.candidate_top, strict=True)
        return sum(ours == theirs for ours, theirs in pairs) / len(self.cosine)


@dataclasses.dataclass(frozen=True, slots=True)
class Fidelity:
    """How near a candidate's distributions are to a reference's over a text.

    Parameters
    ----------
    tokens
        How many were predicted by both.
    mean_divergence, median_divergence, p99_divergence, greatest_divergence
        Kullback-Leibler, nats.
    same_top
        Share of positions with the same most likely token.
    reference_perplexity, candidate_perplexity
        exp of the mean of -ln p of the text's own tokens; infinite beyond float64.
    """

    tokens: int
    mean_divergence: float
    median_divergence: float
    p99_divergence: float
    greatest_divergence: float
    same_top: float
    reference_perplexity: float
    candidate_perplexity: float


def lockstep(reference: Decoder, candidate: Decoder, prompt: Sequence[int], steps: int) -> Steps:
    """Let both go on from `prompt`, each with its cache, and both from the token that the reference takes.

    Raises
    ------
    ModelError
        The vocabularies differ, or the prompt and the steps are more than one of them was made for.
    """
    _require_one_vocabulary(reference, candidate)
    for decoder in (reference, candidate):
        a = decoder.architecture
        check_prompt(prompt, a.max_positions - steps + 1, a.vocab_size)
    caches = [decoder.cache(capacity=len(prompt) + steps) for decoder in (reference, candidate)]
    tokens = torch.tensor([list(prompt)])
    ours, theirs = [], []
    for _ in range(steps):
        ours.append(reference.forward(tokens, cache=caches[0], last=True)[0, -1])
        theirs.append(candidate.forward(tokens, cache=caches[1], last=True)[0, -1])
        tokens = ours[-1].argmax().view(1, 1)
    return compare_logits(torch.stack(ours), torch.stack(theirs))


def compare_logits(reference: Tensor, candidate: Tensor) -> Steps:
    """Compare ``[positions, vocab]`` with the same of the candidate, row by row, in float64."""
    ours, theirs = reference.double(), candidate.double()
    log_p, log_q = ours.log_softmax(-1), theirs.log_softmax(-1)
    # Where p is 0, p ln(p/q) is its limit, 0, and not NaN.
    terms = torch.where(log_p == -math.inf, 0.0, log_p.exp() * (log_p - log_q))
    cosine = torch.nn.functional.cosine_similarity(ours, theirs, dim=-1)
    return Steps(
        reference_top=tuple(ours.argmax(-1).tolist()),
        candidate_top=tuple(theirs.argmax(-1).tolist()),
        cosine=tuple(cosine.tolist()),
        divergence=tuple(terms.sum(-1).tolist()),
    )


def fidelity(reference: Decoder, candidate: Decoder, tokens: Sequence[int], *, window: int = 256) -> Fidelity:
    """Compare what both find likely after each token of a text.

    The text is cut into windows, and each is computed by itself; every position in it counts, which
    llama.cpp does with the second half only.

    Parameters
    ----------
    reference, candidate
        Of the same vocabulary.
    tokens
        The text.
    window
        Positions computed together, less where a model was made for less.

    Raises
    ------
    ModelError
        The vocabularies differ, there are fewer than two tokens, or logits are not finite.
    """
    _require_one_vocabulary(reference, candidate)
    if len(tokens) < 2:
        raise ModelError(f"{len(tokens)} tokens predict nothing")
    size = min(window, *(each.architecture.max_positions for each in (reference, candidate)))
    divergences: list[float] = []
    nats = [0.0, 0.0]
    same = 0.0
    for start in range(0, len(tokens) - 1, size):
        piece = torch.tensor([list(tokens[start : start + size + 1])])
        asked, next_ = piece[:, :size][:, : piece.shape[1] - 1], piece[0, 1:]
        logits = [each.forward(asked)[0] for each in (reference, candidate)]
        for first in range(0, len(next_), _ROWS):
            part = slice(first, first + _ROWS)
            found = compare_logits(logits[0][part], logits[1][part])
            divergences += found.divergence
            same += found.same_top * len(found.cosine)
            for side, values in enumerate(logits):
                likely = values[part].double().log_softmax(-1)
                nats[side] -= float(likely.gather(-1, next_[part, None]).sum())
    if not all(map(math.isfinite, (*divergences, *nats))):
        raise ModelError("a divergence is NaN or infinite, since logits are; apr trace shows where")
    count, ordered = len(divergences), sorted(divergences)
    return Fidelity(
        tokens=count,
        mean_divergence=math.fsum(divergences) / count,
        median_divergence=ordered[(count - 1) // 2],
        p99_divergence=ordered[math.ceil(0.99 * count) - 1],
        greatest_divergence=ordered[-1],
        same_top=same / count,
        reference_perplexity=_exp(nats[0] / count),
        candidate_perplexity=_exp(nats[1] / count),
    )


def _exp(nats: float) -> float:
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf


def _require_one_vocabulary(reference: Decoder, candidate: Decoder) -> None:
    sizes = [each.architecture.vocab_size for each in (reference, candidate)]
    if sizes[0] != sizes[1]:
        raise ModelError(f"the reference has logits of {sizes[0]} tokens, and the model of {sizes[1]}")
