"""What a sweep asks of whoever runs its falsifiers. Between the two there is JSON, and nothing else.

A *task* is what it takes to discharge one falsifier: ``{"address", "path", "device"}``, the contract's
file being relative to the project where it lies in it. An *event* is one of

- ``{"task": address, "kind": "progress", "what", "done", "total"}``
- ``{"task": address, "kind": "ended", "end"}``, with the values of :meth:`pv.outcome.Discharge.to_json`
- ``{"task": address, "kind": "lost", "why", "detail"}``: whoever ran it is gone, and nothing is known
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

__all__ = ["Event", "Executor", "Task"]

Task: TypeAlias = Mapping[str, Any]
Event: TypeAlias = Mapping[str, Any]


class Executor(Protocol):
    """Runs tasks. Every task that was started ends in one event ``ended`` or ``lost``."""

    @property
    def slots(self) -> int:
        """How many tasks may run at once."""

    def start(self, task: Task) -> None:
        """Begin `task`; the caller never has more than :attr:`slots` of them under way."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """Return what happened, once something did or `seconds` have passed."""

    def close(self) -> None:
        """End everything, also tasks that are under way."""
