"""What of its host a claim holds for, where the contract says so: ``bound_to: [gpu, driver, triton]``.

How long something takes is a fact of one GPU under one driver and one compiler. A record of such a claim is
therefore stale on a host whose GPU is of the same capability and that differs in what the claim is bound to:
there it can be measured again. A host without such a GPU has nothing to compare with, and takes the record as
it is, with what it was measured on beside the status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.contract import Falsifier
from pv.host import gpus, versions

__all__ = ["differences", "measured_on"]

_ARROW = "→"


def differences(falsifier: Falsifier, predicate: Mapping[str, Any]) -> tuple[str, ...]:
    """Say in what this host differs from that of a verified record, of what the claim is bound to."""
    capability = predicate["place"].get("capability")
    if not falsifier.bound_to or predicate["place"]["level"] == "algorithm" or capability is None:
        return ()
    here = [vars(gpu) for gpu in gpus() if gpu.capability == capability]
    if not here:
        return ()
    then = _facts(falsifier.bound_to, _of(capability, predicate["host"]["gpus"]), predicate["versions"])
    now = _facts(falsifier.bound_to, here[0], versions(falsifier.bound_to))
    return tuple(
        f"{name} {then.get(name, 'not recorded')} {_ARROW} {now[name]}"
        for name in falsifier.bound_to
        if name in now and then.get(name) != now[name]
    )


def measured_on(falsifier: Falsifier, predicate: Mapping[str, Any]) -> str:
    """Say what a record of a claim that is bound to its host was measured on; empty for other claims."""
    capability = predicate["place"].get("capability")
    facts = _facts(falsifier.bound_to, _of(capability, predicate["host"]["gpus"]), predicate["versions"])
    return ", ".join(_spelled(facts))


def _spelled(facts: Mapping[str, str]) -> Iterator[str]:
    for name, value in facts.items():
        yield value if name == "gpu" else f"{name} {value}"


def _of(capability: str | None, every: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((gpu for gpu in every if gpu["capability"] == capability), {})


def _facts(names: Sequence[str], gpu: Mapping[str, Any], installed: Mapping[str, str]) -> dict[str, str]:
    """Return what `names` are; those of which nothing is known are left out."""
    known = {**installed, **({"gpu": gpu["name"], "driver": gpu["driver"]} if gpu else {})}
    return {name: known[name] for name in names if name in known}
