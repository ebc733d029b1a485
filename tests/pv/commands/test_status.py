from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
BARE = {"rule": "r", "prediction": "p", "if_fails": "f"}


def commit(project: Project) -> None:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "-A", "-f", "."), (*names, "commit", "-q", "-m", "state")):
        subprocess.run(["git", "-C", str(project.root), *words], check=True, capture_output=True)


def name_model(project: Project, model: str) -> None:
    path = project.root / "contracts" / "small-v1.yaml"
    path.write_text(path.read_text().replace("metadata:\n", f"metadata:\n  model: {model}\n", 1))


def test_text_names_status_reason_and_what_is_ready(copied: Project) -> None:
    name_model(copied, "numbers-1")
    ended = copied.pv("status")
    assert ended.code == Exit.ACCEPTED
    assert ended.out == (
        f"small-v1: DISCHARGED\n  {ID}  DISCHARGED  ship-blocking  judged live\n  1 DISCHARGED\n\n"
        "model numbers-1: 1 of 1 ship-blocking falsifiers discharged (100 %)\n"
    )
    assert ended.err == ""


def test_json_is_alone_and_says_what_it_rests_on(copied: Project) -> None:
    copied.contract(discharge_status="FUNCTIONAL")
    document = copied.pv("status", "--json").json
    assert document == {
        "contracts": {"small-v1": "DISCHARGED"},
        "tally": {"all": {"DISCHARGED": 1}, "contracts": {"small-v1": {"DISCHARGED": 1}}},
        "falsifiers": [
            {
                "falsifier": f"small-v1#{ID}",
                "rule": "The shipped numbers are nearly whole",
                "status": "DISCHARGED",
                "claimed": "FUNCTIONAL",
                "model": None,
                "ship_blocking": True,
                "waived": None,
                "waiting": [],
                "reason": "judged live",
                "margin": "+0.00% of max(distance) <= 0.25",
                "limits": {},
                "records": [
                    f"small-v1/{ID}/algorithm-stand-in-cpu.json",
                    f"small-v1/{ID}/live-shipped-cpu.json",
                ],
            }
        ],
        "models": [
            {"model": None, "ship_blocking": 1, "discharged": 1, "percent": 100, "blockers": []},
        ],
        "against": None,
    }


def test_markdown_is_a_table_that_the_contract_cannot_break(copied: Project) -> None:
    copied.contract(excluded="a | b <script>\x1b[31m\\|")
    name_model(copied, "'x | y'")
    out = copied.pv("status", "--format", "markdown").out
    assert f"| {ID} | EXCLUDED | yes |  |  | a &#124; b &#60;script&#62;&#92;x1b&#91;31m&#92;&#124; |" in out
    assert out.startswith("## small-v1: NOT GATED\n\n| falsifier | status |")
    assert "| x &#124; y | 0 | 0 | NOT GATED |" in out


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


def test_what_blocks_shipping_comes_with_its_reason_and_the_command(copied: Project) -> None:
    copied.edit("small_checks/scale.py", "1", "2")
    lines = copied.pv("status").out.splitlines()
    at = lines.index("no model named: 0 of 1 ship-blocking falsifiers discharged (0 %)")
    assert lines[at + 1] == "  what blocks shipping, worst first:"
    assert lines[at + 2].startswith(f"  STALE  small-v1#{ID}: ")
    assert lines[at + 3] == f"      pv discharge small-v1#{ID}"
    (blocker,) = copied.pv("status", "--json").json["models"][0]["blockers"]
    assert (blocker["status"], blocker["next"]) == ("STALE", f"pv discharge small-v1#{ID}")


def test_a_selection_says_that_its_share_is_of_the_selection(copied: Project) -> None:
    assert "1 of 1 ship-blocking falsifiers of what was selected discharged" in copied.pv("status", ID).out
    assert copied.pv("status", "FALSIFY-NONE").code == Exit.USAGE


def test_who_waits_is_told_across_contracts_and_of_what_was_not_selected(copied: Project) -> None:
    waiting = [
        {"id": f"FALSIFY-W-{number}", **BARE, "ship_blocking": True, "blocked_by": [f"small-v1#{ID}"]}
        for number in range(2)
    ]
    copied.contract(*waiting, stem="waiting-v1")
    assert "wait on this one" not in copied.pv("status", ID).out  # nobody waits on what is discharged
    copied.edit("small_checks/scale.py", "1", "2")
    told = "2 falsifiers wait on this one, 2 ship-blocking: waiting-v1#FALSIFY-W-0, waiting-v1#FALSIFY-W-1"
    assert told in copied.pv("status", ID).out
    whole = copied.pv("status")
    assert f"      waits on small-v1#{ID} (STALE)" in whole.out
    document = copied.pv("status", "--json").json
    assert document["falsifiers"][0]["waiting"] == ["waiting-v1#FALSIFY-W-0", "waiting-v1#FALSIFY-W-1"]
    assert document["models"][0]["blockers"][-1]["waits_on"] == [f"small-v1#{ID}"]


def test_a_broken_contract_beside_is_noted_and_hides_nothing(copied: Project) -> None:
    (copied.root / "contracts" / "broken-v1.yaml").write_text("metadata: [\n")
    ended = copied.pv("status", "contracts/small-v1.yaml")
    assert ended.code == Exit.ACCEPTED
    assert f"  {ID}  DISCHARGED" in ended.out
    assert "note: who waits on what was selected is not wholly known: " in ended.err


def test_a_failing_discharge_says_who_waits(copied: Project) -> None:
    copied.contract({"id": "FALSIFY-W-1", **BARE, "blocked_by": [ID]}, stem="waiting-v1")
    copied.contract(expect=["max(distance) <= 0.01"], counter_examples=["one_half"])
    ended = copied.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert "  blocks      1 falsifier waits on this one, 0 ship-blocking: waiting-v1#FALSIFY-W-1" in ended.out
    assert "wait on this one" not in copied.pv("discharge", "waiting-v1#FALSIFY-W-1").out


def test_a_waiver_is_beside_the_status_and_still_blocks(copied: Project) -> None:
    copied.edit("small_checks/scale.py", "1", "2")
    (copied.root / "waivers.yaml").write_text(
        f"- id: {ID}\n  reason: a known fault\n  approver: me\n"
        "  created: '2020-01-01'\n  expires: '9999-12-31'\n"
    )
    copied.edit("pv.toml", "[project]", '[project]\nwaivers = "waivers.yaml"')
    ended = copied.pv("status")
    assert f"  {ID}  STALE (WAIVED until 9999-12-31: a known fault)  ship-blocking" in ended.out
    assert "0 of 1 ship-blocking falsifiers discharged (0 %)" in ended.out
    row = copied.pv("status", "--json").json["falsifiers"][0]
    assert (row["status"], row["waived"]) == ("STALE", "WAIVED until 9999-12-31: a known fault")
    assert "STALE (WAIVED" in copied.pv("status", "--format", "markdown").out
    assert "1 STALE" in ended.out


def test_a_contract_whose_falsifiers_are_gone_is_still_there(copied: Project) -> None:
    path = copied.contract({"id": "FALSIFY-NEW-1", **BARE}, stem="new-v1")
    commit(copied)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("falsification_tests")], encoding="utf-8")
    lines = copied.pv("status", "--against", "HEAD").out
    assert "contract new-v1 is gone" not in lines
    assert "  gone      new-v1#FALSIFY-NEW-1: UNBOUND → nothing" in lines
    path.unlink()
    assert "contract new-v1 is gone" in copied.pv("status", "--against", "HEAD").out


def test_against_a_revision_it_says_what_moved(copied: Project) -> None:
    commit(copied)
    assert copied.pv("status", "--against", "HEAD").out.splitlines()[-1].endswith(": the tally is the same")
    copied.edit("small_checks/scale.py", "1", "2")
    copied.contract({"id": "FALSIFY-NEW-1", **BARE}, stem="new-v1")
    ended = copied.pv("status", "--against", "HEAD")
    assert ended.code == Exit.ACCEPTED
    lines = ended.out.splitlines()
    minus = "\N{MINUS SIGN}"
    assert f"  1 STALE ({minus}1 DISCHARGED, +1 STALE)" in lines
    at = next(number for number, line in enumerate(lines) if line.startswith("against HEAD ("))
    assert lines[at].endswith(f": {minus}1 DISCHARGED, +1 UNBOUND, +1 STALE")
    assert lines[at + 1] == "  contract new-v1 is new"
    assert lines[at + 2] == "  new       new-v1#FALSIFY-NEW-1: nothing → UNBOUND"
    assert lines[at + 3].startswith(f"  demoted   small-v1#{ID}: DISCHARGED → STALE: ")
    against = copied.pv("status", "--against", "HEAD", "--json").json["against"]
    assert against["tally"] == {"DISCHARGED": -1, "UNBOUND": 1, "STALE": 1}
    assert [one["direction"] for one in against["moved"]] == ["new", "demoted"]
    markdown = copied.pv("status", "--against", "HEAD", "--format", "markdown").out
    assert "- demoted   small-v1" in markdown


def test_of_one_falsifier_that_was_named_the_others_are_not_gone(copied: Project) -> None:
    text = (copied.root / "contracts" / "small-v1.yaml").read_text()
    path = copied.root / "contracts" / "small-v1.yaml"
    path.write_text(f"{text}- id: FALSIFY-OTHER-1\n  rule: r\n  prediction: p\n  if_fails: f\n")
    commit(copied)
    assert copied.pv("status", ID, "--against", "HEAD").out.count("gone") == 0
    path.write_text(text)
    assert copied.pv("status", ID, "--against", "HEAD").out.count("gone") == 0
    whole = copied.pv("status", "contracts", "--against", "HEAD").out
    assert "  gone      small-v1#FALSIFY-OTHER-1: UNBOUND → nothing" in whole


@pytest.mark.parametrize("reference", ["nonsense", "-x", "HEAD~9"])
def test_no_revision_is_a_usage_error_and_nothing_is_shown(copied: Project, reference: str) -> None:
    commit(copied)
    ended = copied.pv("status", f"--against={reference}")
    assert ended.code == Exit.USAGE
    assert ended.out == ""


def test_no_falsifiers_is_nothing_selected(project: Project) -> None:
    path = project.contract()
    path.write_text(path.read_text().partition("falsification_tests")[0])
    ended = project.pv("status")
    assert ended.code == Exit.USAGE
    assert ended.out == ""
