"""When a counter-example's run may be cut short: its rules have failed for certain, and nobody cites it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pv.basis import cites
from pv.check import Metric
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.defects import read_rule
from pv.errors import PvError
from pv.expression import series_of
from pv.expression.settled import failed_already
from pv.recorded import Enough, Samples
from pv.selection import load_all

__all__ = ["enough_of", "is_cited"]


def enough_of(
    rules: Sequence[Sequence[str]], metrics: Mapping[str, Metric], needed: Callable[[], bool]
) -> Enough:
    """Return what says of the first samples of a run that each of `rules` has failed, whatever follows.

    `needed` tells whether somebody needs the run whole. It is asked once, of a run that is long enough for
    the question to arise.
    """
    read = [read_rule(rule) for rule in rules]
    answers: list[bool] = []

    def enough(samples: Samples) -> bool:
        if not answers:
            answers.append(needed())
        if answers[0]:
            return False
        measured = {name: series_of(values) for name, values in samples.items()}
        return all(failed_already(lines, measured, metrics) for lines in read)

    return enough


def is_cited(contract: Contract, falsifier: Falsifier, config: Config) -> bool:
    """Tell whether a gate judges what `falsifier` measures, or an investigation rests on it.

    Both may be about its counter-examples. Where the project cannot be read, one may: what has been recorded
    too much can be passed over.
    """
    # Imported late: a run that takes long is rare.
    from pv.investigation_judgement import investigations_of

    try:
        if investigations_of(contract, falsifier, config):
            return True
        everything = load_all(config)
    except PvError:
        return True
    return any(
        cites(cited, contract, falsifier)
        for other in everything
        for gate in other.falsifiers
        for cited in gate.basis.values()
    )
