"""Findings that are known: recorded in a file, shown as known, and no reason to reject.

An entry is matched by code, contract, clause and a digest of the message without its line numbers, so that
it stays when lines move. It is of as many findings as its `count`. The file is sorted JSON, to be read in
diffs. What would make a verdict false is never known: a file that cannot be read as a contract, a key that
stands twice, a status above its evidence, a rule that is no test.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.errors import ConfigError, Location
from pv.finding import Finding
from pv.regular_file import read_regular_file
from pv.whole_file import replace_file

__all__ = ["NEVER_KNOWN", "Baseline", "Key", "Sorted", "read_baseline", "sort_out", "write_baseline"]

FORMAT = 1
NEVER_KNOWN = re.compile(
    r"YAML-\d+|SCHEMA-0(?:00|07)|PV-(?:BASELINE|FINDING|ID|RULE|STATE|STATUS|VERSION)-\d+"
)
"""Codes of what makes a verdict, or a claim of one, false; and of the baseline itself."""

_ENTRY = re.compile(r'"contract"\s*:')
_NUMBERED = re.compile(r":\d+:\d+(?=: )|(?<=\b[io]n line )\d+")
"""Places within a message, which move while the finding stays; an id may end in a colon and a number."""


@dataclasses.dataclass(frozen=True, order=True)
class Key:
    """What a finding is known by; `contract` is its path from the folder of the baseline."""

    contract: str
    clause: str
    code: str
    digest: str


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A file of known findings; `messages` and `places` are for people."""

    path: Path
    counts: Mapping[Key, int]
    messages: Mapping[Key, str]
    places: Mapping[Key, Location]


@dataclasses.dataclass(frozen=True)
class Sorted:
    """Findings in two heaps, and a warning for each entry of the baseline that is of too many."""

    new: list[Finding]
    known: list[Finding]
    gone: list[Finding]


ClauseOf = Callable[[Finding], str]


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Raises
    ------
    ConfigError
        It is not there, or is no baseline.
    """
    try:
        text = read_regular_file(path).decode("utf-8")
        value = json.loads(text, object_pairs_hook=_once)
    except OSError as error:
        raise _no_baseline(path, (error.strerror or str(error)).lower()) from None
    except (ValueError, RecursionError) as error:
        raise _no_baseline(path, f"it is not JSON ({error})", getattr(error, "lineno", 1)) from None
    return _typed(value, text, path)


def write_baseline(
    path: Path, findings: Iterable[Finding], clause_of: ClauseOf, judged: Sequence[Path]
) -> int:
    """Write what of `findings` may be known, and keep entries of contracts that were not `judged`.

    Returns how many findings the file is of, in all. Entries of contracts that are gone go with them.

    Raises
    ------
    ConfigError
        What is there already is no baseline.
    """
    kept = read_baseline(path) if os.path.lexists(path) else Baseline(path, {}, {}, {})
    about = {_named(file, path) for file in judged}
    counts = {
        key: count
        for key, count in kept.counts.items()
        if key.contract not in about and (path.parent / key.contract).is_file()
    }
    messages = dict(kept.messages)
    for finding in findings:
        if not NEVER_KNOWN.fullmatch(finding.code):
            key = _key(finding, path, clause_of)
            counts[key] = counts.get(key, 0) + 1
            messages[key] = finding.message
    entries = [
        {
            "contract": key.contract,
            "clause": key.clause,
            "code": key.code,
            "message": messages[key],
            "digest": key.digest,
            **({"count": counts[key]} if counts[key] > 1 else {}),
        }
        for key in sorted(counts)
    ]
    text = json.dumps({"format": FORMAT, "findings": entries}, indent=1, ensure_ascii=True)
    replace_file(Path(os.path.realpath(path)), f"{text}\n".encode())
    return sum(counts.values())


def sort_out(
    baseline: Baseline, findings: Iterable[Finding], clause_of: ClauseOf, judged: Sequence[Path]
) -> Sorted:
    """Tell known findings from new ones, and which entries about `judged` files no longer occur."""
    left = Counter(baseline.counts)
    new: list[Finding] = []
    known: list[Finding] = []
    for finding in findings:
        key = _key(finding, baseline.path, clause_of)
        if left[key] > 0 and not NEVER_KNOWN.fullmatch(finding.code):
            left[key] -= 1
            known.append(finding)
        else:
            new.append(finding)
    about = {_named(file, baseline.path) for file in judged}
    gone = [
        _gone(baseline, key, count)
        for key, count in sorted(left.items())
        if count > 0 and (key.contract in about or not (baseline.path.parent / key.contract).is_file())
    ]
    return Sorted(new, known, gone)


def _gone(baseline: Baseline, key: Key, count: int) -> Finding:
    of = f"{key.contract} ({key.clause})" if key.clause else key.contract
    stated = baseline.counts[key]
    rest = "no longer occurs" if count == stated else f"occurs {stated - count} times, not {stated}"
    return Finding(
        baseline.places[key],
        "PV-BASELINE-001",
        "warning",
        f"{key.code} of {of} {rest}: {baseline.messages[key]}",
        "Take the entry out, or write the baseline again with --write-baseline.",
    )


def _key(finding: Finding, path: Path, clause_of: ClauseOf) -> Key:
    digest = hashlib.sha256(_NUMBERED.sub("", finding.message).encode("utf-8", "surrogatepass")).hexdigest()
    return Key(_named(Path(finding.where.path), path), clause_of(finding), finding.code, digest[:16])


def _named(file: Path, path: Path) -> str:
    """Return what `file` is called from the folder of the baseline at `path`."""
    return Path(os.path.relpath(file.absolute(), path.absolute().parent)).as_posix()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _typed(value: Any, text: str, path: Path) -> Baseline:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise _no_baseline(path, f'it does not say "format": {FORMAT}')
    listed = value.get("findings")
    if not isinstance(listed, list):
        raise _no_baseline(path, "findings is no list")
    lines = [number for number, line in enumerate(text.split("\n"), 1) for _ in _ENTRY.finditer(line)]
    if len(lines) != len(listed):
        lines = [1] * len(listed)
    counts: dict[Key, int] = {}
    messages: dict[Key, str] = {}
    places: dict[Key, Location] = {}
    for entry, line in zip(listed, lines, strict=True):
        count = _count(entry)
        if count is None:
            why = "an entry does not have contract, clause, code, message and digest, which are texts"
            raise _no_baseline(path, why, line)
        if NEVER_KNOWN.fullmatch(entry["code"]):
            raise _no_baseline(path, f"{entry['code']} makes verdicts false, and is never known", line)
        key = Key(entry["contract"], entry["clause"], entry["code"], entry["digest"])
        if key in counts:
            raise _no_baseline(path, "an entry stands twice", line)
        counts[key], messages[key], places[key] = count, entry["message"], Location(str(path), line, 1)
    return Baseline(path, counts, messages, places)


def _count(entry: Any) -> int | None:
    """Return how many findings an entry is of; None where it is no entry."""
    if not isinstance(entry, dict) or entry.keys() - {"count"} != {
        "contract", "clause", "code", "message", "digest",
    }:  # fmt: skip
        return None
    count = entry.get("count", 1)
    texts = (value for key, value in entry.items() if key != "count")
    if not all(isinstance(text, str) for text in texts) or type(count) is not int or count < 1:
        return None
    return count


def _no_baseline(path: Path, why: str, line: int = 1) -> ConfigError:
    return ConfigError(
        f"it is no baseline: {why}",
        where=Location(str(path), line, 1),
        remedy="Mend it, or remove it and write it again: pv validate --baseline FILE --write-baseline.",
    )
