"""What happens to evidence that is tampered with: every case does one thing, and must be named for it.

python -m benchmarks.trust.tamper     print the table; exit code 1 where something was not named

A case is *named* where a refusal is said of the file that it is about, by the word that was expected, in a
sentence that has the part that was expected. Nothing may be said of a project that nobody touched.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.trust import tamper_envelopes, tamper_ledger, tamper_policies, tamper_records
from benchmarks.trust.victim import Do, Said, Victim, prepare

__all__ = ["CASES", "Case", "Row", "rows", "table"]


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to tamper: what is done, and of which file what must be said."""

    what: str
    name: str
    """The end of the name of what the refusal is about."""
    reason: str
    says: str
    do: Do
    judged: Callable[[Victim], list[Said]] = Victim.judged


@dataclasses.dataclass(frozen=True)
class Row:
    """What came of a case."""

    what: str
    expected: str
    said: tuple[Said, ...]
    named: bool


CASES: tuple[Case, ...] = (
    *(Case(*one) for one in tamper_records.CASES),
    *(Case(*one) for one in tamper_envelopes.CASES),
    *(Case(*one) for one in tamper_policies.CASES),
    *(Case(*one, judged=tamper_ledger.judged) for one in tamper_ledger.CASES),
)


def rows(folder: Path, cases: Sequence[Case] = CASES) -> Iterator[Row]:
    """Tamper with one project, made in `folder`, in all ways; the first row is the project as it was made."""
    made = prepare(folder / "made")
    untouched = (*made.judged(), *tamper_ledger.judged(made))
    yield Row("nothing", "nothing", untouched, not untouched)
    for number, case in enumerate(cases):
        victim = made.copy(folder / str(number))
        case.do(victim)
        said = tuple(case.judged(victim))
        named = any(
            one.name.endswith(case.name) and one.reason == case.reason and case.says in one.why
            for one in said
        )
        yield Row(case.what, f"{case.reason}: {case.says}", said, named)


def table(found: Sequence[Row]) -> list[str]:
    """Return the lines of the table: what was done, what had to be said, what was said first."""
    lines = []
    for row in found:
        first = next(
            (one for one in row.said if row.expected.startswith(f"{one.reason}: ")),
            row.said[0] if row.said else None,
        )
        said = f"{first.reason}: {' '.join(first.why.split())}" if first else "nothing"
        lines.append(f"{'named ' if row.named else 'MISSED'}  {row.what}\n          {said[:160]}")
    return lines


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(Path(folder)))
    print("\n".join(table(found)))
    missed = sum(not row.named for row in found)
    print(f"\n{len(found) - 1} ways to tamper, {missed} not named")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
