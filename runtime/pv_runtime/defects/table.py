"""Plant each defect alone, ask the bisector, and hold its answer against what was planted."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from pv_runtime.bisect.bisection import Bisection, bisect
from pv_runtime.defects.harmless import HARMLESS, Harmless
from pv_runtime.defects.models import square
from pv_runtime.defects.planted import DEFECTS, Defect, side
from pv_runtime.formats import Checkpoint

__all__ = ["Row", "lines", "rows"]

_TOKENS = 24


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What was planted, and what was found.

    Parameters
    ----------
    name
        The defect, or the harmless change.
    harmless
        Which of the two.
    planted, found
        Stage, layer and signature; None where there is nothing.
    hit
        Whether all three agree.
    seconds
        That the bisection took.
    sentence
        The experiment that settled it.
    """

    name: str
    harmless: bool
    planted: tuple[str, int | None, str] | None
    found: tuple[str, int | None, str] | None
    hit: bool
    seconds: float
    sentence: str


def rows(
    trained: Checkpoint, defects: Sequence[Defect] = DEFECTS, harmless: Sequence[Harmless] = HARMLESS
) -> Iterator[Row]:
    """Yield a row for each defect, in the trained model or in its own, and for each harmless change."""
    for defect in defects:
        model = defect.model() if defect.model is not None else trained
        planted = (defect.stage, defect.layer, defect.signature)
        started = time.perf_counter()
        found = _asked(model, defect)
        yield _row(defect.name, planted, found, time.perf_counter() - started)
    with tempfile.TemporaryDirectory() as folder:
        for change in harmless:
            model = square() if change.name.startswith("fp16") else trained
            started = time.perf_counter()
            found = bisect(side(model), change.make(model, Path(folder)), _tokens(model))
            yield _row(change.name, None, found, time.perf_counter() - started)


def _asked(model: Checkpoint, defect: Defect) -> Bisection:
    # The bisector gets two implementations, and is told nothing.
    return bisect(side(model), defect.plant(model), _tokens(model), mixed_dtypes=True)


def _tokens(model: Checkpoint) -> torch.Tensor:
    vocabulary = model.info("model.embed_tokens.weight").shape[0]
    return torch.randint(0, vocabulary, (_TOKENS,), generator=torch.Generator().manual_seed(11))


def _row(name: str, planted: tuple[str, int | None, str] | None, found: Bisection, seconds: float) -> Row:
    first = found.culprits[0] if found.culprits else None
    named = None
    sentence = ""
    if first is not None:
        named = (
            first.stage,
            first.layer,
            first.explanation.signature if first.explanation else "unexplained",
        )
        sentence = first.explanation.sentence if first.explanation else ""
    return Row(name, planted is None, planted, named, named == planted, seconds, sentence)


def lines(found: Sequence[Row]) -> Iterator[str]:
    """Print the table."""
    width = max(len(each.name) for each in found)
    for each in found:
        said = "no defect" if each.found is None else _place(*each.found)
        wanted = "" if each.hit else f"   wanted: {_place(*each.planted) if each.planted else 'no defect'}"
        yield f"{'hit ' if each.hit else 'MISS'}  {each.name:<{width}}  {each.seconds:5.2f} s  {said}{wanted}"
        if each.sentence:
            yield f"{'':<{width + 17}}{each.sentence}"
    planted = [each for each in found if not each.harmless]
    harmless = [each for each in found if each.harmless]
    yield ""
    yield (
        f"{sum(each.hit for each in planted)} of {len(planted)} defects named by stage, layer and signature; "
        f"{sum(each.hit for each in harmless)} of {len(harmless)} harmless changes passed over; "
        f"{sum(each.seconds for each in found):.1f} s"
    )


def _place(stage: str, layer: int | None, signature: str) -> str:
    return f"{stage}{'' if layer is None else f' of layer {layer}'}: {signature}"
