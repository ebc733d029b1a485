from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.references import Reference, complaint, find_references, texts_and_steps
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-REF-001",
    "error",
    elsewhere="warning",
    summary="a reference names a file, a test or a function that is not there",
    remedy="Correct the path or the name; what is to come belongs in a plan, not in a reference.",
)
def dangling(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find references to nothing; words that are no path for certain are left alone."""
    root = project.root
    if root is None:
        return  # relative to what?
    beside = Path(contract.path).resolve().parent
    for text, steps, cited in texts_and_steps(contract):
        for index, reference in enumerate(find_references(text)):
            # A source may be cited from elsewhere: only a folder that is here makes it a path of ours.
            if cited and (index or not _is_ours(reference, root)):
                continue
            if why := complaint(reference, root, beside):
                yield Offence(contract.document.where(*steps), why)


def _is_ours(reference: Reference, root: Path) -> bool:
    return "/" in reference.path and (root / reference.path.split("/")[0]).is_dir()
