"""Follows the chain of one contract (:mod:`pv.traceability`) and says where it is broken; runs nothing.

What the rules of ``pv validate`` see already is said in their words and by their codes, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pv.binding_registry import Registry, implementation_links
from pv.contract import Contract
from pv.finding import Finding
from pv.project import Project
from pv.proofs import missing, proof_references
from pv.references import find_references, texts_of
from pv.rules.covers import covers
from pv.rules.harness_target import harness_target
from pv.rules.references import references
from pv.rules.rule import Rule, uses_our_fields
from pv.rules.uncovered import uncovered
from pv.traceability import Chain, Link, Strength, applies_to, reaches, sources_of
from pv.traceability_codes import found

__all__ = ["trace"]


def trace(contract: Contract, project: Project, registry: Registry | None = None) -> Chain:
    """Return the links of `contract` and what is wrong with them.

    Evidence and checks are looked at only where a falsifier is bound to something.

    Raises
    ------
    ConfigError
        The project's ``pv.toml`` cannot be read.
    """
    ours = uses_our_fields(contract)
    links: list[Link] = []
    findings: list[Finding] = []
    for each in _parts(contract, project, registry, ours=ours):
        if isinstance(each, Link):
            links.append(each)
        else:
            findings.append(each)
    findings.sort(key=lambda finding: (finding.where, finding.code, finding.message))
    return Chain(contract, tuple(links), tuple(reaches(contract, links)), tuple(dict.fromkeys(findings)))


def _parts(
    contract: Contract, project: Project, registry: Registry | None, *, ours: bool
) -> Iterator[Link | Finding]:
    yield from _from_sources(contract, project)
    yield from _from_equations(contract, ours=ours)
    yield from _from_obligations(contract, ours=ours)
    yield from _from_harnesses(contract)
    yield from _from_proofs(contract, project)
    # Imported late: a contract that binds nothing needs nothing that reads checks and evidence.
    from pv.traceability_evidence import executed_links, unbound_links

    yield from unbound_links(contract, ours=ours)
    if any(falsifier.bound for falsifier in contract.falsifiers):
        yield from executed_links(contract, project)
    if registry is not None:
        yield from implementation_links(contract, registry)


def _of(rule: Rule, contract: Contract) -> Iterator[Finding]:
    """Yield what `rule` says, also of a contract in which ``pv validate`` passes over it in silence."""
    severity = rule.severity if uses_our_fields(contract) else rule.elsewhere
    for where, message in rule.judge(contract):
        yield Finding(where, rule.code, "warning" if severity == "silent" else severity, message, rule.remedy)


def _from_sources(contract: Contract, project: Project) -> Iterator[Link | Finding]:
    yield from _of(references, contract)
    listed = [" ".join(reference.split()).casefold() for reference in contract.references]
    for equation in contract.equations:
        where = contract.document.where_key(*equation.path)
        cited = list(sources_of(equation))
        if not cited:
            strength: Strength = "declared" if listed else "broken"
            yield Link("source → equation", "metadata.references", equation.name, strength, where)
        for text, place in cited:
            words = " ".join(text.split()).casefold()
            resolves = any(words and words in reference for reference in listed)
            start = text if resolves else ""
            strength = "resolves" if resolves else "broken"
            yield Link("source → equation", start, equation.name, strength, place)
            if not resolves:
                message = f"{equation.name} cites {text!r}, which metadata.references does not list"
                yield found("PV-CHAIN-010", place, message)
    if any(any(find_references(text)) for text, _, _ in texts_of(contract)):
        from pv.rules.dangling import dangling  # late: few contracts name files

        yield from dangling.check(contract, project)


def _from_equations(contract: Contract, *, ours: bool) -> Iterator[Link | Finding]:
    names = {equation.name for equation in contract.equations}
    applying: dict[str, list[str]] = {}
    to_all = 0
    for index, obligation in enumerate(contract.obligations):
        to = applies_to(obligation)
        if to == "not_applicable":
            continue  # it is set aside, and says so in the place of an equation
        if to is None:
            to_all += 1
        elif to in names:
            applying.setdefault(to, []).append(obligation.id or f"proof obligation {index + 1}")
        else:
            where = obligation.value_where("applies_to")
            message = f"the contract has no equation {to}, to which an obligation applies"
            yield found("PV-CHAIN-002", where, message, ours=ours)
    if contract.equations and not contract.obligations:
        count = len(contract.equations)
        where = contract.document.where_key("equations")
        yield found("AUDIT-003", where, f"{count} equation(s) and no proof obligation")
    for equation in contract.equations:
        where = contract.document.where_key(*equation.path)
        if named := applying.get(equation.name):
            yield Link("equation → obligation", equation.name, ", ".join(named), "resolves", where)
        elif to_all:
            yield Link("equation → obligation", equation.name, "all that apply to all", "declared", where)
        else:
            yield Link("equation → obligation", equation.name, "", "broken", where)
            if contract.obligations:
                yield found("PV-CHAIN-001", where, f"no proof obligation applies to {equation.name}")


def _from_obligations(contract: Contract, *, ours: bool) -> Iterator[Link | Finding]:
    if (contract.equations or contract.obligations) and not contract.falsifiers:
        where = contract.document.where_key("falsification_tests")
        yield found("AUDIT-001", where, "no falsifier: nothing here could turn out to be wrong")
    else:
        yield from _of(uncovered, contract)
    yield from _of(covers, contract)
    known = {obligation.id for obligation in contract.obligations if obligation.id}
    covered: dict[str, list[str]] = {}
    for falsifier in contract.falsifiers:
        for index, name in enumerate(falsifier.covers):
            if not falsifier.excluded:  # else nothing is measured of it
                covered.setdefault(name, []).append(falsifier.id)
            if name not in known:
                where = falsifier.value_where("covers", index)
                yield Link("obligation → falsifier", "", falsifier.id, "broken", where)
        # In a contract without ids nothing can be covered, which is said of each obligation.
        if known and not falsifier.covers and not falsifier.excluded:
            yield found("PV-CHAIN-003", falsifier.where, f"{falsifier.id} covers no obligation", ours=ours)
    for index, obligation in enumerate(contract.obligations):
        if obligation.not_applicable:
            continue
        start, where = obligation.id or f"proof obligation {index + 1}", obligation.where
        falsifiers = covered.get(obligation.id, ()) if obligation.id else ()
        for identifier in dict.fromkeys(falsifiers):
            yield Link("obligation → falsifier", start, identifier, "resolves", where)
        if not falsifiers and not obligation.proved:
            yield Link("obligation → falsifier", start, "", "broken", where)


def _from_harnesses(contract: Contract) -> Iterator[Link | Finding]:
    dangling = list(_of(harness_target, contract))
    broken = {finding.where for finding in dangling}
    yield from dangling
    for harness in contract.kani:
        where, target = harness.value_where("obligation"), harness.obligation.strip()
        if not target:
            yield found("AUDIT-002", where, f"harness {harness.id} names no obligation")
        resolves = bool(target) and where not in broken
        end = target if resolves else ""
        yield Link("harness → obligation", harness.id, end, "resolves" if resolves else "broken", where)


def _from_proofs(contract: Contract, project: Project) -> Iterator[Link | Finding]:
    for reference in proof_references(contract):
        beside = Path(contract.path).resolve().parent
        why = missing(reference, project.root or beside, beside)
        strength: Strength = "broken" if why else "resolves" if reference.module else "declared"
        end = "" if why else reference.theorem
        yield Link("obligation → proof", reference.start, end, strength, reference.where)
        if why:
            yield found("PV-CHAIN-004", reference.where, f"{reference.start}: {why}")
