from __future__ import annotations

from pathlib import Path

from pv.contract import Contract, load_contract
from pv.gate_weakened import weakened

TEXT = """\
metadata: {version: "1.0.0", description: x, references: [a], kind: pattern}
proof_obligations:
- {id: KEEP-001, type: bound, property: kept}
- {id: KEEP-002, type: bound, property: kept as well}
falsification_tests:
- {id: A-1, rule: r, prediction: p, if_fails: f, covers: [KEEP-001, KEEP-002], ship_blocking: true}
- {id: A-2, rule: r, prediction: p, if_fails: f, covers: [KEEP-001]}
"""


def contract(folder: Path, text: str) -> Contract:
    path = folder / "kept-v1.yaml"
    path.write_text(text, encoding="utf-8")
    return load_contract(path)


def test_what_is_asked_no_more_is_told(tmp_path: Path) -> None:
    before = contract(tmp_path, TEXT)
    assert not [*weakened(before, before)]
    less = TEXT.replace("ship_blocking: true", "ship_blocking: false").replace(", KEEP-002]", "]")
    less = less.replace("- {id: KEEP-002, type: bound, property: kept as well}\n", "")
    assert [*weakened(before, contract(tmp_path, less))] == [
        "kept-v1#A-1 blocks no release any more",
        "kept-v1#A-1 covers KEEP-002 no more",
        "kept-v1: the obligation KEEP-002 is gone",
    ]


def test_more_than_before_is_no_matter_and_what_is_gone_is_for_statuses_to_tell(tmp_path: Path) -> None:
    before = contract(tmp_path, TEXT)
    more = contract(tmp_path, TEXT.replace("covers: [KEEP-001]}", "covers: [KEEP-001], ship_blocking: true}"))
    assert not [*weakened(before, more)]
    assert not [*weakened(before, contract(tmp_path, TEXT[: TEXT.index("- {id: A-2")]))]
