from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pv.contract import Falsifier, load_contract
from pv.status import Status
from pv.tally import Row, by_contract, next_step, readiness, tally

if TYPE_CHECKING:
    from tests.pv.conftest import Project

BARE: Mapping[str, Any] = {"rule": "r", "prediction": "p", "if_fails": "f"}


def rows(project: Project, *falsifiers: tuple[str, str, Mapping[str, Any]]) -> list[Row]:
    """Return a row for each id, status and clause."""
    project.contract(*({"id": name, **BARE, **clause} for name, _, clause in falsifiers))
    contract = project.load()
    return [
        Row(contract, falsifier, Status(status, "because"))
        for falsifier, (_, status, _) in zip(contract.falsifiers, falsifiers, strict=True)
    ]


def test_the_tally_counts_best_first_and_leaves_exclusion_out(project: Project) -> None:
    found = rows(
        project, ("A", "STALE", {}), ("B", "DISCHARGED", {}), ("C", "EXCLUDED", {}), ("D", "STALE", {})
    )
    assert list(tally(found).items()) == [("DISCHARGED", 1), ("STALE", 2)]
    assert {stem: len(group) for stem, group in by_contract(found).items()} == {"small-v1": 4}


def test_a_model_is_ready_when_all_that_blocks_it_is_discharged_or_refuted(project: Project) -> None:
    ship = {"ship_blocking": True, "model": "big"}
    found = rows(
        project,
        ("A", "DISCHARGED", ship),
        ("B", "REFUTED", ship),
        ("C", "UNBOUND", {"model": "big"}),
        ("D", "EXCLUDED", {**ship, "excluded": "a process rule"}),
    )
    (model,) = readiness(found, project.config())
    assert (model.model, model.total, model.discharged, model.percent) == ("big", 2, 2, 100)
    assert model.blockers == ()


def test_what_blocks_comes_worst_first_and_the_share_is_rounded_down(project: Project) -> None:
    ship = {"ship_blocking": True}
    found = rows(
        project,
        *(
            (name, name, ship)
            for name in ("FUNCTIONAL", "STALE", "DISCHARGED", "VACUOUS", "UNBOUND", "FALSIFIED")
        ),
    )
    (model,) = readiness(found, project.config())
    assert [blocker.row.status.name for blocker in model.blockers] == [
        "VACUOUS", "FALSIFIED", "STALE", "UNBOUND", "FUNCTIONAL"
    ]  # fmt: skip
    assert (model.model, model.discharged, model.percent) == (None, 1, 16)


def test_199_of_200_are_not_all(project: Project) -> None:
    ship = {"ship_blocking": True}
    found = rows(
        project, *((f"A{number}", "DISCHARGED", ship) for number in range(199)), ("B", "STALE", ship)
    )
    assert readiness(found, project.config())[0].percent == 99


def test_nothing_ship_blocking_is_no_share(project: Project) -> None:
    (model,) = readiness(rows(project, ("A", "DISCHARGED", {})), project.config())
    assert (model.total, model.percent) == (0, None)


def test_a_falsifier_counts_for_its_own_model_before_its_contracts(project: Project) -> None:
    path = project.contract({"id": "A", **BARE, "model": "own"}, {"id": "B", **BARE})
    path.write_text(path.read_text().replace("metadata:\n", "metadata:\n  model: whole\n"))
    contract = project.load()
    found = [Row(contract, falsifier, Status("UNBOUND", "")) for falsifier in contract.falsifiers]
    assert [row.model for row in found] == ["own", "whole"]
    assert [model.model for model in readiness(found, project.config())] == ["own", "whole"]


def step(project: Project, status: str, **changes: object) -> str:
    project.contract(**changes)
    contract = project.load()
    return next_step(Row(contract, contract.falsifiers[0], Status(status, "")), project.config())


def test_the_next_step_is_a_command_and_what_comes_before_it(project: Project) -> None:
    again = "pv discharge small-v1#FALSIFY-SMALL-001"
    assert step(project, "DISCHARGED") == step(project, "REFUTED") == ""
    assert step(project, "STALE") == step(project, "UNBOUND") == again
    assert step(project, "FALSIFIED") == f"mend what it found, then: {again}"
    assert step(project, "VACUOUS") == f"make it able to fail, then: {again}"
    assert step(project, "FUNCTIONAL") == f"{again} --level live"
    assert step(project, "FUNCTIONAL", subjects={"live": {"numbers": "far-away"}}) == (
        f"cp FAR data/far-away.txt, pin its sha256 in pv.toml, then: {again} --level live"
    )
    assert step(project, "FUNCTIONAL", needs={"live": {"gpu": ">=8.9"}}) == (
        f"on a host with a GPU of compute capability >=8.9, then: {again} --level live"
    )
    assert step(project, "FUNCTIONAL", needs={"live": {"gpu": "any", "modules": ["a", "b"]}}) == (
        f"with the modules a and b installed, on a host with a GPU, then: {again} --level live"
    )
    assert step(project, "STALE", needs={"modules": ["a"]}) == f"with the module a installed, then: {again}"
    assert step(project, "FUNCTIONAL", subjects={"live": {"numbers": "unheard-of"}}).startswith(
        "add [subjects.unheard-of] to pv.toml, then: "
    )


def test_what_would_keep_a_run_from_counting_comes_first(project: Project) -> None:
    again = "pv discharge small-v1#FALSIFY-SMALL-001"
    far = {"live": {"numbers": "far-away"}}
    assert step(project, "UNBOUND", subjects=far) == (
        f"cp FAR data/far-away.txt, pin its sha256 in pv.toml, then: {again}"
    )
    assert step(project, "STALE", check="small_checks.nowhere:wholeness").startswith("mend its binding (")


def test_a_command_can_be_pasted_whatever_a_contract_is_called(project: Project) -> None:
    path = project.contract(
        {"id": "A", **BARE, "check": "small_checks.wholeness:wholeness"}, stem="x; rm -rf y"
    )
    contract = load_contract(path)
    row = Row(contract, contract.falsifiers[0], Status("STALE", ""))
    assert next_step(row, project.config()) == "pv discharge 'x; rm -rf y#A'"


def test_a_gate_moves_with_what_it_cites(project: Project) -> None:
    gate = {
        **BARE,
        "basis": {"a": {"falsifier": "A", "metric": "x"}, "b": {"falsifier": "B", "metric": "x"}},
        "expect": ["a == b"],
    }
    (row,) = rows(project, ("GATE", "UNBOUND", gate))
    assert next_step(row, project.config()) == (
        "discharge what it cites (A, B), then: pv discharge small-v1#GATE"
    )


def test_where_something_must_be_written_the_place_is_told(project: Project) -> None:
    unbound = step(
        project, "UNBOUND", check=None, subjects=None, expect=None, counter_examples=None, needs=None
    )
    assert unbound.startswith("bind a check at contracts/small-v1.yaml:8:3, then: ")
    only = {"functional": {"numbers": "stand-in"}}
    path = project.contract(subjects=only)
    lines = path.read_text().splitlines()
    number = 1 + next(index for index, line in enumerate(lines) if "subjects:" in line)
    assert step(project, "FUNCTIONAL", subjects=only).startswith(
        f"name a live subject at contracts/small-v1.yaml:{number}:3, then: "
    )


def test_a_row_knows_its_falsifier(project: Project) -> None:
    (row,) = rows(project, ("A", "STALE", {}))
    assert isinstance(row.falsifier, Falsifier)
    assert row.address == "small-v1#A"
