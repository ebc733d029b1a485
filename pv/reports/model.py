"""What a command has to say, in one neutral form: every format of a report is written from it.

A :class:`Report` is plain and frozen, and goes to JSON and back without loss. Positions are relative to
:attr:`Report.base`, the top of the repository. All text is as contracts and checks gave it: each format makes
it harmless in its own way.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pv.errors import Location
from pv.exits import Exit
from pv.finding import Finding

__all__ = ["GRADES", "Grade", "Report", "Result", "Step", "counts", "top_of"]

Grade = Literal["failed", "broken", "declined", "waived", "noted", "passed"]
GRADES: tuple[Grade, ...] = ("failed", "broken", "declined", "waived", "noted", "passed")
"""Worst first. ``noted`` neither passed nor failed: excluded, or nothing that the command judged."""

_GRADE_OF: Mapping[str, Grade] = {
    "Pass": "passed",
    "Refuted": "passed",
    "Fail": "failed",
    "Vacuous": "failed",
    "Declined": "declined",
    "Unbound": "declined",
    "Error": "broken",
}
_GRADE_OF_STATUS: Mapping[str, Grade] = {
    "FALSIFIED": "failed",
    "VACUOUS": "failed",
    "STALE": "declined",
    "UNBOUND": "declined",
    "EXCLUDED": "noted",
}


@dataclasses.dataclass(frozen=True)
class Step:
    """A level that was not judged, why, and the command that judges it where it can be."""

    level: str
    why: str
    command: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One falsifier: how its run ended, or where none was asked for (``pv status``), what evidence supports.

    `seconds` is the wall time of its runs. `relative` is the margin of the nearest comparison as a share of
    its threshold (negative: missed), `margin` the same in words.
    """

    address: str
    """``contract#ID``."""
    where: Location
    """Where the falsifier stands in its contract."""
    rule: str
    outcome: str = ""
    """One of :data:`pv.outcome.Outcome`; empty where nothing was run."""
    status: str = ""
    """The derived status; empty where it was not derived."""
    level: str = ""
    subject: str = ""
    device: str = ""
    message: str = ""
    """Why it ended so, in a sentence; of a status, its reason."""
    detail: str = ""
    """The end of what the check wrote, or its traceback."""
    margin: str = ""
    relative: float | None = None
    seconds: float = 0.0
    begun: bool = True
    """False where it was to run, and the command ended before."""
    fresh: bool = False
    """Whether evidence at hand answered, so that nothing was run."""
    lines: tuple[tuple[str, bool], ...] = ()
    """The lines of the rule, and whether each holds."""
    worst: tuple[str, ...] = ()
    """The worst cases that decided, in words."""
    missed: tuple[str, ...] = ()
    """Counter-examples that the rule did not notice."""
    declined: tuple[Step, ...] = ()
    records: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    """Why each earlier attempt ended without a verdict, oldest first."""
    waived: str = ""
    """Of a failure that somebody took responsibility for: until when, and why."""
    reproduce: str = ""
    """The command that does it again, quoted for a shell."""

    @property
    def contract(self) -> str:
        """The stem of its contract."""
        return self.address.partition("#")[0]

    @property
    def identifier(self) -> str:
        """Its id."""
        return self.address.partition("#")[2]

    @property
    def word(self) -> str:
        """Its outcome, or else its status."""
        return (self.outcome or self.status) if self.begun else "Not begun"

    @property
    def grade(self) -> Grade:
        """What it means for whoever waits for an answer."""
        if not self.begun:
            return "declined"
        known = _GRADE_OF.get(self.outcome) if self.outcome else _GRADE_OF_STATUS.get(self.status, "passed")
        grade = known or "broken"
        return "waived" if self.waived and grade == "failed" else grade

    @property
    def earlier(self) -> list[str]:
        """Say of each earlier attempt how it ended: a retry is always shown."""
        return [f"attempt {number} ended with {why}" for number, why in enumerate(self.attempts, 1)]

    @property
    def summary(self) -> str:
        """Say in one line how it ended: the message, or else the lines of its rule that fail."""
        failing = [text for text, holds in self.lines if not holds]
        said = self.message.partition("\n")[0] or "; ".join(failing) or self.margin or self.rule
        return f"{self.word.upper()}: {said}"

    def to_json(self) -> dict[str, Any]:
        """Return the documented form, which :meth:`from_json` reads."""
        document = dataclasses.asdict(self) | {"grade": self.grade}
        document["where"] = _place(self.where)
        document["lines"] = [{"text": text, "holds": holds} for text, holds in self.lines]
        for name in ("worst", "missed", "declined", "records", "attempts"):
            document[name] = list(document[name])
        if self.relative is not None and not -1e308 <= self.relative <= 1e308:
            document["relative"] = None  # JSON has no infinity; the margin says it in words
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Result:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        KeyError, TypeError
            It is something else.
        """
        values = {name: value for name, value in document.items() if name != "grade"}
        where = values["where"]
        return cls(
            **values
            | {
                "where": Location(where["file"], where["line"], where["column"]),
                "lines": tuple((line["text"], line["holds"]) for line in values["lines"]),
                "declined": tuple(Step(**step) for step in values["declined"]),
            }
            | {name: tuple(values[name]) for name in ("worst", "missed", "records", "attempts")}
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What one command has to say. `ended` is how it ended, `error` what broke it, where something did."""

    command: str
    """The name of the command, such as ``discharge``."""
    version: str
    """The version of pv."""
    ended: Exit
    base: str = ""
    """The folder that positions are relative to."""
    started: str = ""
    """UTC, ISO 8601; empty where it does not matter."""
    seconds: float = 0.0
    """Wall time of the command."""
    files: tuple[str, ...] = ()
    """The files that were checked, also those about which there is nothing to say."""
    results: tuple[Result, ...] = ()
    findings: tuple[Finding, ...] = ()
    strict: bool = False
    """Whether warnings reject as well."""
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the documented form (``docs/reports.md``)."""
        return self.head() | {
            "results": [result.to_json() for result in self.results],
            "findings": [finding.to_json() for finding in self.findings],
        }

    def head(self) -> dict[str, Any]:
        """Return the documented form without results and findings."""
        return {
            "format": "pv-report/1",
            "command": self.command,
            "version": self.version,
            "started": self.started,
            "seconds": self.seconds,
            "exit": int(self.ended),
            "ended": self.ended.name.lower(),
            "error": self.error,
            "strict": self.strict,
            "counts": counts(self),
            "files": list(self.files),
        }


def counts(report: Report) -> dict[str, int]:
    """Count results by grade, worst first, and findings by severity; what there is none of is 0."""
    grades = Counter(result.grade for result in report.results)
    severities = Counter(finding.severity for finding in report.findings)
    return {
        **{grade: grades[grade] for grade in GRADES},
        "errors": severities["error"],
        "warnings": severities["warning"],
    }


@functools.cache
def top_of(folder: Path) -> Path:
    """Return the top of the git repository that `folder`, absolute, lies in; where there is none, itself."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def _place(where: Location) -> dict[str, str | int]:
    return {"file": where.path, "line": where.line, "column": where.column}
