from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pv.contract import Contract
from pv.document import parse
from pv.proofs import ProofReference, missing, proof_references
from pv.shape import build

LEAN = """
namespace Softmax
-- theorem commented : True := trivial
/- theorem hidden : True := trivial -/
theorem positive (x : Real) : 0 < softmax x := by
  sorry
lemma sum_one : True := trivial
theorem Softmax.bounded' : True := trivial
end Softmax
"""


def contract(*blocks: dict[str, Any] | None, theorem: str | None = None) -> Contract:
    document = {
        "metadata": {"version": "1.0.0", "description": "d", "references": ["a book"]},
        "equations": {"softmax": {"formula": "f", **({"lean_theorem": theorem} if theorem else {})}},
        "proof_obligations": [
            {"type": "bound", "property": f"p{number}", **({"lean": block} if block else {})}
            for number, block in enumerate(blocks)
        ],
    }
    return build(parse(json.dumps(document), "a-v1.yaml"))


def why(folder: Path, theorem: str, module: str | None) -> str:
    (reference,) = proof_references(contract({"theorem": theorem, "module": module}))
    return missing(reference, folder, folder)


@pytest.fixture(params=["Claims", "lean/Claims", "a/lean/Claims"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param / "Softmax.lean"
    path.parent.mkdir(parents=True)
    path.write_text(LEAN, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("theorem", ["Softmax.positive", "positive", "Softmax.sum_one", "bounded'"])
def test_what_is_declared_is_there(folder: Path, theorem: str) -> None:
    assert why(folder, theorem, "Claims.Softmax") == ""


@pytest.mark.parametrize(
    "theorem", ["Softmax.negative", "Softmax.commented", "Softmax.hidden", "posit", "bounded"]
)
def test_what_is_not_declared_is_missed(folder: Path, theorem: str) -> None:
    assert why(folder, theorem, "Claims.Softmax") == f"Claims.Softmax declares no theorem {theorem}"


@pytest.mark.parametrize(
    "module", ["Claims.Softmin", "Claims", "Claims..Softmax", "../Claims", "*", "", "x" * 5000]
)
def test_a_module_that_is_not_there_is_missed(folder: Path, module: str) -> None:
    assert why(folder, "positive", module) == f"there is no Lean module {module}"


def test_without_a_module_there_is_nowhere_to_look(tmp_path: Path) -> None:
    assert why(tmp_path, "positive", None) == ""


def test_blocks_that_do_not_apply_refer_to_nothing_and_equations_lead_to_blocks() -> None:
    made = contract(
        {"theorem": "A.one", "module": "A"},
        {"theorem": "A.two", "status": "not-applicable"},
        None,
        theorem="A.one",
    )
    found = [(each.start, each.theorem, each.module) for each in proof_references(made)]
    assert found == [("proof obligation 1", "A.one", "A"), ("softmax", "A.one", "A")]
    assert all(isinstance(each, ProofReference) and each.where.line for each in proof_references(made))
