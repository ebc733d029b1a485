"""What a contract refers to of Lean: modules and theorems. Files are searched; no prover is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pv.contract import Contract
from pv.errors import Location
from pv.regular_file import read_regular_file

__all__ = ["ProofReference", "missing", "proof_references"]

_NAME = re.compile(r"[\w.']+")
_COMMENT = re.compile(r"/-.*?-/|--[^\n]*", re.DOTALL)
_DEPTHS = ("*/", "*/*/")
_LONGEST = 1000


class ProofReference:
    """A theorem, and the module that it is said to stand in; None where none is named."""

    __slots__ = ("module", "start", "theorem", "where")

    def __init__(self, start: str, theorem: str, module: str | None, where: Location) -> None:
        self.start = start
        self.theorem = theorem
        self.module = module
        self.where = where


def proof_references(contract: Contract) -> Iterator[ProofReference]:
    """Yield what ``lean`` blocks of obligations and ``lean_theorem`` of equations refer to.

    A block with status ``not-applicable`` refers to nothing. The theorem of an equation stands where an
    obligation's block says that it does.
    """
    modules: dict[str, str | None] = {}
    for index, obligation in enumerate(contract.obligations):
        block: Any = obligation.raw.get("lean")
        if not isinstance(block, dict) or block.get("status") == "not-applicable":
            continue
        modules[block["theorem"]] = block.get("module")
        key = "module" if block.get("module") else "theorem"
        yield ProofReference(
            obligation.id or f"proof obligation {index + 1}",
            block["theorem"],
            block.get("module"),
            obligation.value_where("lean", key),
        )
    for equation in contract.equations:
        theorem = equation.raw.get("lean_theorem")
        if isinstance(theorem, str) and theorem.strip():
            where = equation.value_where("lean_theorem")
            yield ProofReference(equation.name, theorem, modules.get(theorem), where)


def missing(reference: ProofReference, root: Path, beside: Path) -> str:
    """Say what of `reference` is not there; empty if all of it is, or if it names no module to look in.

    Parameters
    ----------
    reference
        What to look for.
    root, beside
        The folder of the repository, and that of the contract: a package of Lean may lie in either, or at
        most two folders below the root.
    """
    if reference.module is None:
        return ""
    files = _files(reference.module, root, beside)
    if not files:
        return f"there is no Lean module {reference.module}"
    # A namespace may stand around it, so that the last part of the name is what its declaration has.
    wanted = re.escape(reference.theorem.rpartition(".")[2])
    declared = re.compile(rf"\b(?:theorem|lemma|def|abbrev|instance)\s+(?:[\w.']+\.)?{wanted}(?![\w'.])")
    if any(declared.search(_code(path)) for path in files):
        return ""
    return f"{reference.module} declares no theorem {reference.theorem}"


def _files(module: str, root: Path, beside: Path) -> tuple[Path, ...]:
    if len(module) > _LONGEST or not _NAME.fullmatch(module) or not all(module.split(".")):
        return ()
    path = f"{module.replace('.', '/')}.lean"
    try:
        found = [folder / path for folder in (root, beside) if (folder / path).is_file()]
        return tuple(found or (file for depth in _DEPTHS for file in root.glob(f"{depth}{path}")))
    except OSError:  # a name that no file can have
        return ()


def _code(path: Path) -> str:
    try:
        return _COMMENT.sub(" ", read_regular_file(path).decode("utf-8", "replace"))
    except OSError:
        return ""
