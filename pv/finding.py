"""What a rule has to say about a contract."""

from __future__ import annotations

import dataclasses
from typing import Literal

from pv.errors import Location, PvError, one_line

__all__ = ["Finding", "FindingsError", "Severity"]

Severity = Literal["error", "warning"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding, at one place, with its remedy."""

    where: Location
    code: str
    severity: Severity
    message: str
    remedy: str

    def __str__(self) -> str:
        said = one_line(f"{self.where}: {self.severity}[{self.code}]: {self.message}")
        return f"{said}\n    {one_line(self.remedy)}"

    def to_json(self) -> dict[str, str | int]:
        """Return the plain form that reports hold."""
        return {
            "file": self.where.path,
            "line": self.where.line,
            "column": self.where.column,
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "remedy": self.remedy,
        }


class FindingsError(PvError):
    """Something has several faults, all of which are told; `findings` are these, in order, at least one."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first = findings[0]
        super().__init__(first.message, where=first.where, remedy=first.remedy, code=first.code)
        self.findings = findings

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings)
