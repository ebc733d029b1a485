"""Investigations: what was found out about falsifiers, from which evidence, and what it was taken to mean.

``findings/*.md``: a document of YAML between two lines ``---``, then text in Markdown. The evidence and
its interpretation are kept apart: an interpretation can be withdrawn, naming the clause that refutes it,
while the evidence stands. (The word *finding* is what a rule says of a file: :mod:`pv.finding`.)
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as core

from pv.document import MAXIMUM_BYTES, Document, parse
from pv.errors import DocumentError, Location, PvError
from pv.finding import Finding

__all__ = [
    "FOLDER",
    "Hypothesis",
    "Investigation",
    "InvestigationError",
    "Why",
    "Withdrawal",
    "investigation_files",
    "load_investigation",
]

FOLDER = "findings"
"""Of a project: where its investigations lie."""

FRONT_MATTER = "PV-FINDING-001"
SHAPE = "PV-FINDING-002"

State = Literal["open", "standing", "withdrawn"]


class InvestigationError(PvError):
    """A file is no investigation; `findings` are all the problems, in order."""

    exit = DocumentError.exit

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__(first.message, where=first.where, remedy=first.remedy, code=first.code)
        self.findings = tuple(findings)


@dataclasses.dataclass(frozen=True)
class Why:
    """One of the Five Whys (Ohno, Toyota Production System, 1988): a question, and its answer."""

    question: str
    answer: str | None


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """What might explain the evidence, and by what it was supported or refuted."""

    statement: str
    status: Literal["proposed", "supported", "refuted"]
    by: str | None


@dataclasses.dataclass(frozen=True)
class Withdrawal:
    """Why the interpretation does not hold any more."""

    date: str
    refuted_by: str
    """``contract#ID``, an id, or an obligation's ``contract#ID``."""
    reason: str


@dataclasses.dataclass(frozen=True)
class Investigation:
    """One investigation, as its file has it; what it refers to is not looked up yet."""

    path: str
    id: str
    title: str
    date: str
    status: State
    falsifiers: tuple[str, ...]
    evidence: tuple[str, ...]
    """Record files relative to the project, or falsifiers: all records of those."""
    interpretation: str
    five_whys: tuple[Why, ...]
    five_whys_omitted: str | None
    """Why there are not five."""
    hypotheses: tuple[Hypothesis, ...]
    withdrawn: Withdrawal | None
    body: str = dataclasses.field(repr=False)
    document: Document = dataclasses.field(repr=False, compare=False)

    def where(self, *place: str | int) -> Location:
        """Where a part of the front matter stands."""
        return self.document.where(*place)


def _date(words: str) -> str:
    try:
        day = dt.date.fromisoformat(words)
    except ValueError:
        day = None
    if day is None or day.isoformat() != words:
        raise ValueError("expected a date, YYYY-MM-DD")
    return words


def _table(
    required: dict[str, core.CoreSchema], optional: dict[str, core.CoreSchema] | None = None
) -> core.CoreSchema:
    fields = {key: core.typed_dict_field(schema) for key, schema in required.items()}
    fields |= {key: core.typed_dict_field(schema, required=False) for key, schema in (optional or {}).items()}
    return core.typed_dict_schema(fields, extra_behavior="forbid")


_TEXT = core.str_schema(min_length=1, strip_whitespace=True)
_TEXTS = core.list_schema(_TEXT, min_length=1)
_DATE = core.no_info_after_validator_function(_date, core.str_schema())
_WHY = core.union_schema([_TEXT, _table({"question": _TEXT}, {"answer": _TEXT})], mode="left_to_right")
_SCHEMA = _table(
    {
        "id": core.str_schema(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"),
        "title": _TEXT,
        "date": _DATE,
        "status": core.literal_schema(["open", "standing", "withdrawn"]),
        "falsifiers": _TEXTS,
        "evidence": _TEXTS,
        "interpretation": _TEXT,
    },
    {
        "five_whys": core.list_schema(_WHY),
        "five_whys_omitted": _TEXT,
        "hypotheses": core.list_schema(
            _table(
                {
                    "statement": _TEXT,
                    "status": core.literal_schema(["proposed", "supported", "refuted"]),
                },
                {"by": _TEXT},
            )
        ),
        "withdrawn": _table({"date": _DATE, "reason": _TEXT}, {"refuted_by": _TEXT}),
    },
)


def investigation_files(root: Path) -> list[Path]:
    """List the investigations below `root`, a project's folder of them or a project; sorted by name."""
    folder = root if root.name == FOLDER else root / FOLDER
    return sorted(path for path in folder.rglob("*.md") if path.is_file() and path.name != "README.md")


def load_investigation(path: Path) -> Investigation:
    """Read one investigation.

    Raises
    ------
    InvestigationError
        It cannot be read, has no front matter, or that has another shape.
    """
    name = str(path)
    text = _read(path)
    end = _end_of_front_matter(text)
    if end is None:
        raise _no_front_matter(name, "it does not begin with YAML between two lines `---`")
    try:
        document = parse(text[: end[0]], name)
    except DocumentError as error:
        where = error.where or Location(name, 1, 1)
        raise InvestigationError(
            [Finding(where, FRONT_MATTER, "error", f"{error.code}: {error.what}", error.remedy)]
        ) from error
    if not isinstance(document.value, dict):
        raise _no_front_matter(name, "its front matter is no mapping")
    try:
        value = SchemaValidator(_SCHEMA).validate_python(document.value, strict=True)
    except ValidationError as error:
        raise InvestigationError(_problems(error, document)) from None
    return _build(value, name, text[end[1] :], document)


def _read(path: Path) -> str:
    name = str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _no_front_matter(name, "it is no regular file")
        data = path.read_bytes() if path.stat().st_size <= MAXIMUM_BYTES else None
    except OSError as error:
        raise _no_front_matter(name, f"it cannot be read: {error.strerror}") from error
    if data is None:
        raise _no_front_matter(name, f"it is larger than {MAXIMUM_BYTES:,} bytes")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _no_front_matter(name, f"byte {error.start} is not UTF-8") from error


def _end_of_front_matter(text: str) -> tuple[int, int] | None:
    """Return where the front matter ends and where the text begins, in characters."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != "---":
        return None
    at = len(lines[0])
    for line in lines[1:]:
        if line.rstrip() == "---":
            return at, at + len(line)
        at += len(line)
    return None


def _no_front_matter(name: str, why: str) -> InvestigationError:
    return InvestigationError(
        [
            Finding(
                Location(name, 1, 1),
                FRONT_MATTER,
                "error",
                f"this is no investigation: {why}",
                "docs/how-to/record-an-investigation.md shows one.",
            )
        ]
    )


def _problems(error: ValidationError, document: Document) -> list[Finding]:
    found: dict[tuple[Location, str], Finding] = {}
    for problem in error.errors(include_url=False):
        # Of a union, the location also names the alternative that was tried.
        place = tuple(part for part in problem["loc"] if not (isinstance(part, str) and "[" in part))
        place = tuple(part for part in place if part not in {"constrained-str", "str", "typed-dict"})
        key = ".".join(str(part) for part in place) or "front matter"
        where = document.where_key(*place) if problem["type"] == "extra_forbidden" else document.where(*place)
        message = {
            "missing": f"{key} is missing",
            "extra_forbidden": f"{key} is no key of an investigation",
        }.get(problem["type"], f"{key}: {problem['msg'].removeprefix('Value error, ')}")
        remedy = "docs/how-to/record-an-investigation.md lists every key."
        found.setdefault((where, key), Finding(where, SHAPE, "error", message, remedy))
    return sorted(found.values(), key=lambda finding: (finding.where, finding.message))


def _build(value: dict[str, Any], path: str, body: str, document: Document) -> Investigation:
    withdrawn = value.get("withdrawn")
    return Investigation(
        path=path,
        id=value["id"],
        title=value["title"],
        date=value["date"],
        status=cast("State", value["status"]),
        falsifiers=tuple(value["falsifiers"]),
        evidence=tuple(value["evidence"]),
        interpretation=value["interpretation"],
        five_whys=tuple(
            Why(item, None) if isinstance(item, str) else Why(item["question"], item.get("answer"))
            for item in value.get("five_whys", ())
        ),
        five_whys_omitted=value.get("five_whys_omitted"),
        hypotheses=tuple(
            Hypothesis(item["statement"], item["status"], item.get("by"))
            for item in value.get("hypotheses", ())
        ),
        withdrawn=None
        if withdrawn is None
        else Withdrawal(withdrawn["date"], withdrawn.get("refuted_by", ""), withdrawn["reason"]),
        body=body,
        document=document,
    )
