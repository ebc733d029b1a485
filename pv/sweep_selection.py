"""Which falsifiers a sweep is about: what the paths name, less what each option leaves out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pv.config import Config
from pv.errors import SelectionError
from pv.exits import Exit
from pv.journal import read_journal
from pv.outcome import EXITS
from pv.selection import Selected, load_all, select

__all__ = ["Wanted", "choose"]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What was asked for; every filter that is given must let a falsifier pass."""

    what: Sequence[str] = ()
    """Ids, contracts and folders; by default every contract of the project."""
    expression: str | None = None
    since: str | None = None
    stale_only: bool = False
    failed_in: Path | None = None
    """The journal of the sweep whose failures are wanted."""


def choose(wanted: Wanted, config: Config) -> list[Selected]:
    """Return the falsifiers that are `wanted`, in the order of their contracts.

    Raises
    ------
    SelectionError
        A word or an expression means nothing, or nothing is left; the message says by which filter.
    """
    chosen = select(wanted.what, config) if wanted.what else _everything(config)
    told = ["the contracts have no falsifiers"]
    if wanted.failed_in is not None and chosen:
        failed = _failed(wanted.failed_in)
        chosen = [item for item in chosen if _address(item) in failed]
        told.append(f"none of them failed in the last sweep ({wanted.failed_in.name})")
    if wanted.expression is not None and chosen:
        from pv.selection_expression import selected_by

        chosen = selected_by(wanted.expression, chosen, config)
        told.append(f"--select {wanted.expression!r} holds of none")
    if wanted.stale_only and chosen:
        from pv.selection_expression import selected_by

        chosen = selected_by('status == "STALE"', chosen, config)
        told.append("none is STALE")
    if wanted.since is not None and chosen:
        from pv.since import changed_since

        changed = changed_since(wanted.since, chosen, config)
        chosen = [item for item in chosen if _address(item) in changed]
        told.append(f"none of them changed since {wanted.since}, nor what their checks import")
    if not chosen:
        raise SelectionError(f"nothing was selected: {told[-1]}", remedy="`pv status` lists every falsifier")
    return chosen


def _everything(config: Config) -> list[Selected]:
    return [
        Selected(contract, falsifier, named=False)
        for contract in load_all(config)
        for falsifier in contract.falsifiers
    ]


def _failed(journal: Path) -> set[str]:
    reading = read_journal(journal)
    bad = {a for a, word in reading.outcomes.items() if EXITS[word] in {Exit.REJECTED, Exit.ERROR}}
    return bad | {*reading.running}


def _address(item: Selected) -> str:
    return f"{item.contract.stem}#{item.falsifier.id}"
