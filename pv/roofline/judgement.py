"""Claims against ceilings: attainable, unattainable, measured beyond what is possible, or not judged and why.

A ceiling is the highest that could be: the fastest machine that the claim allows, the fewest bytes that its
subject can be read with, the highest peak. So what is above it is surely wrong; what is below may be, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.errors import EvidenceError
from pv.evidence import read_record, records_of
from pv.host import gpu_satisfies
from pv.project import Project
from pv.roofline.arithmetic import decode_rate, prefill_rate, training_rate
from pv.roofline.claims import Claim, demands, measured, phase_of
from pv.roofline.hardware import TABLE, Hardware, of_gpu
from pv.roofline.shapes import Shape, UnknownShapeError, shape_of
from pv.verify import verify

__all__ = ["Assumed", "Judged", "Outcome", "judge_all"]

Outcome = Literal["attainable", "possible", "unattainable", "impossible", "not judged"]
"""Of rules the first and the third, of measurements the second and the fourth."""


@dataclasses.dataclass(frozen=True)
class Assumed:
    """What the command line adds: a machine for rules, and a shape for subjects that are not here."""

    hardware: Hardware | None = None
    shape: Shape | None = None
    context: int = 0
    kv_bits: float = 16


@dataclasses.dataclass(frozen=True)
class Judged:
    """A claim, the ceiling of it (in its unit), and what the ceiling was made of."""

    claim: Claim
    outcome: Outcome
    ceiling: float | None
    reason: str


class _NotJudgedError(Exception):
    pass


def judge_all(contracts: Sequence[Contract], config: Config, assumed: Assumed) -> Iterator[Judged]:
    """Judge every performance claim of `contracts`, and every record of those; executes nothing.

    Raises
    ------
    EvidenceError
        A record cannot be read, or contradicts itself: what it measured is not known.
    """
    project = Project(config.root, contracts)
    for contract in contracts:
        for falsifier in contract.falsifiers:
            if falsifier.excluded:
                continue
            metrics = project.metrics_if_readable(falsifier) or {}
            for claim in demands(contract, falsifier, metrics):
                yield _judge(claim, config, assumed)
            yield from _records(contract, falsifier, config, assumed)


def _records(contract: Contract, falsifier: Falsifier, config: Config, assumed: Assumed) -> Iterator[Judged]:
    for path in records_of(config.evidence, contract.stem, falsifier.id):
        record = read_record(path)
        try:
            verify(record, outcomes_only=True)
        except (LookupError, TypeError, ValueError) as error:
            raise EvidenceError(f"{path.name} is no record", remedy="discharge it again") from error
        for claim in measured(contract, falsifier, record):
            yield _judge(claim, config, assumed)


def _judge(claim: Claim, config: Config, assumed: Assumed) -> Judged:
    try:
        machines = _machines(claim, assumed)
        found = [_ceiling(claim, machine, config, assumed) for machine in machines]
    except (_NotJudgedError, UnknownShapeError) as error:
        return Judged(claim, "not judged", None, str(error))
    ceiling, reason = max(found)
    above = claim.value > ceiling
    if claim.record is None:
        return Judged(claim, "unattainable" if above else "attainable", ceiling, reason)
    if above:
        reason += "; the measurement is wrong, or it was of a cache"
    return Judged(claim, "impossible" if above else "possible", ceiling, reason)


def _machines(claim: Claim, assumed: Assumed) -> list[Hardware]:
    if claim.record is not None:
        name = claim.record.predicate["place"].get("gpu")
        known = of_gpu(str(name)) if name else None
        stated = assumed.hardware
        if stated and (str(name) in stated.gpus if name else not stated.gpus):
            return [stated]
        if known is None:
            which = f"on a {name}" if name else "without a GPU"
            raise _NotJudgedError(f"measured {which}, of which the table of hardware has nothing")
        return [known]
    if assumed.hardware is not None:
        return [assumed.hardware]
    need = claim.falsifier.needs_at(claim.level).gpu
    found = [one for one in TABLE.values() if need and one.capability and gpu_satisfies(need, one.capability)]
    if not found:
        why = f"it needs a GPU {need}, of which the table has none" if need else "no machine is named"
        raise _NotJudgedError(f"{why}; --hardware names one")
    return found


def _ceiling(claim: Claim, machine: Hardware, config: Config, assumed: Assumed) -> tuple[float, str]:
    if claim.kind == "B/s":
        return machine.bandwidth, f"memory of {machine.said}"
    if claim.kind == "FLOP/s":
        dtype = claim.falsifier.arguments.get("dtype")
        stated = dtype if isinstance(dtype, str) and dtype in machine.peaks else None
        return machine.peak(stated), f"peak of {machine.said}{f' in {stated}' if stated else ''}"
    return max(_tokens(claim, machine, shape, assumed) for shape in _shapes(claim, config, assumed))


def _tokens(claim: Claim, machine: Hardware, shape: Shape, assumed: Assumed) -> tuple[float, str]:
    phase = phase_of(claim)
    peak, parameters = machine.peak(), shape.parameters
    if phase == "training":
        return (
            training_rate(parameters=parameters, peak=peak),
            f"training on {machine.said}, {shape.source}",
        )
    if phase != "decode":
        what = "reading a prompt" if phase == "prefill" else "any pass (which one is not said)"
        return prefill_rate(parameters=parameters, peak=peak), f"{what} on {machine.said}, {shape.source}"
    cache = shape.cache(assumed.context, assumed.kv_bits)
    if shape.weights + cache <= machine.cache:
        rate = prefill_rate(parameters=parameters, peak=peak)
        return rate, f"arithmetic of {machine.said}: all fits its cache; {shape.source}"
    rate = decode_rate(
        weights=shape.weights,
        cache=cache,
        bandwidth=machine.bandwidth,
        batch=_batch(claim.falsifier.arguments),
        parameters=parameters,
        peak=peak,
    )
    return rate, f"decoding on {machine.said}, {shape.source}"


def _batch(arguments: Mapping[str, object]) -> int:
    stated = [arguments.get(name) for name in ("batch", "batch_size", "sequences")]
    return next((one for one in stated if isinstance(one, int) and 0 < one < 1 << 20), 1)


def _shapes(claim: Claim, config: Config, assumed: Assumed) -> list[Shape]:
    if claim.record is not None:
        names = [str(one["name"]) for one in claim.record.predicate["subjects"].values()]
    else:
        names = [*claim.falsifier.subjects.get(claim.level, {}).values()]
    found, why = [], ""
    for name in dict.fromkeys(names):
        try:
            found.append(shape_of(name, config))
        except UnknownShapeError as error:
            why = why or str(error)
    if not why and found:
        return found
    if assumed.shape is not None:
        return [*found, assumed.shape]
    # Of several subjects, one that is not known may be the small one.
    raise _NotJudgedError(f"{why or 'it has no subject'}; --params and --bits say what a token reads")
