"""What is to be said of one file by itself, before anybody looks at its project.

It goes from one process to another as bytes: its contract is built again only where it is asked for.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Literal

from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.errors import DocumentError, Location
from pv.finding import Finding
from pv.rules import judge, names_files, needs_all_of_project

__all__ = ["Asks", "Examined", "examine", "names_of", "pack", "unpack"]

_LENGTH = struct.Struct("<I")


Asks = Literal["nothing", "files", "everything"]
"""None of the rules that look at the project; the one that looks for files that are named; all of them."""


@dataclasses.dataclass(slots=True)
class Examined:
    """A file that was read, what was found in it, and its contract, where it has the shape of one.

    `note` is why it was not judged, being no contract; `noun` is what kind of file it is; `names` are the ids
    and aliases of its falsifiers; `asks` is which of the rules that look at the project may have something to
    say of it.
    """

    path: str
    findings: Sequence[Finding] = ()
    note: str = ""
    noun: str = "Contract"
    is_contract: bool = False
    names: frozenset[str] = frozenset()
    asks: Asks = "nothing"
    built: Contract | None = None
    packed: bytes = b""
    """Where it is not built: its document (:mod:`pv.packed_document`)."""

    @property
    def stem(self) -> str:
        """The name by which contracts refer to it."""
        return PurePath(self.path).stem

    def contract(self) -> Contract:
        """Return the contract of a file that has one."""
        if self.built is None:
            # Imported late: most commands get all contracts from here, or none.
            from pv.packed_document import unpack_document
            from pv.shape import build

            self.built = build(unpack_document(self.path, self.packed))
            self.packed = b""
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
        asks="everything"
        if needs_all_of_project(contract)
        else "files"
        if names_files(contract)
        else "nothing",
        built=contract,
    )


def _asks(contract: Contract) -> Asks:
    if needs_all_of_project(contract):
        return "everything"
    return "files" if names_files(contract) else "nothing"


def pack(examined: Examined) -> bytes | None:
    """Return `examined` as bytes; None if its document cannot be packed."""
    # Late: it serves only where there are hundreds of files.
    import json

    from pv.packed_document import pack_document

    document = pack_document(examined.contract().document) if examined.is_contract else b""
    if document is None:
        return None
    findings = [
        (f.where.path, f.where.line, f.where.column, f.code, f.severity, f.message, f.remedy)
        for f in examined.findings
    ]
    told = json.dumps(
        (findings, examined.note, examined.noun, examined.is_contract, sorted(examined.names), examined.asks)
    ).encode()
    return _LENGTH.pack(len(told)) + told + document


def unpack(path: Path, packed: bytes) -> Examined:
    """Return what :func:`pack` made bytes of; `path` is the file's."""
    import json

    (length,) = _LENGTH.unpack_from(packed)
    behind = _LENGTH.size + length
    findings, note, noun, is_contract, names, asks = json.loads(packed[_LENGTH.size : behind])
    found = [Finding(Location(file, line, column), *rest) for file, line, column, *rest in findings]
    return Examined(str(path), found, note, noun, is_contract, frozenset(names), asks, packed=packed[behind:])
