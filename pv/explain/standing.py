"""Where it stands: the derived status and why, the last verdict, and what would move it up."""

from __future__ import annotations

from pv.contract import LEVELS
from pv.explain.section import Explained, Section
from pv.hypotheses import weigh
from pv.needs import spell_modules
from pv.planning import levels_of
from pv.reports.discharge import margin
from pv.tally import Row, next_step

__all__ = ["hypotheses", "investigations", "next_level", "status", "verdict"]


def status(of: Explained) -> Section:
    """Give the derived status and the reason, and what the contract claims."""
    derived, claimed = of.status, of.falsifier.discharge_status
    lines = [f"{derived.name}: {derived.reason}"]
    if derived.before:
        lines.append(f"before that its evidence supported {derived.before}")
    if claimed is not None and claimed != derived.name:
        lines.append(f"the contract says {claimed}")
    data = {"status": derived.name, "reason": derived.reason, "before": derived.before, "claimed": claimed}
    return Section("status", lines, data)


def verdict(of: Explained) -> Section | None:
    """Give the verdict of each record that the status rests on, and how near it was."""
    records = sorted(of.status.records, key=lambda r: LEVELS.index(r.predicate["place"]["level"]))
    if not records:
        return None
    data, lines = [], []
    for record in records:
        place, decided = record.predicate["place"], record.predicate["verdict"]
        near = margin(decided)
        path = of.project.shown(str(record.path))
        data.append({"level": place["level"], "outcome": decided["outcome"], "margin": near, "record": path})
        nearest = f", nearest {near}" if near else ""
        lines.append(f"{place['level']}: {decided['outcome']} on {place['subject']}{nearest}")
        lines += [f"    FAILS {line['text']}" for line in decided["lines"] if not line["truth"]]
        lines.append(f"    {path}")
    return Section("last judged", lines, data)


def next_level(of: Explained) -> Section | None:
    """Say what would move it up, with the command."""
    step = next_step(Row(of.contract, of.falsifier, of.status), of.project.config)
    if not step:
        return None
    levels = list(levels_of(of.falsifier))
    needs = {level: of.falsifier.needs_at(level) for level in levels}
    gpus = {level: need.gpu for level, need in needs.items() if need.gpu}
    modules = {level: list(need.modules) for level, need in needs.items() if need.modules}
    lines = [step, *(f"the {level} level needs a GPU of {gpu}" for level, gpu in gpus.items())]
    lines += [f"the {level} level needs {spell_modules(names)}" for level, names in modules.items()]
    return Section("next", lines, {"step": step, "levels": levels, "gpu": gpus, "modules": modules})


def hypotheses(of: Explained) -> Section | None:
    """Give the explanations of a defect that its verdict can refute, and where each stands."""
    project = of.project
    found = [
        (contract, each)
        for contract in project.joined.contracts.values()
        for hypothesis in contract.hypotheses
        if of.address in (each := weigh(hypothesis, contract, project)).addresses
    ]
    if not found:
        return None
    lines = [line for _, each in found for line in each.lines()]
    return Section("hypotheses", lines, [{"contract": c.stem, **each.to_json()} for c, each in found])


def investigations(of: Explained) -> Section | None:
    """Give what was found out about it, and what was withdrawn since."""
    # Imported late: most falsifiers have none.
    from pv.investigation_judgement import investigations_of
    from pv.reports.investigation import as_json, render

    found = investigations_of(of.contract, of.falsifier, of.project.config)
    return Section("found out", render(found), [as_json(one) for one in found]) if found else None
