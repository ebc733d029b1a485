"""How far two tables are apart, name by name."""

from __future__ import annotations

from pv.check import Metric, Run, check

Table = dict[str, float]


@check(
    metrics=[
        Metric("error", low=0.0, high=100.0),
        Metric("expected", kind="count"),
        Metric("one_sided", kind="count"),
    ]
)
def errors(run: Run, *, reference: Table, candidate: Table) -> None:
    """Record the distance of each pair, how many there must be, and how many have no other side."""
    run.record("expected", len(run.undamaged("reference")))
    run.record("one_sided", len(reference.keys() ^ candidate.keys()))
    for name in sorted(reference.keys() & candidate.keys()):
        run.record("error", abs(reference[name] - candidate[name]), label=name)


@errors.counter_example("one_off", of="candidate")
def one_off(candidate: Table) -> Table:
    """Let one number be somewhere else."""
    return {**candidate, "v_proj": candidate["v_proj"] + 0.5}


@errors.counter_example("one_lost", of="candidate")
def one_lost(candidate: Table) -> Table:
    """Leave one number out."""
    return {name: value for name, value in candidate.items() if name != "k_proj"}
