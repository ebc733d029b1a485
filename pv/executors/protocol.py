"""What a sweep asks of whoever runs its falsifiers. Between the two there is JSON, and nothing else.

A *task* is what it takes to discharge one falsifier: ``{"address", "path", "device", "gate", "retries",
"attempt"}``, the contract's file being relative to the project where it lies in it, the device ``cpu``,
``cuda`` (any GPU) or ``cuda:N``, the attempt how many were made before. An *event* is one of

- ``{"task": address, "kind": "progress", "what", "done", "total"}``
- ``{"task": address, "kind": "ended", "end", "records"}``: the values of
  :meth:`pv.outcome.Discharge.to_json`, and the records of another host, as
  :func:`pv.evidence_transfer.bundle_of` puts them together
- ``{"task": address, "kind": "lost", "why", "detail", "host"}``: whoever ran it is gone, and nothing is
  known; ``host`` is true where the host died, or was taken away, and not just the process
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pv.host import Gpu

__all__ = ["Event", "Executor", "Setup", "Task"]

Task: TypeAlias = Mapping[str, Any]
Event: TypeAlias = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Setup:
    """What an executor is made from.

    `jobs` is how many tasks may run at once, None where the executor is to know; `root` the project;
    `scratch` a folder of this sweep, which is there again when it is resumed; `options` the fields of
    :class:`pv.outcome.Options`; `settings` what ``pv.toml`` and the command line say of the executor.
    """

    root: Path
    scratch: Path
    options: Mapping[str, Any]
    jobs: int | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Executor(Protocol):
    """Runs tasks. Every task that was started or adopted ends in one event ``ended`` or ``lost``."""

    @property
    def slots(self) -> int:
        """How many tasks may run at once."""

    @property
    def gpus(self) -> Sequence[Gpu]:
        """The GPUs that tasks may get; one task has one."""

    @property
    def elsewhere(self) -> bool:
        """Whether tasks run on other hosts: then what is not on this one declines nothing."""

    def start(self, task: Task) -> None:
        """Begin `task`; the caller never has more than :attr:`slots` of them under way."""

    def adopt(self, task: Task) -> bool:
        """Take over `task`, which an engine that is dead had started; False where nothing is known of it."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """Return what happened, once something did or `seconds` have passed."""

    def close(self) -> None:
        """End everything, also tasks that are under way; what is closed stays so."""
