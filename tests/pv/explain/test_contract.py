from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.pv.test_hypotheses import ID, supposed

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def test_a_contract_is_explained_by_its_name_or_file(copied: Project) -> None:
    supposed(copied, {ID: "Fail"}, {ID: "Pass"}, {"FALSIFY-SMALL-002": "Pass"})
    ended = copied.pv("explain", "small-v1")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0] == "small-v1 1.0.0"
    assert f"  {ID}  DISCHARGED: " in ended.out
    assert "  FALSIFY-SMALL-002  UNBOUND: r" in lines
    assert lines[-1] == "  1 surviving, 1 open, 1 refuted"
    assert copied.pv("explain", "contracts/small-v1.yaml").out == ended.out


def test_for_programs(copied: Project) -> None:
    supposed(copied, {ID: "Fail"})
    told = json.loads(copied.pv("explain", "small-v1", "--json").out)
    assert told["contract"] == "small-v1"
    assert [each["status"] for each in told["falsifiers"]] == ["DISCHARGED", "UNBOUND"]
    (hypothesis,) = told["hypotheses"]
    assert (hypothesis["id"], hypothesis["state"]) == ("H1", "refuted")
    (prediction,) = hypothesis["predictions"]
    assert (prediction["address"], prediction["seen"]) == (f"small-v1#{ID}", "Pass")
    assert prediction["records"]


def test_one_without_hypotheses_says_nothing_of_them(project: Project) -> None:
    assert "hypotheses" not in project.pv("explain", "small-v1").out
