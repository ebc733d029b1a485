"""How likely a model finds a text, token by token, in the way of the Language Model Evaluation Harness.

Sums of log p in float64, nats; which tokens are counted, and what each of them is predicted from, is as in
lm-eval 0.4 (``TemplateLM._encode_pair``, ``get_rolling_token_windows`` with a context of one token).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from pv_runtime.errors import ModelError
from pv_runtime.model import Decoder
from pv_runtime.tokenizer import Tokenizer

__all__ = ["encode_pair", "log_likelihood", "rolling", "windows"]


def encode_pair(tokenizer: Tokenizer, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """Return the tokens of both: the context's own, and those of the whole text from as many tokens on.

    Blanks at the end of the context go to the continuation, since tokens have theirs in front. Where a token
    of the whole text would reach over the end of the context, the two are not quite the whole, as in lm-eval.
    """
    stripped = context.rstrip()
    first = tokenizer.encode(stripped)
    return first, tokenizer.encode(context + continuation)[len(first) :]


def log_likelihood(
    decoder: Decoder, context: Sequence[int], continuation: Sequence[int]
) -> tuple[float, bool]:
    """Return the log-likelihood of `continuation` after `context`; and whether greedy decoding would give it.

    A context that is too long loses its beginning.

    Raises
    ------
    ModelError
        There is nothing to go on from, or the continuation has more tokens than the model has positions.
    """
    positions = decoder.architecture.max_positions
    if not context:
        raise ModelError("there is no token that the first one could be predicted from")
    if len(continuation) > positions:
        raise ModelError(
            f"the continuation has {len(continuation)} tokens, and the model was made for {positions}"
        )
    if not continuation:
        return 0.0, True
    tokens = [*context, *continuation][-(positions + 1) :]
    logits = decoder.forward(torch.tensor([tokens[:-1]], device=decoder.weights.device))[0]
    rows = logits[-len(continuation) :].double().log_softmax(-1)
    targets = torch.tensor(list(continuation), device=rows.device)
    each = rows.gather(1, targets[:, None])[:, 0]
    return float(each.sum()), bool((rows.argmax(-1) == targets).all())


def rolling(decoder: Decoder, tokens: Sequence[int], prefix: int) -> float:
    """Return the log-likelihood of all `tokens`, the first predicted from `prefix`; 0 of none."""
    most = decoder.architecture.max_positions
    return sum(log_likelihood(decoder, before, after)[0] for before, after in windows(tokens, prefix, most))


def windows(tokens: Sequence[int], prefix: int, most: int) -> Iterator[tuple[list[int], list[int]]]:
    """Yield (what comes before, what is predicted), each token predicted once, `most` positions at a time.

    The last window is filled up with what comes before it: its tokens have as much context as there is.
    """
    everything = [prefix, *tokens]
    for start in range(0, len(tokens), most):
        end = min(start + most, len(tokens))
        first = 0 if start == 0 else max(0, end - most)
        yield everything[first : start + 1], list(tokens[start:end])
