"""What ``pv validate`` prints: every finding, and in one line what was judged and how it ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from pv.finding import Finding
from pv.printable import printable, printable_json

__all__ = ["print_json", "print_text"]

_LINES = 1000


def print_text(
    findings: Sequence[Finding],
    judged: Mapping[str, int],
    errors: int,
    known: Sequence[Finding],
    folders: Iterable[str],
    files: Sequence[Path],
    *,
    strict: bool,
) -> None:
    """Print `findings`, of which so many are `errors`, and the verdict.

    `judged` is noun → how many files of that kind were judged; `known` are findings that a baseline knows;
    `folders` were named, and `files` were judged.
    """
    for finding in known:
        print(printable(f"{finding.where}: known {finding.severity}[{finding.code}]: {finding.message}"))
    _print_findings(findings)
    besides = f", {len(known)} known" if known else ""
    print(f"\n{errors} error(s), {len(findings) - errors} warning(s){besides}")
    failed = {finding.where.path for finding in findings if finding.severity == "error"}
    _print_verdict(findings, judged, errors, known, len(failed), strict=strict)
    _print_folders(folders, files, failed)


def _print_findings(findings: Sequence[Finding]) -> None:
    remedies = {finding.remedy: printable(f"    {finding.remedy}") for finding in findings}
    # Many lines a write: where nothing is kept back, each would be a call of the system.
    for start in range(0, len(findings), _LINES):
        lines: list[str] = []
        for finding in findings[start : start + _LINES]:
            said = f"{finding.where}: {finding.severity}[{finding.code}]: {finding.message}"
            lines += printable(said), remedies[finding.remedy]
        print("\n".join(lines))


def _print_verdict(
    findings: Sequence[Finding],
    judged: Mapping[str, int],
    errors: int,
    known: Sequence[Finding],
    failed: int,
    *,
    strict: bool,
) -> None:
    if strict and findings and not errors:
        sys.stdout.flush()
        print(f"error: --strict: {len(findings)} warning(s)", file=sys.stderr)
        return
    if not errors and any(finding.severity == "error" for finding in known):
        print("Nothing is wrong that the baseline does not know.")
        return
    there = {noun: count for noun, count in judged.items() if count}
    if not errors:
        for noun, count in there.items():
            print(f"{noun} is valid." if count == 1 else f"{count} {_plural(noun)} are valid.")
        return
    sys.stdout.flush()
    if len(there) > 1 or "Investigation" in there:
        print(f"error: {failed} of {sum(there.values())} files are not valid", file=sys.stderr)
        return
    ((noun, count),) = there.items()
    if count == 1:
        print(f"error: {noun} has {errors} validation error(s)", file=sys.stderr)
    else:
        print(f"error: {failed} of {count} {_plural(noun)} are not valid", file=sys.stderr)


def _plural(noun: str) -> str:
    """Return how several are called: a kind in brackets is left out, and the last word has its ending."""
    word = noun.partition(" (")[0].lower()
    return f"{word.removesuffix('y')}ies" if word.endswith("y") else f"{word}s"


def _print_folders(folders: Iterable[str], files: Sequence[Path], failed: AbstractSet[str]) -> None:
    """Print, of each folder that was named, how many files of it were judged, and how many failed."""
    for folder in folders:
        start = os.path.join(Path(folder), "")  # noqa: PTH118  (of thousands: no path is taken apart)
        within = [name for file in files if (name := str(file)).startswith(start) or start == "./"]
        print()
        print(printable(f"{len(within)} artifact(s) under {folder}, {len(failed & {*within})} failed"))


def print_json(
    findings: Sequence[Finding], judged: Mapping[str, int], errors: int, more: Mapping[str, Sequence[Any]]
) -> None:
    """Print the findings as one object of JSON; `more` is key → more that has a form in JSON."""
    import json

    named = {_plural(noun).replace(" ", "_"): count for noun, count in judged.items()}
    report = {
        "findings": [finding.to_json() for finding in findings],
        **{noun: count for noun, count in named.items() if count or noun == "contracts"},
        "errors": errors,
        "warnings": len(findings) - errors,
        **{key: [one.to_json() for one in listed] for key, listed in more.items()},
    }
    print(printable_json(json.dumps(report, indent=2)))
