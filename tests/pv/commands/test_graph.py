from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"


def depend(project: Project, *targets: str) -> None:
    path = project.root / "contracts" / "small-v1.yaml"
    listed = "".join(f"\n  - {target}" for target in targets)
    path.write_text(path.read_text().replace("metadata:", f"metadata:\n  depends_on:{listed}"))


def test_a_graph_of_a_project(copied: Project) -> None:
    ended = copied.pv("graph")
    assert ended.code == Exit.ACCEPTED
    assert (
        ended.out
        == "small-v1: DISCHARGED, covered throughout\n  FALSIFY-SMALL-001  DISCHARGED  ship-blocking\n"
    )
    assert ended.err == ""


@pytest.mark.parametrize("form", ["text", "dot", "mermaid", "json"])
def test_a_cycle_is_rejected_in_every_form_and_stdout_stays_a_graph(project: Project, form: str) -> None:
    depend(project, "small-v1")
    ended = project.pv("graph", "--format", form, "--contracts")
    assert ended.code == Exit.REJECTED
    assert "contracts/small-v1.yaml:3:5: error[PV-GRAPH-001]" in ended.err
    assert "small-v1 → small-v1" in ended.err
    if form == "json":
        assert [finding["code"] for finding in ended.json["findings"]] == ["PV-GRAPH-001"]
    else:
        assert "error" not in ended.out


def test_a_dangling_edge_of_ours_is_rejected_at_its_place(project: Project) -> None:
    depend(project, "small-v2")
    ended = project.pv("graph", "contracts")
    assert ended.code == Exit.REJECTED
    assert "contracts/small-v1.yaml:3:5: error[PV-GRAPH-002]: depends on small-v2, which is no" in ended.err
    assert "small-v2: not here" in ended.out


def test_what_a_contract_says_is_no_line_of_its_own(project: Project) -> None:
    depend(project, '"small-v2\\nother.yaml:1:1: error[SCHEMA-001]: forged"')
    ended = project.pv("graph", "contracts")
    assert [line.split(" ")[0] for line in ended.err.splitlines()] == ["contracts/small-v1.yaml:3:5:", ""]
    ended = project.pv("graph", "gone\nother.yaml:1:1: error: forged")
    assert ended.code == Exit.USAGE
    assert [line[:1] for line in ended.err.splitlines()] == ["e", " "]


def test_one_contract_finds_its_neighbours(project: Project) -> None:
    project.contract(stem="other-v1", id="FALSIFY-OTHER-001", blocks=["small-v1#FALSIFY-SMALL-001"])
    depend(project, "other-v1")
    ended = project.pv("graph", "contracts/small-v1.yaml")
    assert ended.code == Exit.ACCEPTED, ended.err
    assert ended.out.splitlines()[0] == "other-v1: UNBOUND, nothing"
    assert "FALSIFY-OTHER-001" not in ended.out
    both = project.pv("graph")
    assert "    blocks    small-v1#FALSIFY-SMALL-001" in both.out


def test_a_broken_neighbour_is_an_error_and_not_a_dangling_edge(project: Project) -> None:
    depend(project, "other-v1")
    (project.root / "contracts" / "other-v1.yaml").write_text("metadata: [\n")
    ended = project.pv("graph", "contracts/small-v1.yaml")
    assert ended.code == Exit.REJECTED
    assert ended.out == ""
    assert "other-v1.yaml:2:1: error[YAML-001]" in ended.err


def test_outside_of_a_project_what_is_named_is_all_there_is(project: Project) -> None:
    (project.root / "pv.toml").unlink()
    (project.root / "contracts").rename(project.root / "claims")
    ended = project.pv("graph", "claims")
    assert ended.code == Exit.ACCEPTED, ended.err
    assert ended.out.startswith("small-v1: UNBOUND")


def test_nothing_to_draw_is_a_usage_error(project: Project) -> None:
    (project.root / "contracts" / "small-v1.yaml").unlink()
    ended = project.pv("graph")
    assert ended.code == Exit.USAGE
    assert ended.out == ""


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the outside corpus is not beside this checkout")
def test_contracts_from_elsewhere_are_drawn_whole(project: Project) -> None:
    ended = project.pv("graph", "--format", "json", "--contracts", CORPUS)
    assert ended.code == Exit.ACCEPTED, ended.err
    assert len(ended.json["contracts"]) >= 80
    assert len(ended.json["depends_on"]) >= 10


def test_json_is_one_of_the_formats(copied: Project) -> None:
    assert copied.pv("graph", "--json").json == copied.pv("graph", "--format", "json").json
