"""Evidence: a sealed record, and the sidecar that holds its long series."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz.json_damage import WORDS, damage_json, json_text
from benchmarks.fuzz.target import Target
from pv.errors import EvidenceError
from pv.evidence import parse_record, read_record, seal, sidecars_of
from pv.record_facts import facts_of
from pv.verify import verify

__all__ = ["EVIDENCE"]

_ROOT = Path(__file__).parents[3]
_BETWEEN = b"\n=== sidecar ===\n"
"""Between a record and its sidecar in one input."""


@functools.cache
def _chosen() -> dict[bytes, tuple[Path, bytes]]:
    """Return id → path of a record and its input: the smallest ones, and the smallest with a sidecar."""
    evidence = _ROOT / "evidence"
    records = [path for path in evidence.glob("*/*/*.json") if not path.name.endswith(".series.json")]
    records.sort(key=lambda path: path.stat().st_size)
    beside = min(evidence.glob("*/*/*.series.json"), key=lambda path: path.stat().st_size)
    owner = beside.with_name(beside.name.split(".")[0] + ".json")
    found = {}
    for path in (*records[:4], owner):
        data = path.read_bytes()
        if names := sidecars_of(path.name, data):
            data += _BETWEEN + path.with_name(names[0]).read_bytes()
        found[f'"{path.parent.name}"'.encode()] = (path.relative_to(evidence), data)
    return found


def seeds() -> list[bytes]:
    """Return small records of this project."""
    return [data for _, data in _chosen().values()]


@functools.cache
def _parsed(data: bytes) -> Any:
    return json.loads(data.split(_BETWEEN)[0])


def made(random: Random) -> bytes:
    """Damage values of a record, and seal it again, as whoever forges it does."""
    whole_seed = random.choice(seeds())
    whole = damage_json(_parsed(whole_seed), random) if random.random() < 0.3 else _deep(whole_seed, random)
    if random.random() < 0.8:
        _sealed(whole)
    return json_text(whole, random)


def _deep(data: bytes, random: Random) -> Any:
    """Damage one section: the rule, a verdict, measurements, counter-examples."""
    whole = copy.deepcopy(_parsed(data))
    section = random.choice(list(whole["predicate"]))
    whole["predicate"][section] = damage_json(whole["predicate"][section], random)
    return whole


def _sealed(whole: Any) -> None:
    try:
        whole["predicate"]["seal"] = seal(whole)
    except (LookupError, TypeError, ValueError, AttributeError):
        return


def mended(data: bytes, random: Random) -> bytes:
    """Seal it again, at times."""
    if random.random() < 0.5:
        return data
    try:
        whole = json.loads(data.split(_BETWEEN)[0])
    except (ValueError, RecursionError):
        return data
    _sealed(whole)
    return json.dumps(whole).encode()


def read(data: bytes, folder: Path) -> None:
    """Read and verify a record as the commands do, at the place of the seed that it came from."""
    record, _, sidecar = data.partition(_BETWEEN)
    chosen = _chosen()
    place = next((place for name, (place, _) in chosen.items() if name in record), None)
    path = folder / "evidence" / (place or next(iter(chosen.values()))[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(record)
    for name in sidecars_of(path.name, record):
        if sidecar:
            _write(path.with_name(name), sidecar)
    found = read_record(path)
    try:
        verify(found, outcomes_only=True)
    except EvidenceError as error:
        if not error.what:
            raise AssertionError("an error without a message") from error
    else:
        facts_of(found, "0" * 64)
    verify(found)
    parse_record(path, record, lambda _: sidecar or None)


def _write(path: Path, sidecar: bytes) -> None:
    try:
        path.write_bytes(sidecar)
    except (OSError, ValueError):  # a name that no file can have
        return


EVIDENCE = Target(seeds, made, read, (EvidenceError,), mended, WORDS)
