"""Rewrites made one way only: what is found in the contract stays, but for what they resolve by design.

All that are possible are made together. Where that changes what is found, each is made alone, and those
that change it are left out, with the reason. This goes on until nothing is left to be made, so that to
rewrite the result again changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pv.contract import Contract, NotAContractError, ShapeError
from pv.document import Document, parse
from pv.edit import EditError, edit_text
from pv.errors import DocumentError
from pv.finding import Finding
from pv.normal_form import clause_digest
from pv.rewrites import Left, Planned, Rewrite

__all__ = ["Judged", "Plan", "Rewritten", "judged", "rewrite"]

Plan = Callable[[Document, str], Iterable[Planned]]
"""What could be rewritten in a document, which is written as the text, and what could not."""

_MISSHAPEN = "SCHEMA-000"
_ASSUMED = " (no metadata.kind, judged kernel by default)"
"""A remark that goes when a kind is stated, and alters no verdict."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """A text as a contract: what is found in it, and what it is, unless it is misshapen."""

    document: Document
    contract: Contract | None
    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True)
class Rewritten:
    """A text after its rewrites; `reworded` are falsifiers whose clause means something else than before."""

    text: str
    made: tuple[Rewrite, ...]
    left: tuple[Left, ...]
    reworded: tuple[str, ...]


def judged(text: str, path: str) -> Judged:
    """Read `text` as the contract at `path`, and judge it in its project; nothing is run or written.

    Raises
    ------
    DocumentError, NotAContractError
        It is no YAML that we accept, or another artefact.
    ConfigError
        The project's ``pv.toml`` cannot be read.
    """
    # Imported late: a text without old spellings is never judged.
    from pv.rules import judge, needs_project
    from pv.shape import build

    document = parse(text, path)
    try:
        contract = build(document)
    except ShapeError as error:
        return Judged(document, None, error.findings)
    findings = judge(contract)
    if needs_project(contract):
        from pv.config import find_root
        from pv.project import Project
        from pv.rules.project_rules import judge_in_project

        folder = Path(path).resolve().parent
        findings += judge_in_project(contract, Project(find_root(folder) or folder, [contract]))
    return Judged(document, contract, tuple(findings))


def rewrite(text: str, path: str, plan: Plan) -> Rewritten:
    """Return `text` with the rewrites of `plan` made that may be made.

    Raises
    ------
    DocumentError, NotAContractError, ConfigError
        See :func:`judged`.
    """
    document = parse(text, path)
    before: Judged | None = None
    now: Judged | None = None
    made: list[Rewrite] = []
    while True:
        planned = sorted(plan(document, text), key=lambda one: one.where)
        left = [one for one in planned if isinstance(one, Left)]
        possible = [one for one in planned if isinstance(one, Rewrite)]
        if not possible:
            return Rewritten(text, tuple(made), tuple(left), _reworded(before, now))
        if now is None:
            before = now = judged(text, path)
        # What moves lines comes when all else is made, which is told of where it stands.
        step = _step(text, now, [one for one in possible if not one.moves], path)
        if not step.made:
            left += step.left
            step = _step(text, now, [one for one in possible if one.moves], path)
        if not step.made:
            return Rewritten(text, tuple(made), (*left, *step.left), _reworded(before, now))
        text, now, document = step.text, step.after, step.after.document
        made += step.made


@dataclasses.dataclass(frozen=True)
class _Step:
    text: str
    after: Judged
    made: tuple[Rewrite, ...]
    left: tuple[Left, ...]


def _step(text: str, now: Judged, planned: Sequence[Rewrite], path: str) -> _Step:
    """Make all of `planned` together, or else those that may be made, each alone."""
    if not planned:
        return _Step(text, now, (), ())
    together = _made(text, now, planned, path)
    if isinstance(together, _Step):
        return together
    if len(planned) == 1:
        return _Step(text, now, (), (Left(planned[0].where, planned[0].said, together),))
    made: list[Rewrite] = []
    left: list[Left] = []
    for one in planned:
        alone = _made(text, now, [one], path)
        if isinstance(alone, _Step):
            text, now = alone.text, alone.after
            made.append(one)
        else:
            left.append(Left(one.where, one.said, alone))
    return _Step(text, now, tuple(made), tuple(left))


def _made(text: str, now: Judged, rewrites: Sequence[Rewrite], path: str) -> _Step | str:
    """Return the text with `rewrites` made, or why it must not be so."""
    try:
        after_text = edit_text(text, [one.edit for one in rewrites], path)
        after = judged(after_text, path)
    except EditError as error:
        return error.what
    except (DocumentError, NotAContractError) as error:
        return f"the result could not be read: {error.what}"
    resolved = {code for one in rewrites for code in one.resolves or ()}
    anything = any(one.resolves is None for one in rewrites)
    changed = next(_changed(now, after, None if anything else resolved), None)
    return changed or _Step(after_text, after, tuple(rewrites), ())


def _changed(before: Judged, after: Judged, resolved: set[str] | None) -> Iterator[str]:
    """Yield what is found after and was not before, and what is no longer found though it should be."""
    then, now = _counted(before), _counted(after)
    if before.contract is None:
        # Its rules were not asked yet: what they say now is news of the contract, not of the rewrite.
        now = Counter({key: count for key, count in now.items() if key[0] == _MISSHAPEN})
        resolved = None if resolved is None else resolved | {_MISSHAPEN}
    for code, severity, message in now - then:
        yield f"it would bring {severity}[{code}]: {message}"
    for code, severity, message in then - now:
        if resolved is not None and code not in resolved:
            yield f"it would take away {severity}[{code}]: {message}"


def _counted(found: Judged) -> Counter[tuple[str, str, str]]:
    return Counter((f.code, f.severity, f.message.replace(_ASSUMED, "")) for f in found.findings)


def _reworded(before: Judged | None, after: Judged | None) -> tuple[str, ...]:
    """Return the falsifiers that were there before, and whose evidence is no longer about their clause."""
    if before is None or before.contract is None or after is None or after.contract is None:
        return ()
    digests = {f.id: clause_digest(f) for f in before.contract.falsifiers}
    return tuple(
        f.id for f in after.contract.falsifiers if f.id in digests and clause_digest(f) != digests[f.id]
    )
