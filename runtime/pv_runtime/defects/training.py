"""Ten defects of training from a checkpoint, and the falsifiers that must catch them.

Each is a counter-example of a falsifier's check, planted in the trainer as a whole; whether it is caught the
engine says, by the rule of the contract.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["TRAINING_DEFECTS", "Caught", "TrainingDefect", "caught", "training_lines"]


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingDefect:
    """One thing done wrong.

    Parameters
    ----------
    name
        What it is.
    falsifier
        The id of the one that is to catch it.
    planted
        The counter-example of its check.
    """

    name: str
    falsifier: str
    planted: str


_INIT, _ARCH = "FALSIFY-APR-PRETRAIN-INIT", "FALSIFY-APR-PRETRAIN-ARCH"
TRAINING_DEFECTS: tuple[TrainingDefect, ...] = (
    TrainingDefect("weights silently drawn anew", f"{_INIT}-009", "weights_drawn_at_random"),
    TrainingDefect("one layer left random", f"{_INIT}-009", "one_layer_random"),
    TrainingDefect("head untied", f"{_INIT}-009", "head_untied"),
    TrainingDefect("optimiser state carried over", f"{_INIT}-009", "moments_carried_over"),
    TrainingDefect("tokenizer one id larger than the embedding", f"{_ARCH}-010", "one_token_off"),
    TrainingDefect("encoder given as init", f"{_INIT}-005", "family_not_asked"),
    TrainingDefect("metadata one field off", f"{_INIT}-005", "fields_not_compared"),
    TrainingDefect("tensor transposed", f"{_INIT}-006", "square_tensor_transposed"),
    TrainingDefect("synthetic data passed off as real", f"{_INIT}-002", "passed_off_as_text"),
    TrainingDefect("held-out shard leaks", "FALSIFY-APR-PRETRAIN-DATA-004", "leak_not_looked_for"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Caught:
    """What became of a defect.

    Parameters
    ----------
    defect
        Which one.
    hit
        Whether its falsifier noticed it, and notices nothing in the trainer without it.
    said
        How the falsifier ended.
    """

    defect: TrainingDefect
    hit: bool
    said: str


def caught(defects: Sequence[TrainingDefect] = TRAINING_DEFECTS) -> list[Caught]:
    """Let ``pv`` judge the falsifiers of `defects` on counter-examples, in the project that it runs in.

    Raises
    ------
    RuntimeError
        It ended without a report.
    """
    falsifiers = list(dict.fromkeys(each.falsifier for each in defects))
    line = [
        sys.executable,
        "-m",
        "pv",
        "discharge",
        *falsifiers,
        "--level",
        "algorithm",
        "--no-record",
        "--json",
    ]
    ended = subprocess.run(line, check=False, capture_output=True, text=True)
    try:
        reports: list[dict[str, Any]] = json.loads(ended.stdout)
    except ValueError as error:
        raise RuntimeError(f"pv discharge ended with {ended.returncode}: {ended.stderr[-400:]}") from error
    found = {report["falsifier"].partition("#")[2]: report for report in reports}
    return [_judged(each, found[each.falsifier]) for each in defects]


def _judged(defect: TrainingDefect, report: dict[str, Any]) -> Caught:
    noticed = {each["name"] for each in report["counter_examples"] if each["caught"]}
    held = report["outcome"] in {"Pass", "Vacuous"}  # vacuous: another counter-example was missed
    return Caught(defect, held and defect.planted in noticed, f"{report['outcome']}: {report['message']}")


def training_lines(found: Sequence[Caught]) -> Iterator[str]:
    """Print the table."""
    width = max(len(each.defect.name) for each in found)
    for each in found:
        name = f"{each.defect.name:<{width}}"
        yield f"hit   {name}  {each.defect.falsifier}" if each.hit else f"MISS  {name}  {each.said}"
    yield ""
    yield f"{sum(each.hit for each in found)} of {len(found)} defects of training caught by their falsifiers"
