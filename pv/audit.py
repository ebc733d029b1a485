"""Audit a record: measure again a part of it that was drawn after it was fixed.

The record commits to what was measured under each label (:mod:`pv.commitment`). A challenge that nobody knew
when it was made decides which labels are measured again, here, without a GPU where that is enough. A run that
made up k of n labels survives m draws with probability C(n - k, m) / C(n, m) (:mod:`pv.survival`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.binding import bind_falsifier
from pv.check import Metric
from pv.commitment import Leaf, Opening, leaves_of, opened
from pv.config import Config
from pv.contract import Falsifier
from pv.errors import EvidenceError
from pv.evidence import Record
from pv.expression import measurements_to_json
from pv.freshness import changes, closure_of, current_inputs
from pv.measuring import Measurer, Stop, Tell
from pv.planning import Declined, Ready, prepare
from pv.predicate import measurements_of
from pv.runner import Runner
from pv.subjects import Subjects
from pv.survival import draw, draws_of, survival
from pv.verify import verify

__all__ = ["Audit", "Disagreement", "audit"]


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """One metric of one label that was measured otherwise; a side has no values where it has no samples."""

    label: str
    metric: str
    recorded: tuple[Any, ...]
    measured: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Audit:
    """What was drawn of a record, and what measuring it again gave."""

    root: str
    leaves: int
    challenge: str
    openings: tuple[Opening, ...]
    disagreements: tuple[Disagreement, ...]
    tolerance: float
    seconds: float
    recorded_seconds: float
    drawable: int
    """How many of the leaves could have been drawn: all that have a label."""

    def survival(self, false: int) -> float:
        """Return the probability that a record with `false` leaves that are not so would have passed."""
        return survival(self.drawable, false, len(self.openings))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values; with the openings, whoever has the root can check what was drawn."""
        return {
            "root": self.root,
            "leaves": self.leaves,
            "challenge": self.challenge,
            "tolerance": self.tolerance,
            "drawn": [
                {
                    "index": each.index,
                    "label": each.leaf.label,
                    "samples": {name: [*values] for name, values in each.leaf.samples.items()},
                    "path": [*each.path],
                }
                for each in self.openings
            ],
            "disagreements": [dataclasses.asdict(each) for each in self.disagreements],
            "survival": {str(n): self.survival(n) for n in lie_sizes(self.drawable)},
            "seconds": self.seconds,
            "recorded_seconds": self.recorded_seconds,
        }


def lie_sizes(leaves: int) -> list[int]:
    """Return how many false leaves are worth a line: one, 1 %, 10 %, half, all."""
    return sorted({1, *(max(1, math.ceil(leaves * share)) for share in (0.01, 0.1, 0.5)), leaves})


def audit(
    record: Record,
    falsifier: Falsifier,
    config: Config,
    subjects: Subjects,
    runner: Runner,
    *,
    challenge: str,
    share: float,
    tolerance: float,
    tell: Tell = lambda _what, _done, _total: None,
) -> Audit:
    """Measure again a `share` of the labels of `record`, as `challenge` draws them.

    Reals may differ by `tolerance`, relative to the larger of the two, beside the slack that their metric
    declares; counts and words must be equal.

    Raises
    ------
    EvidenceError
        The record does not verify, commits to nothing, or is not of this tree.
    Stop
        It cannot be measured here, or its check cannot be run in part.
    PvError
        Its clause, its check or a subject is not as it is stated.
    """
    verify(record)
    stated = record.predicate
    commits = stated.get("commitment")
    if commits is None:
        raise _error(record, "commits to nothing that could be drawn", "discharge again with this version")
    level = stated["place"]["level"]
    base = stated["place"]["base_level"]
    # What it was judged on need not be what is pinned here: it is compared once it was found.
    now = dataclasses.replace(
        current_inputs(falsifier, base, config), artefacts=stated["inputs"]["artefacts"]
    )
    if changed := changes(stated["inputs"], now):
        commit = str(stated["revision"]["commit"] or "")[:12]
        where = f"check out {commit}, at which it was made" if commit else "discharge again"
        raise _error(record, f"is not of this tree: {'; '.join(changed[:3])}", where)
    leaves = leaves_of(stated["measurements"])
    places = [place for place, leaf in enumerate(leaves) if leaf.label is not None]
    drawn = draw(commits["root"], challenge, places, draws_of(share, len(places)))
    labels = tuple(str(leaves[place].label) for place in drawn)
    binding = bind_falsifier(falsifier, config)
    if binding.kind != "check":
        raise Stop("Declined", f"{binding.reference} is a {binding.kind}, which cannot be run in part")
    anywhere = _without_gpu(falsifier)
    measurer = Measurer(anywhere, binding, closure_of(falsifier, config), config, runner, tell, [])
    ready = prepare(anywhere, level, subjects, (), "cpu", measurer.build)
    if isinstance(ready, Declined):
        raise Stop("Declined", ready.why, ready.command)
    _same_subjects(record, ready)
    run = measurer.measure(ready, base, seed=stated["run"]["seed"], drawn=labels, what="audit")
    again = {leaf.label: leaf for leaf in leaves_of(measurements_to_json(measurements_of(run)))}
    found = [each for place in drawn for each in _compared(leaves[place], again, binding.metrics, tolerance)]
    return Audit(
        root=commits["root"],
        leaves=len(leaves),
        challenge=challenge,
        openings=tuple(opened(leaves, place) for place in drawn),
        disagreements=tuple(found),
        tolerance=tolerance,
        seconds=run.seconds,
        recorded_seconds=stated["run"]["seconds"],
        drawable=len(places),
    )


def _without_gpu(falsifier: Falsifier) -> Falsifier:
    """Return `falsifier` as it can be measured by a processor: an audit discharges nothing."""
    needs = {level: dataclasses.replace(need, gpu=None) for level, need in falsifier.needs.items()}
    return dataclasses.replace(falsifier, needs=needs)


def _same_subjects(record: Record, ready: Ready) -> None:
    for role, artefact in ready.artefacts.items():
        known = record.predicate["inputs"]["artefacts"].get(role)
        if known != artefact.identity:
            raise _error(
                record,
                f"was made from another {role}: {artefact.name} is {artefact.identity[:12]} here,"
                f" and was {str(known)[:12]}",
                f"point at the one that was judged: --subject {artefact.name}=PATH",
            )


def _compared(
    leaf: Leaf, again: Mapping[str | None, Leaf], metrics: Mapping[str, Metric], tolerance: float
) -> Iterator[Disagreement]:
    measured = again[leaf.label].samples if leaf.label in again else {}
    for name in sorted({*leaf.samples, *measured}):
        before, after = leaf.samples.get(name, ()), measured.get(name, ())
        if not _agree(before, after, metrics[name], tolerance):
            yield Disagreement(str(leaf.label), name, before, after)


def _agree(before: Sequence[Any], after: Sequence[Any], metric: Metric, tolerance: float) -> bool:
    if len(before) != len(after) or metric.kind != "real":
        return list(before) == list(after)
    return all(_near(one, other, tolerance, metric.slack) for one, other in zip(before, after, strict=True))


def _near(one: Any, other: Any, tolerance: float, slack: float) -> bool:
    if isinstance(one, str) or isinstance(other, str):  # NaN and infinities are words in a record
        return bool(one == other)
    return bool(abs(one - other) <= tolerance * max(abs(one), abs(other)) + slack)


def _error(record: Record, what: str, remedy: str) -> EvidenceError:
    return EvidenceError(f"{'/'.join(record.path.parts[-3:])}: it {what}", remedy=remedy)
