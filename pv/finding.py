"""What a rule has to say about a contract."""

from __future__ import annotations

import dataclasses
from typing import Literal

from pv.errors import Location, one_line

__all__ = ["Finding", "Severity"]

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
