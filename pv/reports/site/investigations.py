"""The investigations of a project, read for their page."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.config import Config
from pv.finding import Finding
from pv.investigation import Investigation, InvestigationError, investigation_files, load_investigation

if TYPE_CHECKING:
    from pv.reports.site.source import Source

__all__ = ["Found", "investigations_context", "read_investigations"]


@dataclasses.dataclass(frozen=True)
class Found:
    """A file of ``findings/``: the investigation, or else what is wrong with it."""

    path: str
    investigation: Investigation | None
    problems: tuple[Finding, ...] = ()

    @property
    def title(self) -> str:
        """What it is called."""
        return self.investigation.title if self.investigation else self.path

    @property
    def anchor(self) -> str:
        """Where it stands on its page; unique, whatever the file is called."""
        name = self.investigation.id if self.investigation else self.path
        digest = hashlib.sha256(self.path.encode("utf-8", "backslashreplace")).hexdigest()[:6]
        return f"{re.sub(r'[^A-Za-z0-9-]+', '-', name)[:60]}-{digest}"


def read_investigations(config: Config) -> list[Found]:
    """Read all of them, by date, the latest first; those that cannot be read come last."""
    found = [_read(path, config) for path in investigation_files(config.root)]
    found.sort(key=lambda one: one.path)
    found.sort(key=lambda one: one.investigation.date if one.investigation else "", reverse=True)
    return found


def investigations_context(source: Source, records: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what the page of investigations shows; `records` is path of a record → link to its copy."""
    return {"found": source.investigations, "named": source.named, "records": records}


def _read(path: Path, config: Config) -> Found:
    shown = config.relative(path)
    try:
        return Found(shown, load_investigation(path))
    except InvestigationError as error:
        return Found(shown, None, error.findings)
