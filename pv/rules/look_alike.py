from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pv.contract import Contract, Falsifier
from pv.errors import Location
from pv.rules.rule import rule

_LIKE_LATIN = frozenset(
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408"  # Cyrillic
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u0501\u04bb"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf"  # Greek
)
"""Letters of other scripts that most typefaces draw as they draw a Latin one."""


@rule(
    "PV-ID-003",
    "error",
    elsewhere="warning",
    summary="a name holds a character that cannot be seen, or that looks like another",
    remedy="Write the name in one script, without invisible characters; type it anew rather than paste it.",
)
def look_alike(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find names that read as other names: the plainest part of Unicode Technical Standard 39."""
    document = contract.document
    for name, place, *path in _names(contract):
        if not name.isascii() and (why := _complaint(name)):
            # Only now: most documents are never searched for a place.
            where = document.where_key(*path) if place == "key" else document.where(*path)
            yield where, f"the name {name!a} {why}"


def _names(contract: Contract) -> Iterator[Any]:
    """Yield each name, whether it is a key or a value, and the steps to it in the document."""
    for key in ("status", "model", "locked_level"):
        if isinstance(name := contract.metadata.get(key), str):
            yield name, "value", "metadata", key
    for index, name in enumerate(contract.depends_on):
        yield name, "value", "metadata", "depends_on", index
    for equation in contract.equations:
        yield equation.name, "key", *equation.path
    for obligation in contract.obligations:
        if obligation.id:
            yield obligation.id, "value", *obligation.path, "id"
    for harness in contract.kani:
        yield harness.id, "value", *harness.path, "id"
    for falsifier in contract.falsifiers:
        for name, place, *path in _names_of(falsifier):
            yield name, place, *falsifier.path, *path


def _names_of(falsifier: Falsifier) -> Iterator[Any]:
    for index, name in enumerate(falsifier.covers):
        yield name, "value", "covers", index
    for index, name in enumerate(falsifier.counter_examples or ()):
        yield name, "value", "counter_examples", name if falsifier.replacements else index
    for key, listed in (("blocks", falsifier.blocks), ("blocked_by", falsifier.blocked_by)):
        for index, name in enumerate(listed):
            yield name, "value", key, index
    for name, cited in falsifier.basis.items():
        yield cited.falsifier, "value", "basis", name, "falsifier"
    for level, roles in falsifier.subjects.items():
        for role, subject in roles.items():
            yield role, "key", "subjects", level, role
            yield subject, "value", "subjects", level, role


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
    letters = [character for character in name if character.isalpha()]
    if letters and _LIKE_LATIN.issuperset(letters):
        return f"reads as a Latin word: U+{ord(letters[0]):04X} is {next(iter(scripts)).capitalize()}"
    return ""
