from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.errors import EvidenceError
from pv.host import Gpu
from pv.journal import Journal, ends, read_journal
from pv.outcome import Discharge
from pv.sweep import run_tasks

GPUS = tuple(Gpu("H100", "9.0", "1", 80, f"GPU-{name}") for name in "ab")


class Orders:
    """An executor that runs nothing: it ends its tasks in any order, and minds what it is asked for."""

    elsewhere = False

    def __init__(
        self, slots: int, outcomes: Mapping[str, Sequence[str]], seed: int, path: Path, gpus: int = 2
    ) -> None:
        self.slots = slots
        self.gpus = GPUS[:gpus]
        self.outcomes = {address: list(listed) for address, listed in outcomes.items()}
        self.random = random.Random(seed)
        self.path = path
        self.under_way: dict[str, Mapping[str, Any]] = {}
        self.begun: list[str] = []

    def start(self, task: Mapping[str, Any]) -> None:
        assert task["address"] in read_journal(self.path).running, "begun before it was written down"
        self.begun.append(task["address"])
        self.take(task)

    def take(self, task: Mapping[str, Any]) -> None:
        assert task["address"] not in self.under_way, "begun while it runs"
        self.under_way[task["address"]] = task
        assert len(self.under_way) <= self.slots
        devices = [one["device"] for one in self.under_way.values() if one["device"] != "cpu"]
        assert len(devices) <= max(1, len(self.gpus)), "more GPUs were given than there are"
        named = [device for device in devices if ":" in device]
        assert len(set(named)) == len(named), "a GPU was given twice"
        gates = {one["gate"] for one in self.under_way.values()}
        assert len(gates) == 1, "a gate ran beside what it may cite"

    def adopt(self, task: Mapping[str, Any]) -> bool:
        self.take(task)
        return True

    def wait(self, seconds: float) -> Sequence[Mapping[str, Any]]:
        assert seconds > 0
        assert self.under_way
        some = self.random.sample(sorted(self.under_way), self.random.randint(0, len(self.under_way)))
        events: list[Mapping[str, Any]] = []
        for address in some:
            del self.under_way[address]
            outcome = self.outcomes[address].pop(0)
            if outcome in {"process", "host"}:
                lost = {"task": address, "kind": "lost", "why": f"a {outcome} died", "detail": ""}
                events.append({**lost, "host": outcome == "host"})
                continue
            message = "it broke" if outcome == "Error" else ""
            end = Discharge(address, "a rule", outcome, message=message).to_json()  # type: ignore[arg-type]
            events.append({"task": address, "kind": "ended", "end": end, "records": {}})
        return events

    def close(self) -> None:
        self.under_way = {}


class Hears:
    def __init__(self) -> None:
        self.ends: list[Discharge] = []
        self.again: list[str] = []

    def started(self, address: str) -> None: ...

    def told(self, address: str, what: str, done: int, total: int | None) -> None: ...

    def ended(self, end: Discharge) -> None:
        self.ends.append(end)

    def retried(self, end: Discharge) -> None:
        self.again.append(end.address)

    def tick(self) -> None: ...


BROKEN = {"Error", "process", "host"}


def attempts_of(listed: Sequence[str], retries: int) -> int:
    """Return how many runs a falsifier needs that would end as `listed`, one after the other."""
    for count, outcome in enumerate(listed):
        if outcome not in BROKEN or count >= retries + (outcome == "host"):
            return count + 1
    raise AssertionError("the list is too short")


TASKS = st.lists(
    st.tuples(
        st.sampled_from(["cpu", "cpu", "cuda", "cuda", "cuda:0", "cuda:1"]),
        st.booleans(),
        st.integers(0, 2),
        st.lists(st.sampled_from(["Pass", "Fail", "Declined", *BROKEN]), min_size=5, max_size=5),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120, deadline=None)
@given(
    TASKS,
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(0, 9),
)
def test_each_ends_once_in_any_order_of_ends(
    tmp_path: Path,
    drawn: list[tuple[str, bool, int, list[str]]],
    slots: int,
    gpus: int,
    seed: int,
    failures: int | None,
    interrupt: int | None,
) -> None:
    path = tmp_path / "a.jsonl"
    path.unlink(missing_ok=True)
    tasks = [
        {"address": f"c#{n}", "path": "c", "device": device, "gate": gate, "retries": retries}
        for n, (device, gate, retries, _) in enumerate(drawn)
    ]
    wanted = {f"c#{n}": attempts_of(listed, retries) for n, (_, _, retries, listed) in enumerate(drawn)}
    last = {f"c#{n}": listed[wanted[f"c#{n}"] - 1] for n, (*_, listed) in enumerate(drawn)}
    last = {address: "Error" if outcome in BROKEN else outcome for address, outcome in last.items()}
    lines = [{"falsifier": task["address"], "state": "run"} for task in tasks]
    looks = iter(range(1000))
    hears = Hears()
    with Journal.begin(path, {"at": "then", "falsifiers": len(lines)}, lines) as journal:
        executor = Orders(slots, {f"c#{n}": listed for n, (*_, listed) in enumerate(drawn)}, seed, path, gpus)
        whole = run_tasks(
            tasks,
            executor,
            journal,
            hears,
            failures=failures,
            interrupted=lambda: interrupt is not None and next(looks) >= interrupt,
        )
    reading = read_journal(path)
    begun = Counter(executor.begun)
    assert all(count <= wanted[address] for address, count in begun.items())
    assert all(begun[address] == wanted[address] for address in reading.outcomes)
    assert reading.running == ()
    assert executor.under_way == {}
    assert {**reading.outcomes} == {address: last[address] for address in reading.outcomes}
    assert [end.address for end in hears.ends] == [*reading.places]
    assert Counter(hears.again) == Counter({a: len(why) for a, why in reading.attempts.items()})
    for end, _ in ends(reading):
        assert end.attempts == reading.attempts.get(end.address, ())
        assert len(end.attempts) == wanted[end.address] - 1
        assert all("broke" in why or "died" in why for why in end.attempts)
    failed = sum(last[address] in {"Fail", "Error"} for address in reading.outcomes)
    if whole and (failures is None or failed < failures):
        assert {*reading.outcomes} == {*last}
    if failures is not None:
        assert failed < failures + slots
    if not whole:
        assert interrupt is not None
    assert {*reading.left} == {*last} - {*reading.outcomes}
    order = [task["address"] for task in tasks if not task["gate"]]
    if slots == 1 and failures is None and whole and set(wanted.values()) <= {1}:
        assert [address for address in executor.begun if address in order] == order


def task(address: str, **others: Any) -> dict[str, Any]:
    return {"address": address, "path": "c", "device": "cpu", "gate": False, "retries": 0, **others}


def test_what_is_adopted_is_not_begun_again_and_gates_have_an_executor_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    tasks = [task("c#1"), task("c#2"), task("c#gate", gate=True)]
    outcomes = {one["address"]: ["Pass"] for one in tasks}
    lines = [{"falsifier": one["address"], "state": "run"} for one in tasks]
    with Journal.begin(path, {"at": "then", "falsifiers": 3}, lines) as journal:
        journal.write({"event": "start", "falsifier": "c#1", "at": "before"})
        executor, here = Orders(1, outcomes, 0, path), Orders(1, outcomes, 0, path)
        assert executor.adopt(tasks[0])
        done = run_tasks(tasks[1:], executor, journal, Hears(), adopted=tasks[:1], gate_executor=here)
    assert done
    assert (executor.begun, here.begun) == (["c#2"], ["c#gate"])
    assert read_journal(path).outcomes == {"c#1": "Pass", "c#2": "Pass", "c#gate": "Pass"}


class Carries(Orders):
    """Ends everything with a record that travelled."""

    def wait(self, seconds: float) -> Sequence[Mapping[str, Any]]:
        return [{**event, "records": {"a.json": "{}"}} for event in super().wait(seconds)]


@pytest.mark.parametrize("good", [True, False])
def test_a_record_of_another_host_is_taken_before_its_end_is_written(tmp_path: Path, good: bool) -> None:
    path = tmp_path / "a.jsonl"
    taken: list[Mapping[str, Any]] = []

    def receive(records: Mapping[str, Any]) -> None:
        assert read_journal(path).running == ("c#1",)
        taken.append(records)
        if not good:
            raise EvidenceError("it does not verify", remedy="look at it there")

    lines = [{"falsifier": "c#1", "state": "run"}]
    with Journal.begin(path, {"at": "then", "falsifiers": 1}, lines) as journal:
        executor = Carries(1, {"c#1": ["Pass"]}, 0, path)
        run_tasks([task("c#1")], executor, journal, Hears(), receive=receive)
    assert taken == [{"a.json": "{}"}]
    ((end, _),) = ends(read_journal(path))
    assert end.outcome == ("Pass" if good else "Error")
    assert ("was not taken: it does not verify" in end.message) is not good
