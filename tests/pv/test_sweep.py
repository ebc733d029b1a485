from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.journal import Journal, read_journal
from pv.outcome import Discharge
from pv.sweep import run_tasks


class Orders:
    """An executor that runs nothing: it ends its tasks in any order, and minds what it is asked for."""

    def __init__(self, slots: int, outcomes: Mapping[str, Any], seed: int, path: Path) -> None:
        self.slots = slots
        self.outcomes = outcomes
        self.random = random.Random(seed)
        self.path = path
        self.under_way: dict[str, Mapping[str, Any]] = {}
        self.begun: list[str] = []

    def start(self, task: Mapping[str, Any]) -> None:
        assert task["address"] in read_journal(self.path).running, "begun before it was written down"
        self.begun.append(task["address"])
        self.under_way[task["address"]] = task
        assert len(self.under_way) <= self.slots
        devices = [one["device"] for one in self.under_way.values() if one["device"] != "cpu"]
        assert len(set(devices)) == len(devices), "a GPU was given twice"
        gates = {one["gate"] for one in self.under_way.values()}
        assert len(gates) == 1, "a gate ran beside what it may cite"

    def wait(self, seconds: float) -> Sequence[Mapping[str, Any]]:
        assert seconds > 0
        assert self.under_way
        some = self.random.sample(sorted(self.under_way), self.random.randint(0, len(self.under_way)))
        events: list[Mapping[str, Any]] = []
        for address in some:
            del self.under_way[address]
            outcome = self.outcomes[address]
            end = Discharge(address, "a rule", outcome).to_json()
            events.append(
                {"task": address, "kind": "lost", "why": "gone", "detail": ""}
                if outcome == "Error"
                else {"task": address, "kind": "ended", "end": end}
            )
        return events

    def close(self) -> None:
        self.under_way = {}


class Hears:
    def __init__(self) -> None:
        self.ends: list[Discharge] = []

    def started(self, address: str) -> None: ...

    def told(self, address: str, what: str, done: int, total: int | None) -> None: ...

    def ended(self, end: Discharge) -> None:
        self.ends.append(end)

    def tick(self) -> None: ...


TASKS = st.lists(
    st.tuples(
        st.sampled_from(["cpu", "cpu", "cuda:0", "cuda:1"]),
        st.booleans(),
        st.sampled_from(["Pass", "Fail", "Error", "Declined"]),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(TASKS, st.integers(1, 4), st.integers(), st.none() | st.integers(1, 3), st.none() | st.integers(0, 9))
def test_each_runs_once_in_any_order_of_ends(
    tmp_path: Path,
    drawn: list[tuple[str, bool, str]],
    slots: int,
    seed: int,
    failures: int | None,
    interrupt: int | None,
) -> None:
    path = tmp_path / "a.jsonl"
    path.unlink(missing_ok=True)
    tasks = [
        {"address": f"c#{n}", "path": "c", "device": device, "gate": gate}
        for n, (device, gate, _) in enumerate(drawn)
    ]
    outcomes = {f"c#{n}": outcome for n, (_, _, outcome) in enumerate(drawn)}
    lines = [{"falsifier": task["address"], "state": "run"} for task in tasks]
    looks = iter(range(1000))
    hears = Hears()
    with Journal.begin(path, {"at": "then", "falsifiers": len(lines)}, lines) as journal:
        executor = Orders(slots, outcomes, seed, path)
        whole = run_tasks(
            tasks,
            executor,
            journal,
            hears,
            failures=failures,
            interrupted=lambda: interrupt is not None and next(looks) >= interrupt,
        )
    reading = read_journal(path)
    assert len(executor.begun) == len(set(executor.begun))
    assert reading.running == ()
    assert executor.under_way == {}
    assert {**reading.outcomes} == {address: outcomes[address] for address in reading.outcomes}
    assert [end.address for end in hears.ends] == [*reading.places]
    failed = sum(outcomes[address] in {"Fail", "Error"} for address in reading.outcomes)
    if whole and (failures is None or failed < failures):
        assert set(executor.begun) == {*outcomes} == {*reading.outcomes}
    if failures is not None:
        assert failed < failures + slots
    if not whole:
        assert interrupt is not None
    assert {*reading.left} == {*outcomes} - {*reading.outcomes}
    order = [task["address"] for task in tasks if not task["gate"]]
    if slots == 1 and failures is None and whole:
        assert [address for address in executor.begun if address in order] == order
