"""What a run of mutants prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.kernels.mutants.explanations import Explanation, explained
from tests.kernels.mutants.runner import Outcome

__all__ = ["share_caught", "table"]


def share_caught(outcomes: Sequence[Outcome]) -> float:
    """Return how many of the mutants were caught, in parts of one; those that are equivalent count too."""
    return sum(outcome.caught for outcome in outcomes) / len(outcomes)


def table(outcomes: Sequence[Outcome], explanations: Sequence[Explanation]) -> Iterator[str]:
    """Yield caught of all for each operator and kernel, where they were caught, and every survivor."""
    kernels = sorted({outcome.mutant.kernel for outcome in outcomes})
    operators = sorted({outcome.mutant.operator for outcome in outcomes})
    width = max(map(len, operators))
    yield " ".join([" " * width, *kernels, "together"])
    for operator in [*operators, ""]:
        row = [outcome for outcome in outcomes if operator in {"", outcome.mutant.operator}]
        cells = [
            _cell([outcome for outcome in row if outcome.mutant.kernel == kernel]).rjust(len(kernel))
            for kernel in kernels
        ]
        yield " ".join([(operator or "together").ljust(width), *cells, _cell(row).rjust(len("together"))])
    stages = Counter(outcome.stage for outcome in outcomes if outcome.caught)
    yield ""
    yield f"caught: {share_caught(outcomes):.1%}, " + ", ".join(
        f"{n} by {s}" for s, n in stages.most_common()
    )
    survivors = [outcome.mutant for outcome in outcomes if not outcome.caught]
    for mutant in sorted(survivors, key=lambda one: (one.kernel, one.line, one.after)):
        yield ""
        yield f"{mutant.kernel}: {mutant.operator}, {mutant.module.replace('.', '/')}.py:{mutant.line}"
        yield f"  - {mutant.before}"
        yield f"  + {mutant.after}"
        yield f"  {explained(mutant, explanations) or 'NOT EXPLAINED'}"


def _cell(outcomes: Sequence[Outcome]) -> str:
    return f"{sum(outcome.caught for outcome in outcomes)}/{len(outcomes)}" if outcomes else "."
