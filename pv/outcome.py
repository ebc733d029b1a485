"""What a discharge is asked for, and how it ended."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from pv.exits import Exit
from pv.planning import Declined

__all__ = ["EXITS", "Discharge", "Options", "Outcome", "Plant"]

Outcome = Literal["Pass", "Fail", "Refuted", "Vacuous", "Declined", "Unbound", "Error"]


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    level: str = "auto"
    device: str = "auto"
    seed: int | None = None
    """None: 0, and whatever seed fresh evidence was made with is good."""
    record: bool = True
    force: bool = False
    limits: bool = False
    """Whether to measure how small a damage each falsifier notices; that takes many runs."""
    argv: tuple[str, ...] = ()
    today: dt.date | None = None
    """The UTC date by which runs are told apart; None: the one that the clock says."""

    def to_json(self) -> dict[str, Any]:
        """Return them as journals and executors have them, without the date: a later run has its own."""
        return {name: value for name, value in vars(self).items() if name != "today"} | {
            "argv": list(self.argv)
        }

    @classmethod
    def from_json(cls, whole: Mapping[str, Any]) -> Options:
        """Return what :meth:`to_json` returned the values of.

        Raises
        ------
        KeyError, TypeError
            They are not such values.
        """
        return cls(**{**whole, "argv": tuple(whole["argv"])})


@dataclasses.dataclass(frozen=True)
class Plant:
    """A counter-example, and whether the rule noticed it."""

    name: str
    of: str
    caught: bool


@dataclasses.dataclass(frozen=True)
class Discharge:
    """How one falsifier ended. `verdict` and `measurements` are the plain values that evidence holds."""

    address: str
    rule: str
    outcome: Outcome
    level: str | None = None
    subject: str | None = None
    device: str | None = None
    message: str = ""
    verdict: Mapping[str, Any] | None = None
    plants: tuple[Plant, ...] = ()
    declined: tuple[Declined, ...] = ()
    records: tuple[str, ...] = ()
    fresh: bool = False
    seconds: float = 0.0
    runs: tuple[str, ...] = ()
    """The keys of the runs that were judged together; empty where there is one."""
    detail: str = ""
    attempts: tuple[str, ...] = ()
    """Why each earlier attempt of a sweep ended without a verdict, oldest first."""
    notes: tuple[str, ...] = ()
    """What a reader should see of what was measured, a sentence each."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values, which :meth:`from_json` takes back."""
        # Not dataclasses.asdict: it would copy the verdict, which is most of it and plain already.
        whole: dict[str, Any] = dict(vars(self))
        for name in ("plants", "declined"):
            whole[name] = [dict(vars(part)) for part in whole[name]]
        return {**whole, **{name: list(whole[name]) for name in ("records", "runs", "attempts", "notes")}}

    @classmethod
    def from_json(cls, whole: Mapping[str, Any]) -> Discharge:
        """Return what :meth:`to_json` returned the values of.

        Raises
        ------
        KeyError, TypeError
            They are not such values.
        """
        return cls(
            **{
                **whole,
                "plants": tuple(Plant(**part) for part in whole["plants"]),
                "declined": tuple(Declined(**part) for part in whole["declined"]),
                "records": tuple(whole["records"]),
                "runs": tuple(whole["runs"]),
                "attempts": tuple(whole["attempts"]),
                "notes": tuple(whole.get("notes", ())),  # those of older journals have none
            }
        )


EXITS: Mapping[Outcome, Exit] = {
    "Pass": Exit.ACCEPTED,
    "Refuted": Exit.ACCEPTED,
    "Fail": Exit.REJECTED,
    "Vacuous": Exit.REJECTED,
    "Declined": Exit.DECLINED,
    "Unbound": Exit.DECLINED,
    "Error": Exit.ERROR,
}
"""How each outcome ends a command."""
