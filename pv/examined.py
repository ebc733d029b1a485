"""What is to be said of one file by itself, before anybody looks at its project.

It goes from one process to another as bytes: its contract is built again only where it is asked for.
"""

from __future__ import annotations

import dataclasses
import struct
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.document import Document
from pv.errors import DocumentError, Location
from pv.finding import Finding
from pv.place import Marks
from pv.rules import judge, needs_project

__all__ = ["Examined", "examine", "names_of", "pack", "unpack"]

_LENGTHS = struct.Struct("<5I")


@dataclasses.dataclass(slots=True)
class Examined:
    """A file that was read, what was found in it, and its contract, where it has the shape of one.

    `note` is why it was not judged, being no contract; `noun` is what kind of file it is; `names` are the ids
    and aliases of its falsifiers; `asks` is whether the rules that look at the project may have something to
    say of it.
    """

    path: str
    findings: Sequence[Finding] = ()
    note: str = ""
    noun: str = "Contract"
    is_contract: bool = False
    names: frozenset[str] = frozenset()
    asks: bool = False
    built: Contract | None = None
    packed: tuple[bytes, ...] = ()
    """Where it is not built: the document's value in JSON, its text, and the numbers of its marks."""

    @property
    def stem(self) -> str:
        """The name by which contracts refer to it."""
        return PurePath(self.path).stem

    def contract(self) -> Contract:
        """Return the contract of a file that has one."""
        if self.built is None:
            # Imported late: most commands get all contracts from here, or none.
            import json

            from pv.shape import build

            value, text, indices, ends = self.packed
            spans = array("I", ends)
            marks = Marks(text.decode(), array("I", indices), dict(zip(spans[::2], spans[1::2], strict=True)))
            self.built = build(Document(self.path, json.loads(value), marks))
            self.packed = ()
        return self.built


def names_of(contract: Contract) -> Iterable[str]:
    """Return the ids and aliases of the falsifiers of `contract`."""
    return (name for f in contract.falsifiers for name in (f.id, *f.aliases))


def examine(path: Path) -> Examined:
    """Read the file `path` and judge it by the rules that need no more than it.

    Raises
    ------
    SelectionError
        It cannot be read.
    """
    name = str(path)
    try:
        contract = load_contract(path)
    except NotAContractError as note:
        # Imported late: few folders have such files.
        from pv.artefacts import NOUNS, judge_artefact

        found = judge_artefact(note)
        if found is None:
            return Examined(name, note=note.what)
        return Examined(name, found, noun=NOUNS[note.artefact])
    except ShapeError as error:
        return Examined(name, error.findings)
    except DocumentError as error:
        where = error.where or Location(name, 1, 1)
        return Examined(name, [Finding(where, error.code, "error", error.what, error.remedy)])
    return Examined(
        name,
        judge(contract),
        is_contract=True,
        names=frozenset(names_of(contract)),
        asks=needs_project(contract),
        built=contract,
    )


def pack(examined: Examined) -> bytes | None:
    """Return `examined` as bytes; None if its document has places that only its reader can work out."""
    # Late: it serves only where there are hundreds of files. It keeps every number, and runs nothing.
    import json

    from pydantic_core import to_json

    findings = [
        (f.where.path, f.where.line, f.where.column, f.code, f.severity, f.message, f.remedy)
        for f in examined.findings
    ]
    told = findings, examined.note, examined.noun, examined.is_contract, sorted(examined.names), examined.asks
    parts = [json.dumps(told).encode(), b"", b"", b"", b""]
    if examined.is_contract:
        document = examined.contract().document
        marks = document.marks
        if not isinstance(marks, Marks):
            return None
        ends = array("I", (number for span in marks.ends.items() for number in span))
        parts[1:3] = to_json(document.value), marks.text.encode()
        parts[3:] = marks.indices.tobytes(), ends.tobytes()
    return _LENGTHS.pack(*map(len, parts)) + b"".join(parts)


def unpack(path: Path, packed: bytes) -> Examined:
    """Return what :func:`pack` made bytes of; `path` is the file's."""
    import json

    parts = []
    start = _LENGTHS.size
    for length in _LENGTHS.unpack_from(packed):
        parts.append(packed[start : start + length])
        start += length
    told, *document = parts
    findings, note, noun, is_contract, names, asks = json.loads(told)
    found = [Finding(Location(file, line, column), *rest) for file, line, column, *rest in findings]
    return Examined(str(path), found, note, noun, is_contract, frozenset(names), asks, packed=(*document,))
