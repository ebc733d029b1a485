"""How long the rest of a sweep takes, by what each took the last time, and by how this host compares."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.evidence import records_of
from pv.regular_file import read_regular_file

__all__ = ["Forecast", "longest_first", "recorded_seconds"]

_MOST = 2000
"""Of more falsifiers than these, the mean of those that ended says enough, and reading takes its time too."""
_LEAST = 0.02
"""Seconds: what a run takes besides what it measures itself."""


class Forecast:
    """Says what is left of a sweep, in seconds. Times are those of one clock, in seconds.

    `known` is address → seconds that it took the last time. What was never run counts as the others do on
    average. What took longer or shorter than the last time shows how this host compares.
    """

    def __init__(self, addresses: Collection[str], known: Mapping[str, float]) -> None:
        usual = [max(known[address], _LEAST) for address in addresses if address in known]
        mean = sum(usual) / len(usual) if usual else 1.0
        self._left = {
            address: max(known[address], _LEAST) if address in known else mean for address in addresses
        }
        self._informed = bool(usual)
        self._mean = mean
        self._running: dict[str, float] = {}
        self._took = self._foreseen = 0.0
        self._at_once = 1

    def began(self, address: str, now: float) -> None:
        """Hear that one begins."""
        self._running[address] = now
        self._at_once = max(self._at_once, len(self._running))

    def ended(self, address: str, now: float, *, again: bool = False) -> None:
        """Hear that one ended; with `again`, it will be run once more."""
        began = self._running.pop(address, now)
        foreseen = self._left.get(address, self._mean)
        self._took += now - began
        self._foreseen += foreseen
        if not again:
            self._left.pop(address, None)

    def left(self, now: float) -> float | None:
        """Return how long the rest takes; None while nothing is known that would tell."""
        if not self._informed and not self._foreseen:
            return None
        took, foreseen = self._took, self._foreseen
        for address, began in self._running.items():
            if now - began > self._left.get(address, self._mean):
                took += now - began  # it is slower than foreseen, whenever it ends
                foreseen += self._left.get(address, self._mean)
        pace = took / foreseen if foreseen else 1.0
        if self._informed:
            # Few that ended say little: until they are some, they are weighed against the last time.
            share = foreseen / (foreseen + 0.1 * sum(self._left.values()) + _LEAST)
            pace = share * pace + (1 - share)
        alone = [0.0]
        waiting = 0.0
        for address, usual in self._left.items():
            if address in self._running:
                alone.append(max(0.0, usual * pace - (now - self._running[address])))
            else:
                waiting += usual * pace
        # No sooner than the longest of what runs.
        return max(*alone, (waiting + sum(alone)) / self._at_once)


def recorded_seconds(addresses: Collection[str], evidence: Path) -> dict[str, float]:
    """Return what falsifiers took the last time, in seconds; those without records are left out."""
    if len(addresses) > _MOST:
        return {}
    found = {}
    for address in addresses:
        contract, _, identifier = address.partition("#")
        try:
            taken = [_seconds(path) for path in records_of(evidence, contract, identifier)]
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
            continue  # an estimate is no reason to stop; that it cannot be read is for others to say
        if taken:
            found[address] = sum(taken)
    return found


def longest_first(addresses: Sequence[str], known: Mapping[str, float]) -> list[str]:
    """Return `addresses` so that what takes long does not begin last, and run alone while others have ended.

    `known` is address → seconds. What was never run counts as the others do on average; of equals the order
    stays. Where `known` is right, such a list takes at most 4/3 of the best possible (Graham, Bounds on
    multiprocessing timing anomalies, 1969).
    """
    usual = [known[address] for address in addresses if address in known]
    mean = math.fsum(usual) / len(usual) if usual else 0.0  # the same in whatever order they come
    return sorted(addresses, key=lambda address: -known.get(address, mean))


def _seconds(path: Path) -> float:
    predicate: Mapping[str, Any] = json.loads(read_regular_file(path))["predicate"]
    seconds = float(predicate["run"]["seconds"])
    if predicate["place"]["level"] != "algorithm":
        return seconds
    # The record has the claim's own run; each of its counter-examples is another of that kind.
    planted = predicate["inputs"]["form"].get("counter_examples") or predicate.get("counter_examples", ())
    return seconds * (1 + len(planted))
