"""What a gate is asked and answers, and what all answers together say."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence

__all__ = ["REQUIRED", "DeclinedError", "Finding", "Outcome", "Result", "Settings", "verdict"]

REQUIRED = frozenset({
    "golden_output", "throughput", "ollama_parity", "gpu_speedup", "tensor_contract", "format_parity",
    "ptx_parity", "metadata_plausibility",
})  # fmt: skip
"""Gates without whose pass nothing has passed."""


class Outcome(enum.StrEnum):
    """How a gate ended. What was not carried out is never a pass."""

    PASSED = "passed"
    FAILED = "failed"
    DECLINED = "declined"


class DeclinedError(Exception):
    """A gate cannot be carried out here; the message says what is missing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What a gate that was carried out found.

    Parameters
    ----------
    passed
        Whether it holds.
    message
        What was found, for people.
    value, threshold
        What was measured and what it was held against, where that is a number.
    """

    passed: bool
    message: str
    value: float | None = None
    threshold: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One gate's ending; see `Finding`."""

    name: str
    outcome: Outcome
    message: str
    value: float | None = None
    threshold: float | None = None
    seconds: float = 0.0

    @property
    def required(self) -> bool:
        """Whether it is one of `REQUIRED`."""
        return self.name in REQUIRED


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the gates hold a model against.

    Parameters
    ----------
    prompt, expected, chat
        Of golden_output: the question, what the answer must contain one of, whether the chat template is
        used; None uses it where there is one.
    new_tokens
        Length of the golden output, and of what is timed.
    iterations
        Of what is timed.
    least_rate
        Decoded tokens a second; None where nobody asked for any.
    least_gpu_speedup
        Times as fast as on the processor.
    steps
        Of format_parity.
    least_cosine
        Of the logits at a step of format_parity where the most likely tokens differ.
    previous
        Values by gate of an earlier report on the same machine.
    regression
        Share of it that a value may fall below an earlier one.
    """

    prompt: str = "What is 2+2?"
    expected: Sequence[str] = ("4",)
    chat: bool | None = None
    new_tokens: int = 32
    iterations: int = 5
    least_rate: float | None = None
    least_gpu_speedup: float = 2.0
    steps: int = 64
    least_cosine: float = 0.98
    previous: Mapping[str, float] | None = None
    regression: float = 0.10


def verdict(results: Sequence[Result]) -> Outcome:
    """Return what all gates together say.

    Failed if any gate failed, or if a required one is missing or there twice; declined if a required one
    was; passed otherwise.
    """
    outcomes = [result.outcome for result in results]
    required = [result.name for result in results if result.required]
    if Outcome.FAILED in outcomes or sorted(required) != sorted(REQUIRED):
        return Outcome.FAILED
    if any(result.required and result.outcome is not Outcome.PASSED for result in results):
        return Outcome.DECLINED
    return Outcome.PASSED
