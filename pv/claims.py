"""A status cannot be typed: what a contract claims is compared with what its evidence supports."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pv.contract import Contract, Falsifier
from pv.status import Status, rank, supports

if TYPE_CHECKING:
    from pv.project import Project

__all__ = ["Claim", "Kind", "unsupported_claims"]

Kind = Literal["above", "stale", "unknown"]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A ``discharge_status`` that evidence does not bear out, and why not.

    ``above`` the evidence; supported once, but ``stale``; or ``unknown``: no word of the ladder.
    """

    kind: Kind
    falsifier: Falsifier
    message: str
    remedy: str


def unsupported_claims(contract: Contract, project: Project, kind: Kind) -> Iterator[Claim]:
    """Yield the claims of one `kind` that `contract` makes without support."""
    for falsifier in contract.falsifiers:
        claimed = falsifier.discharge_status
        if claimed is None or (rank(claimed) is None) != (kind == "unknown"):
            continue
        if kind == "unknown":
            yield Claim(kind, falsifier, f"{claimed!r} is no status", "")
            continue
        derived = project.status(contract, falsifier)
        if supports(derived.name, claimed):
            continue
        stale = derived.name == "STALE" and supports(derived.before, claimed)
        if stale == (kind == "stale"):
            yield Claim(kind, falsifier, *_say(contract, falsifier, derived, stale=stale))


def _say(contract: Contract, falsifier: Falsifier, derived: Status, *, stale: bool) -> tuple[str, str]:
    claims = f"{falsifier.id} claims {falsifier.discharge_status}"
    command = f"`pv discharge {contract.stem}#{falsifier.id}`"
    if stale:
        return f"{claims}, but its evidence is stale: {derived.reason}", f"Run {command}."
    return (
        f"{claims}, evidence supports {derived.name}: {derived.reason}",
        f"Run {command}, or write the status that holds.",
    )
