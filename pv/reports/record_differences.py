"""How the differences of two records look to people."""

from __future__ import annotations

from collections.abc import Iterator

from pv.record_differences import RecordDifferences
from pv.series_differences import SeriesDifference

__all__ = ["difference_lines"]

_WORDS = {
    "equal": "agrees",
    "within": "within",
    "beyond": "DIFFERS",
    "unjudged": "not judged",
}
_MOST = 12
"""Lines of one section."""


def difference_lines(found: RecordDifferences) -> Iterator[str]:
    """Yield what is not the same of what was run, then what became of the measurements and the verdict."""
    for section, lines in found.sections.items():
        for place, line in enumerate(lines[:_MOST]):
            yield f"  {section if place == 0 else '':<11} {line}"
        if len(lines) > _MOST:
            yield f"  {'':<11} ... and {len(lines) - _MOST} more"
    if not found.sections:
        yield "  the same    clause, check, arguments, artefacts, place, versions, host, revision, seed"
    for series in found.series:
        yield f"  {_WORDS[series.kind]:<11} {series.metric}: {_explained(series)}"
    for name in found.turned:
        yield f"  DIFFERS     counter-example {name} is caught in one of them only"
    before, after = found.verdict
    same = "agrees" if before == after else "DIFFERS"
    yield f"  {same:<11} verdict: {before if before == after else f'{before} → {after}'}"


def _explained(series: SeriesDifference) -> str:
    if series.kind == "equal":
        return f"{series.samples} sample(s), every one equal"
    said = [f"{series.differing} of {series.samples} sample(s) differ"] if series.differing else []
    if series.largest is not None:
        at = f" at {series.label}" if series.label else ""
        said.append(f"by {series.largest:.3g} at most{at}")
    for number, side in ((series.only_before, "first"), (series.only_after, "second")):
        if number:
            said.append(f"{number} in the {side} only")
    if series.margin is not None:
        said.append(
            f"the verdict's margin is {series.margin:.3g}" if series.margin else "the rule asks for equality"
        )
    return ", ".join(said)
