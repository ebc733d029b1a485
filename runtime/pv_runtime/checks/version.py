"""What ``apr --version --json`` says of GPUs, held against what torch says when it is asked itself."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import torch

from pv.check import Metric, Run, check
from pv_runtime.cli import main

__all__ = ["version_facts"]

Answer = Callable[[], tuple[int, str]]
_KEYS = ("apr", "cuda_feature", "cuda_runtime_available", "visible_devices")


def _answer() -> tuple[int, str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        return main(["--version", "--json"]), printed.getvalue()


@check(
    metrics=[
        Metric("exit_code", unit="1", kind="count"),
        Metric("readable", unit="1", kind="count"),
        Metric("missing_keys", unit="1", kind="count"),
        Metric("feature_differs", unit="1", kind="count"),
        Metric("available_differs", unit="1", kind="count"),
        Metric("devices", unit="1", kind="count"),
        Metric("expected_devices", unit="1", kind="count"),
        Metric("wrong_devices", unit="1", kind="count"),
    ]
)
def version_facts(run: Run) -> None:
    """Run the command, read its JSON, and ask torch the same.

    `readable` is 1 if what was printed is one JSON object; `missing_keys` counts those of the version, of
    CUDA's support, of its presence and of the GPUs that it has not. `feature_differs` and `available_differs`
    are 1 where support or presence are other than torch says; `wrong_devices` counts the GPUs that are listed
    under another number or name.
    """
    answer: Answer = run.role("answer", _answer)
    code, printed = answer()
    run.record("exit_code", code)
    stated = _object(printed)
    run.record("readable", int(stated is not None))
    said = stated or {}
    run.record("missing_keys", sum(key not in said for key in _KEYS))
    run.record("feature_differs", int(said.get("cuda_feature") is not (torch.version.cuda is not None)))
    run.record("available_differs", int(said.get("cuda_runtime_available") is not torch.cuda.is_available()))
    listed = said.get("visible_devices")
    devices = listed if isinstance(listed, list) else []
    expected = [
        {"index": index, "name": torch.cuda.get_device_name(index)}
        for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]
    run.record("devices", len(devices))
    run.record("expected_devices", len(expected))
    run.record("wrong_devices", sum(device not in expected for device in devices))


def _object(printed: str) -> dict[str, Any] | None:
    try:
        stated = json.loads(printed)
    except ValueError:
        return None
    return stated if isinstance(stated, dict) else None


def _saying(answer: Answer, change: Callable[[dict[str, Any]], object]) -> Answer:
    def changed() -> tuple[int, str]:
        code, printed = answer()
        said = json.loads(printed)
        change(said)
        return code, json.dumps(said)

    return changed


@version_facts.counter_example("words_for_people", of="answer")
def words_for_people(answer: Answer) -> Answer:
    """Print the version as a sentence, as if --json had not been given."""
    return lambda: (answer()[0], "apr 0.1.0\n")


@version_facts.counter_example("presence_assumed", of="answer")
def presence_assumed(answer: Answer) -> Answer:
    """Take the driver's presence for granted where there is none, or the other way round."""
    return _saying(
        answer, lambda said: said.update(cuda_runtime_available=not said["cuda_runtime_available"])
    )


@version_facts.counter_example("support_confused", of="answer")
def support_confused(answer: Answer) -> Answer:
    """Say of the build what is true of another one."""
    return _saying(answer, lambda said: said.update(cuda_feature=not said["cuda_feature"]))


@version_facts.counter_example("a_device_too_many", of="answer")
def a_device_too_many(answer: Answer) -> Answer:
    """List a GPU that nobody can see."""
    extra = {"index": 99, "name": "NVIDIA H100 80GB HBM3"}
    return _saying(answer, lambda said: said["visible_devices"].append(extra))


@version_facts.counter_example("devices_not_said", of="answer")
def devices_not_said(answer: Answer) -> Answer:
    """Leave the list of GPUs out."""
    return _saying(answer, lambda said: said.pop("visible_devices"))


@version_facts.counter_example("refused", of="answer")
def refused(answer: Answer) -> Answer:
    """Say it all, and end as if nothing had been said."""
    return lambda: (2, answer()[1])
