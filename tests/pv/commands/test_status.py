from __future__ import annotations

from typing import TYPE_CHECKING

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def test_text_names_status_and_reason(copied: Project) -> None:
    ended = copied.pv("status")
    assert ended.code == Exit.ACCEPTED
    assert ended.out == f"small-v1: DISCHARGED\n  {ID}  DISCHARGED  ship-blocking  judged live\n\n"
    assert ended.err == ""


def test_json_is_alone_and_says_what_it_rests_on(copied: Project) -> None:
    copied.contract(discharge_status="FUNCTIONAL")
    document = copied.pv("status", "--json").json
    assert document == {
        "contracts": {"small-v1": "DISCHARGED"},
        "falsifiers": [
            {
                "falsifier": f"small-v1#{ID}",
                "rule": "The shipped numbers are nearly whole",
                "status": "DISCHARGED",
                "claimed": "FUNCTIONAL",
                "ship_blocking": True,
                "reason": "judged live",
                "margin": "+0.00% of max(distance) <= 0.25",
                "records": [
                    f"small-v1/{ID}/algorithm-stand-in-cpu.json",
                    f"small-v1/{ID}/live-shipped-cpu.json",
                ],
            }
        ],
    }


def test_markdown_is_a_table_that_the_contract_cannot_break(copied: Project) -> None:
    copied.contract(excluded="a | b <script>\x1b[31m")
    out = copied.pv("status", "--format", "markdown").out
    assert f"| {ID} | EXCLUDED | yes |  | a \\| b &lt;script>\\x1b[31m |" in out
    assert out.startswith("## small-v1: NOT GATED\n\n| falsifier | status |")


def test_it_runs_nothing_and_is_the_same_twice(copied: Project) -> None:
    copied.edit(
        "small_checks/wholeness.py",
        "from .distance",
        "raise SystemExit\nfrom .distance",
    )
    before = copied.evidence()
    assert copied.pv("status").out == copied.pv("status").out
    assert copied.status()[0] == "STALE"
    assert copied.evidence() == before
