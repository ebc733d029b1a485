"""What a verified record says, in the few values that choosing, querying and plotting need."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pv.errors import EvidenceError, ExpressionError
from pv.evidence import Record
from pv.expression import parse
from pv.expression.syntax import Aggregate, Comparison, Node, names, render
from pv.freshness import deciding_digest

__all__ = ["Compared", "Facts", "Refused", "facts_of", "host_class"]


@dataclasses.dataclass(frozen=True)
class Refused:
    """Something that was found where records lie, and is none that counts: what, and why."""

    name: str
    why: str

    @classmethod
    def of(cls, name: str, error: EvidenceError) -> Self:
        """Return what `error` says of the record `name`, which it may name first itself."""
        return cls(name, error.what.removeprefix(name).removeprefix(": ").removeprefix(" "))


@dataclasses.dataclass(frozen=True)
class Compared:
    """A comparison of the rule that has a margin, as one record came out.

    `measured` is the side that was measured, as canonical text (``min(cosine)``), and `value` what it was;
    where both sides were measured, the whole comparison and its margin. `relative` is the margin as a share
    of the threshold, where there is one that is not 0.
    """

    measured: str
    value: float
    margin: float
    relative: float | None
    unit: str | None


@dataclasses.dataclass(frozen=True)
class Facts:
    """One run: of what, where, when, and how it came out."""

    digest: str
    """The sha256 of the record's bytes."""
    contract: str
    identifier: str
    level: str
    base_level: str
    subject: str
    device: str
    run: str
    """Its key, of a claim about several; else empty."""
    host: str
    """The class of the host, not its name: see :func:`host_class`."""
    outcome: str
    started_at: str
    """UTC, ISO 8601."""
    seconds: float
    commit: str
    """Empty where there was no git."""
    dirty: bool
    clause: str
    """Digest of the clause."""
    inputs: str
    """Digest of all that must be the same for the record to be fresh."""
    compared: tuple[Compared, ...]
    """Each measured side once, in the order of the rule."""
    decisive: str
    """The measured side that was nearest to its threshold; empty where nothing has a margin."""

    @property
    def address(self) -> str:
        """The falsifier: ``contract#ID``."""
        return f"{self.contract}#{self.identifier}"

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What is compared over time: level, subject, device and host class."""
        return self.level, self.subject, self.device, self.host


def facts_of(record: Record, digest: str) -> Facts:
    """Return the facts of a verified `record` whose bytes have the sha256 `digest`.

    Raises
    ------
    EvidenceError
        It has not the shape of a record.
    """
    whole = record.predicate
    try:
        stated, place, run, revision = whole["falsifier"], whole["place"], whole["run"], whole["revision"]
        compared, decisive = _compared(whole["verdict"])
        started = dt.datetime.fromisoformat(run["started_at"])
        if started.tzinfo is None:
            raise ValueError("the start has no time zone")
        return Facts(
            digest=digest,
            contract=stated["contract"],
            identifier=stated["id"],
            level=place["level"],
            base_level=place["base_level"],
            subject=place["subject"],
            device=place["device"],
            run=place.get("run") or "",
            host=host_class(whole["host"], place),
            outcome=whole["verdict"]["outcome"],
            started_at=started.astimezone(dt.UTC).isoformat(),
            seconds=float(run["seconds"]),
            commit=str(revision["commit"] or ""),
            dirty=bool(revision["dirty"]),
            clause=whole["inputs"]["clause"],
            inputs=deciding_digest(whole["inputs"]),
            compared=compared,
            decisive=decisive,
        )
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError, ExpressionError) as error:
        shown = "/".join(record.path.parts[-3:])
        raise EvidenceError(
            f"{shown} has not the shape of a record ({type(error).__name__}: {error})",
            remedy="discharge again",
        ) from error


def host_class(host: Mapping[str, Any], place: Mapping[str, Any]) -> str:
    """Name the kind of machine of a run: system, processor, cores, and the GPU where it ran on one.

    Figures of two classes are never one series: what is noise on one machine is a step between two.
    """
    parts = [host["class"], host["cpu"], f"{host['cores']} cores"]
    if place["device"] != "cpu":
        # Older records do not say which of the host's GPUs it was.
        kinds = sorted({gpu["name"] for gpu in host["gpus"] if gpu["capability"] == place["capability"]})
        parts += [place.get("gpu") or " or ".join(kinds) or place["device"]]
    return ", ".join(map(str, parts))


def _compared(verdict: Mapping[str, Any]) -> tuple[tuple[Compared, ...], str]:
    found: dict[str, Compared] = {}
    nearest = verdict["closest"] or {"line": None, "text": None}
    decisive = ""
    for number, line in enumerate(verdict["lines"]):
        for trace in line["comparisons"]:
            for one in _of_trace(trace):
                found.setdefault(one.measured, one)
                if not decisive and (number, trace["text"]) == (nearest["line"], nearest["text"]):
                    decisive = one.measured
    return tuple(found.values()), decisive or next(iter(found), "")


def _of_trace(trace: Mapping[str, Any]) -> Iterator[Compared]:
    if trace.get("margin") is None:
        return
    root = parse(trace["text"]).root
    wrap = root.function if isinstance(root, Aggregate) else ""
    inner = root.argument if isinstance(root, Aggregate) else root
    if not isinstance(inner, Comparison) or len(inner.operands) != 2:
        return
    left, right = inner.operands
    if names(left) and names(right):
        side, value = render(root), trace["margin"]
    elif names(left):
        side, value = _side(wrap, left), trace["left"]
    else:
        side, value = _side(wrap, right), trace["right"]
    if not isinstance(value, str):
        relative = trace.get("relative")
        yield Compared(
            side,
            float(value),
            float(trace["margin"]),
            None if relative is None else float(relative),
            trace.get("unit"),
        )


def _side(wrap: str, side: Node) -> str:
    """Name the sample that decides ``all(x >= 1)`` or ``any(x >= 1)`` apart from a plain ``x``."""
    return f"{wrap}({render(side)})" if wrap else render(side)
