"""Which token comes next: the most likely one, or one drawn from what is left of the distribution.

What is cut off, in this order, as transformers does it: repetition penalty (Keskar et al. 2019),
temperature, top-k (Fan et al. 2018), top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pv_runtime.errors import ModelError

__all__ = ["Sampler", "Sampling", "distribution"]

_SEEDS = 2**63


@dataclasses.dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is chosen; as it stands, the most likely one always is.

    Parameters
    ----------
    temperature
        Divides the logits; 0 takes the most likely token.
    top_k
        Keep the k most likely tokens, and those as likely as the last of them; 0 keeps all.
    top_p
        Keep the fewest most likely tokens whose probabilities sum to at least p.
    min_p
        Keep tokens at least p times as likely as the most likely one.
    repetition_penalty
        θ: logits of tokens that occurred become l / θ where positive and l · θ where negative.
    seed
        Of the generator.

    Raises
    ------
    ModelError
        A value is out of its range.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = {
            "temperature": 0 <= self.temperature < math.inf,
            "top_k": self.top_k >= 0,
            "top_p": 0 < self.top_p <= 1,
            "min_p": 0 <= self.min_p <= 1,
            "repetition_penalty": 0 < self.repetition_penalty < math.inf,
            "seed": 0 <= self.seed < _SEEDS,
        }
        for name, holds in ranges.items():
            if not holds:
                raise ModelError(f"{name} cannot be {getattr(self, name)}")


class Sampler:
    """Chooses one token after the other; the same seed and logits give the same tokens."""

    def __init__(self, settings: Sampling) -> None:
        self.settings = settings
        self._generator = torch.Generator().manual_seed(settings.seed)

    def choose(self, logits: Tensor, before: Sequence[int] = ()) -> int:
        """Return the id of the next token.

        Parameters
        ----------
        logits
            ``[vocab]``.
        before
            The tokens so far, for the repetition penalty.

        Raises
        ------
        ModelError
            A logit is NaN or infinite: no distribution follows from it.
        """
        if broken := int((~logits.isfinite()).sum()):
            raise ModelError(
                f"{broken} of {logits.numel()} logits are NaN or infinite; apr trace shows the first stage "
                "where such values appear"
            )
        if self.settings.temperature == 0:
            return int(_penalised(logits.float(), self.settings.repetition_penalty, before).argmax())
        cumulative = distribution(logits, self.settings, before).cumsum(0)
        drawn = torch.rand((), generator=self._generator, dtype=torch.float64) * cumulative[-1]
        # Not beyond the last token of some probability, should the product have been rounded up.
        last = int((cumulative < cumulative[-1]).sum())
        return min(int(torch.searchsorted(cumulative, drawn, right=True)), last)


def distribution(logits: Tensor, settings: Sampling, before: Sequence[int] = ()) -> Tensor:
    """Return the probabilities of all tokens, float64 ``[vocab]``, 0 for those cut off.

    Parameters
    ----------
    logits
        ``[vocab]``, finite.
    settings
        Of a temperature above 0.
    before
        The tokens so far.
    """
    penalised = _penalised(logits.double().cpu(), settings.repetition_penalty, before)
    # Against the greatest, so that a temperature near 0 makes the others -inf, and nothing inf - inf.
    scaled = (penalised - penalised.max()) / settings.temperature
    if 0 < settings.top_k < scaled.numel():
        scaled = scaled.masked_fill(scaled < scaled.topk(settings.top_k).values[-1], -math.inf)
    if settings.top_p < 1:
        ascending, order = scaled.sort()
        cut = ascending.softmax(0).cumsum(0) <= 1 - settings.top_p
        cut[-1] = False
        scaled = scaled.masked_fill(cut.scatter(0, order, cut), -math.inf)
    if settings.min_p > 0:
        likely = scaled.softmax(0)
        scaled = scaled.masked_fill(likely < settings.min_p * likely.max(), -math.inf)
    return scaled.softmax(0)


def _penalised(logits: Tensor, penalty: float, before: Sequence[int]) -> Tensor:
    if penalty == 1 or not before:
        return logits
    seen = torch.tensor(sorted(set(before)), device=logits.device)
    values = logits[seen]
    found = logits.scatter(0, seen, torch.where(values < 0, values * penalty, values / penalty))
    if not found.isfinite().all():
        raise ModelError(f"a repetition penalty of {penalty:g} makes logits infinite")
    return found
