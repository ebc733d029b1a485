from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "PV-ID-003",
    "error",
    elsewhere="warning",
    summary="a name holds a character that cannot be seen, or that looks like another",
    remedy="Write the name in one script, without invisible characters; type it anew rather than paste it.",
)
def look_alike(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find names that read as other names (Unicode Technical Standard 39, in its simplest part)."""
    for name, where in _names(contract):
        if not name.isascii() and (why := _complaint(name)):
            yield where, f"the name {name!a} {why}"


def _names(contract: Contract) -> Iterator[tuple[str, Location]]:
    document = contract.document
    for key in ("status", "model", "locked_level"):
        yield from _text(contract.metadata.get(key), document.where("metadata", key))
    for index, name in enumerate(contract.depends_on):
        yield name, document.where("metadata", "depends_on", index)
    for equation in contract.equations:
        yield equation.name, document.where_key(*equation.path)
    for obligation in contract.obligations:
        yield from _text(obligation.id, obligation.value_where("id"))
    for harness in contract.kani:
        yield harness.id, harness.value_where("id")
    for falsifier in contract.falsifiers:
        for index, name in enumerate(falsifier.covers):
            yield name, falsifier.value_where("covers", index)
        for index, name in enumerate(falsifier.counter_examples or ()):
            yield name, falsifier.value_where("counter_examples", name if falsifier.replacements else index)
        for level, roles in falsifier.subjects.items():
            for role, subject in roles.items():
                yield role, document.where_key(*falsifier.path, "subjects", level, role)
                yield subject, falsifier.value_where("subjects", level, role)


def _text(value: Any, where: Location) -> Iterator[tuple[str, Location]]:
    if isinstance(value, str):
        yield value, where


def _complaint(name: str) -> str:
    import unicodedata

    for character in name:
        if unicodedata.category(character) in {"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"}:
            return f"holds U+{ord(character):04X}, which cannot be seen"
    for character in name:
        if unicodedata.normalize("NFKC", character) != character:
            return f"holds U+{ord(character):04X}, which stands for another character"
    # The first word of a letter's name is its script: LATIN, CYRILLIC, GREEK.
    scripts = {unicodedata.name(c, "UNKNOWN").split()[0]: c for c in name if c.isalpha()}
    if len(scripts) > 1:
        script, character = next((s, c) for s, c in scripts.items() if s != "LATIN")
        return f"mixes scripts: U+{ord(character):04X} is {script.capitalize()}"
    return ""
