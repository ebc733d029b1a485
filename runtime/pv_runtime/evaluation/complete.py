"""A model's completions of problems, sample by sample."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pv_runtime.evaluation.completions import TOO_LONG, Completion, cut
from pv_runtime.evaluation.problems import Problem
from pv_runtime.generate import Generation
from pv_runtime.model import Decoder
from pv_runtime.sampling import Sampling
from pv_runtime.tokenizer import Tokenizer

__all__ = ["Writer", "seed_of"]


def seed_of(seed: int, task_id: str, sample: int) -> int:
    """Return the seed of one completion: that of others may be left out, and it stays the same."""
    digest = hashlib.sha256(f"{seed}\0{task_id}\0{sample}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


@dataclasses.dataclass(frozen=True)
class Writer:
    """A model that goes on from prompts.

    Parameters
    ----------
    decoder
        The model.
    tokenizer
        Its tokenizer.
    stop
        Tokens that end a text.
    limit
        Most new tokens of a completion.
    temperature
        0 takes the most likely token, and all samples of a problem are one.
    seed
        Of all samples.
    """

    decoder: Decoder
    tokenizer: Tokenizer
    stop: Collection[int]
    limit: int
    temperature: float = 0.0
    seed: int = 0

    def write(self, problem: Problem, sample: int = 0) -> Completion:
        """Return one completion, cut at the problem's stop texts; tokens after one are not computed.

        A prompt that is longer than the model was made for has none, and that is said.
        """
        ids = self.tokenizer.encode(problem.prompt)
        if len(ids) > self.decoder.architecture.max_positions:
            return Completion(problem.task_id, sample, "", TOO_LONG)
        generation = Generation(
            self.decoder, ids, limit=self.limit, stop=self.stop, sampling=self._sampling(problem, sample)
        )
        stream = self.tokenizer.stream(skip_special=True, continues=True)
        text = ""
        for token in generation:
            text += stream.feed(token)
            if (whole := cut(text, problem.stop)) != text:
                return Completion(problem.task_id, sample, whole, "stop text")
        text = cut(text + stream.end(), problem.stop)
        ended = {"stop": "stop token", "limit": "limit", "context": "context"}[str(generation.reason)]
        return Completion(problem.task_id, sample, text, ended)

    def write_all(self, problems: Sequence[Problem], samples: int) -> Iterator[Completion]:
        """Yield `samples` completions of each problem, problem after problem."""
        for problem in problems:
            for sample in range(samples):
                yield self.write(problem, sample)

    def _sampling(self, problem: Problem, sample: int) -> Sampling:
        settings: dict[str, Any] = {"temperature": self.temperature}
        if self.temperature:
            settings["seed"] = seed_of(self.seed, problem.task_id, sample)
        return Sampling(**settings)
