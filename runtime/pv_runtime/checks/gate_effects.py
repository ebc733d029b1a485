"""What gates leave behind: the model as it was, nothing beside it, and the same answer the next time."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pv.check import Metric, Run, check
from pv_runtime.formats import Checkpoint
from pv_runtime.qa.gate import Result, Settings
from pv_runtime.qa.subject import Subject
from pv_runtime.qa.suite import run_gates

__all__ = ["gates_leave_alone"]

_FILES = (
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip
"""What a published model consists of; the subject has no other files."""

Judge = Callable[[Path, Sequence[str]], Iterator[Result]]


def _judge(folder: Path, gates: Sequence[str]) -> Iterator[Result]:
    settings = Settings(prompt="def read(path):\n", expected=(), chat=False, new_tokens=6)
    return run_gates(Subject(str(folder)), settings, only=gates)


@check(
    metrics=[
        Metric("files", unit="1", kind="count"),
        Metric("changed", unit="1", kind="count"),
        Metric("added", unit="1", kind="count"),
        Metric("results", unit="1", kind="count"),
        Metric("differing_results", unit="1", kind="count"),
    ]
)
def gates_leave_alone(run: Run, *, model: Checkpoint, gates: Sequence[str]) -> None:
    """Put a copy of `model` through `gates`, twice.

    `changed` is 1 for each of `files` whose sha256 is another afterwards, or that is gone; `added` counts
    files that were not there. `differing_results` is 1 for each of `results`, a gate each, that ended
    otherwise the second time: in its outcome, its message or its value.
    """
    judge: Judge = run.role("judge", _judge)
    folder = Path(run.scratch()) / "copy"
    folder.mkdir()
    for name in _FILES:
        shutil.copy(Path(model.path).parent / name, folder / name)
    before = _digests(folder)
    first, second = (list(judge(folder, gates)) for _ in range(2))
    after = _digests(folder)
    for name, digest in before.items():
        run.record("changed", int(after.get(name) != digest), label=name)
    run.record("files", len(before))
    run.record("added", len(after.keys() - before.keys()))
    for one, other in itertools.zip_longest(first, second):
        ended = [
            None if each is None else (each.name, each.outcome, each.message, each.value)
            for each in (one, other)
        ]
        run.record("differing_results", int(ended[0] != ended[1]), label=str(ended[0])[:200])
    run.record("results", max(len(first), len(second)))


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@gates_leave_alone.counter_example("stamps_the_model", of="judge")
def stamps_the_model(judge: Judge) -> Judge:
    """Write into the model that it was looked at."""

    def stamping(folder: Path, gates: Sequence[str]) -> Iterator[Result]:
        yield from judge(folder, gates)
        with (folder / "config.json").open("a") as file:
            file.write("\n")

    return stamping


@gates_leave_alone.counter_example("report_beside_the_model", of="judge")
def report_beside_the_model(judge: Judge) -> Judge:
    """Leave a report in the model's folder."""

    def reporting(folder: Path, gates: Sequence[str]) -> Iterator[Result]:
        yield from judge(folder, gates)
        (folder / "qa.json").write_text("{}")

    return reporting


@gates_leave_alone.counter_example("remembers_the_last_time", of="judge")
def remembers_the_last_time(judge: Judge) -> Judge:
    """Leave out the second time what passed the first time."""
    seen: set[str] = set()

    def remembering(folder: Path, gates: Sequence[str]) -> Iterator[Result]:
        for result in judge(folder, [gate for gate in gates if gate not in seen]):
            seen.add(result.name)
            yield result

    return remembering
