"""Our runtime as a model of the Language Model Evaluation Harness (``lm-eval``, EleutherAI).

It is imported by whoever uses it, and by nothing here: lm-eval is an extra of its own. One sequence is
computed at a time. lm-eval runs code that models write only where it is told to, in its own process and
without a sandbox; `apr eval` has one.

    from pv_runtime.evaluation.lm_eval_model import RuntimeLM
    lm_eval.simple_evaluate(model=RuntimeLM("models/tiny-qwen2"), tasks=[…])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.model import LM

from pv_runtime.architecture import architecture_of
from pv_runtime.errors import ModelError
from pv_runtime.evaluation.completions import cut
from pv_runtime.evaluation.likelihood import encode_pair, log_likelihood, rolling
from pv_runtime.formats import open_checkpoint
from pv_runtime.generate import Generation
from pv_runtime.quickest import quickest
from pv_runtime.sampling import Sampling
from pv_runtime.stop_tokens import stop_tokens
from pv_runtime.tokenizer import tokenizer_of

__all__ = ["RuntimeLM"]

_NEW_TOKENS = 256
_KNOWN = {"until", "max_gen_toks", "temperature", "do_sample", "top_k", "top_p", "seed"}


class RuntimeLM(LM):  # type: ignore[misc]  # of a package without types
    """A model of any format that `apr` reads.

    Parameters
    ----------
    model
        A file, or a folder that holds one.
    dtype
        Of weights and computation: ``"float32"``, ``"bfloat16"``, ``"float16"``.
    device
        ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    LoadError
        As `open_checkpoint` raises it, or `tokenizer_of`.
    ModelError
        No token begins or ends a text, from which a first token could be predicted.
    """

    def __init__(self, model: str, dtype: str = "float32", device: str = "cpu", **_: Any) -> None:
        super().__init__()
        self._device = torch.device(device)
        folder = Path(model) if Path(model).is_dir() else None
        checkpoint = open_checkpoint(model)
        rows = architecture_of(checkpoint).vocab_size
        self._name = model
        self._tokenizer = tokenizer_of(checkpoint, folder, rows=rows)
        self._stop = stop_tokens(checkpoint, self._tokenizer, folder)
        self._decoder = quickest(checkpoint, dtype=getattr(torch, dtype), device=device, finite=True)
        self.prefix_token_id = self._prefix()

    def _prefix(self) -> int:
        """Return the token before a text: the one that begins texts, or else one that ends them."""
        named = [self._tokenizer.special.get(name) for name in ("bos_token", "eos_token")]
        found = [self._tokenizer.id_of(token) for token in named if token is not None]
        first = next((number for number in [*found, *sorted(self._stop)] if number is not None), None)
        if first is None:
            raise ModelError("no token of this model begins or ends a text: an empty context has none")
        return first

    @property
    def tokenizer_name(self) -> str:
        """What requests are kept by, where they are."""
        return self._name

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Return (log-likelihood of the continuation in nats, whether greedy decoding would give it)."""
        found = []
        for request in requests:
            context, continuation = request.args
            if context:
                before, after = encode_pair(self._tokenizer, context, continuation)
            else:
                before, after = [], self._tokenizer.encode(continuation, begin=False)
            found.append(log_likelihood(self._decoder, before or [self.prefix_token_id], after))
            self.cache_hook.add_partial("loglikelihood", request.args, found[-1])
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Return the log-likelihood of each text in nats, the first token predicted from the prefix."""
        found = []
        for request in requests:
            (text,) = request.args
            tokens = self._tokenizer.encode(text, begin=False)
            found.append(rolling(self._decoder, tokens, self.prefix_token_id))
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, found[-1])
        return found

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Return what follows each context, up to the first of its ``until``.

        Raises
        ------
        ModelError
            A setting is not known here: to pass over it would generate something else than was asked for.
        """
        found = []
        for request in requests:
            context, settings = request.args
            found.append(self._generated(context, settings))
            self.cache_hook.add_partial("generate_until", request.args, found[-1])
        return found

    def _generated(self, context: str, settings: Mapping[str, Any]) -> str:
        if unknown := [name for name in settings if name not in _KNOWN]:
            raise ModelError(
                f"{unknown[0]} is no setting that is known here; known are {', '.join(sorted(_KNOWN))}"
            )
        limit = int(settings.get("max_gen_toks", _NEW_TOKENS))
        until = settings.get("until") or []
        stops = [until] if isinstance(until, str) else [str(each) for each in until]
        positions = self._decoder.architecture.max_positions
        ids = self._tokenizer.encode(context) or [self.prefix_token_id]
        # As lm-eval's own models do it: the beginning of what is too long is left out.
        ids = ids[-max(1, positions - limit) :]
        stream = self._tokenizer.stream(skip_special=True, continues=True)
        text = ""
        for token in Generation(
            self._decoder, ids, limit=limit, stop=self._stop, sampling=_sampling(settings)
        ):
            text += stream.feed(token)
            if (whole := cut(text, stops)) != text:
                return whole
        return cut(text + stream.end(), stops)


def _sampling(settings: Mapping[str, Any]) -> Sampling:
    """Return how tokens are chosen; greedily unless ``do_sample`` or a temperature says otherwise."""
    temperature = float(settings.get("temperature", 0.0))
    if not settings.get("do_sample", temperature > 0):
        return Sampling()
    given = {name: settings[name] for name in ("top_k", "top_p", "seed") if name in settings}
    return Sampling(temperature=temperature or 1.0, **given)
