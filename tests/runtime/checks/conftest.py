from __future__ import annotations

import dataclasses
import inspect
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import pytest

from pv.check import Check, CounterExample, Value

T = TypeVar("T")
Series = dict[str, list[Any]]
Measure = Callable[..., Series]


@dataclasses.dataclass
class Recorder:
    """A run as the engine's: it damages one named role, and keeps what is recorded."""

    roles: dict[str, Any]
    arguments: dict[str, Any]
    example: CounterExample | None
    folder: str
    seed: int = 0
    device: str = "cpu"
    level: str = "functional"
    series: Series = dataclasses.field(default_factory=dict)

    def record(self, name: str, value: Value, *, label: str | None = None) -> None:
        del label
        self.series.setdefault(name, []).append(value)

    def role(self, name: str, value: T) -> T:
        assert name not in self.roles, f"role {name} passes twice"
        self.roles[name] = value
        if self.example is None or self.example.of != name:
            return value
        wanted = inspect.signature(self.example.damage).parameters.values()
        offered = {**self.roles, **self.arguments}
        extra = {p.name: offered[p.name] for p in wanted if p.kind is p.KEYWORD_ONLY}
        damaged: T = self.example.damage(value, **extra)
        return damaged

    def undamaged(self, name: str) -> Any:
        return self.roles[name]

    def progress(
        self, items: Iterable[T], total: int | None = None, *, label: Callable[[T], str] | None = None
    ) -> Iterator[T]:
        del total, label
        yield from items

    def scratch(self) -> str:
        return self.folder


@pytest.fixture(scope="session")
def measure() -> Measure:
    """Run a check on subjects, under one of its counter-examples if named, and return its series."""

    def run(
        check: Check[Any], subjects: dict[str, Any], example: str | None = None, **arguments: Any
    ) -> Series:
        planted = check.counter_examples[example] if example else None
        with tempfile.TemporaryDirectory() as folder:
            recorder = Recorder({}, arguments, planted, folder)
            given = {name: recorder.role(name, subject) for name, subject in subjects.items()}
            check(recorder, **given, **arguments)
        declared = {metric.name: metric for metric in check.metrics}
        assert set(recorder.series) <= set(declared)
        for name, values in recorder.series.items():
            counts = declared[name].kind == "count"
            assert all(type(value) is int and value >= 0 for value in values) or not counts
        return recorder.series

    return run
