"""What a section of an explanation is: a title, lines for people, and the same as values for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from pv.contract import Contract, Falsifier
from pv.project import Project
from pv.status import Status

__all__ = ["Explained", "Section", "SectionOf"]


@dataclasses.dataclass(frozen=True)
class Explained:
    """A falsifier, its contract and project, and its derived status."""

    contract: Contract
    falsifier: Falsifier
    project: Project
    status: Status

    @property
    def address(self) -> str:
        """``contract#ID``."""
        return f"{self.contract.stem}#{self.falsifier.id}"


@dataclasses.dataclass(frozen=True)
class Section:
    """One section; `data` says in JSON values what `lines` say in words."""

    title: str
    lines: Sequence[str]
    data: Any


SectionOf = Callable[[Explained], Section | None]
"""Says one thing of a falsifier; None where there is nothing to say."""
