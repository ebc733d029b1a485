"""How training ends before it began, or before its end: with what is wrong, what guards it, and what to do.

Every refusal names the falsifier that measures that it is one. The ids stand here and nowhere else.
"""

from __future__ import annotations

from pv_runtime.errors import ModelError

__all__ = ["GUARDS", "TrainingError", "UsageError"]

_INIT, _ARCH = "FALSIFY-APR-PRETRAIN-INIT", "FALSIFY-APR-PRETRAIN-ARCH"
_DATA, _RESUME = "FALSIFY-APR-PRETRAIN-DATA", "FALSIFY-APR-PRETRAIN-RESUME"

GUARDS: dict[str, str] = {
    "init-absent": f"{_INIT}-003",
    "init-unreadable": f"{_INIT}-004",
    "init-contradicts-itself": f"{_INIT}-005",
    "field-missing": f"{_ARCH}-003",
    "family": f"{_ARCH}-007",
    "tokenizer-too-large": f"{_ARCH}-010",
    "tokenizer-of-other-size": f"{_ARCH}-006",
    "device-grammar": "FALSIFY-GPUTRAIN-001",
    "device-absent": "FALSIFY-GPUTRAIN-002",
    "shard-damaged": f"{_DATA}-001",
    "id-out-of-range": f"{_DATA}-002",
    "too-little-data": f"{_DATA}-003",
    "held-out-leaks": f"{_DATA}-004",
    "tokenizer-of-another": f"{_DATA}-005",
    "text-unreadable": f"{_DATA}-006",
    "resume-differs": f"{_RESUME}-001",
    "resume-nothing": f"{_RESUME}-002",
    "checkpoint-unwritten": f"{_RESUME}-003",
    "checkpoint-damaged": f"{_RESUME}-004",
    "not-finite": "GATE-TRAIN-007",
    "diverged": "GATE-TRAIN-005",
    "option-unused": "FALSIFY-APR-OPTIONS-001",
    "option-absurd": "FALSIFY-APR-OPTIONS-002",
    "memory": "FALSIFY-APR-OPTIONS-003",
}
"""What can be refused, and the falsifier that guards it."""


class TrainingError(ModelError):
    """Training cannot begin, or cannot go on.

    Parameters
    ----------
    guard
        A key of `GUARDS`.
    what
        What is wrong, with both values where two contradict each other; a sentence without a full stop.
    remedy
        The next step.
    """

    def __init__(self, guard: str, what: str, remedy: str) -> None:
        super().__init__(f"{what}\n    {GUARDS[guard]} guards this\n    {remedy}")
        self.guard = guard
        self.what = what
        self.remedy = remedy


class UsageError(TrainingError):
    """A command line that asks for two things at once, or for what cannot be."""
