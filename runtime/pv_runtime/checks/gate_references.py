"""With what a model is compared: never with itself or its own export; and that rounding is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from pv.check import Metric, Run, check
from pv_runtime.checks.traces import draw_tokens
from pv_runtime.convert import convert
from pv_runtime.formats import Checkpoint
from pv_runtime.lockstep import Fidelity, fidelity
from pv_runtime.model import Decoder
from pv_runtime.qa.gate import Outcome, Result, Settings
from pv_runtime.qa.subject import Subject
from pv_runtime.qa.suite import run_gates
from pv_runtime.weights import load_weights

__all__ = ["canary", "parity_references"]

Ask = Callable[[Path, Path, Settings], Result]


def _ask(model: Path, reference: Path, settings: Settings) -> Result:
    subject = Subject(str(model), reference=Subject(str(reference)), dtype=torch.float32)
    return next(
        result for result in run_gates(subject, settings, ["format_parity"]) if result.name == "format_parity"
    )


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("wrong", unit="1", kind="count"),
    ]
)
def parity_references(run: Run, *, model: Checkpoint, prompt: str, steps: int) -> None:
    """Ask the gate format_parity with three references for a model.

    `wrong` is 1 where a reference that is the file itself, or that was converted from it, is compared with,
    and where one that the model was converted from is not.
    """
    ask: Ask = run.role("ask", _ask)
    source = Path(model.path).parent
    made = Path(run.scratch()) / "converted.gguf"
    convert(model, str(made), "q8_0", folder=source)
    settings = Settings(prompt=prompt, chat=False, steps=steps)
    cases = {
        "itself": (source, source, True),
        "made from it": (source, made, True),
        "what it was made from": (made, source, False),
    }
    for label, (asked, reference, declined) in cases.items():
        result = ask(asked, reference, settings)
        found = result.outcome is Outcome.DECLINED
        run.record("wrong", int(found is not declined), label=f"{label}: {result.message}"[:200])
    run.record("cases", len(cases))


@parity_references.counter_example("any_reference_will_do", of="ask")
def any_reference_will_do(ask: Ask) -> Ask:
    """Call it compared and passed, whatever with."""
    del ask
    return lambda *_: Result("format_parity", Outcome.PASSED, "all the same")


@parity_references.counter_example("by_name_only", of="ask")
def by_name_only(ask: Ask) -> Ask:
    """Know a converted file by its name, as a tool did that looked for ``.converted``."""

    def named(model: Path, reference: Path, settings: Settings) -> Result:
        if ".converted" not in reference.name and model != reference:
            return Result("format_parity", Outcome.PASSED, "the name says nothing")
        return ask(model, reference, settings)

    return named


@parity_references.counter_example("declines_always", of="ask")
def declines_always(ask: Ask) -> Ask:
    """Never compare with anything."""
    del ask
    return lambda *_: Result("format_parity", Outcome.DECLINED, "not today")


Compare = Callable[[Decoder, Decoder, list[int]], Fidelity]


@check(
    metrics=[
        Metric("own_divergence", unit="nat", low=0.0),
        Metric("quantised_divergence", unit="nat", low=0.0),
        Metric("tokens", unit="1", kind="count"),
    ]
)
def canary(run: Run, *, model: Checkpoint, quantised: Checkpoint, tokens: int) -> None:
    """Hold a quantised model, and the model itself, against the model over random tokens.

    `own_divergence` is the greatest Kullback-Leibler divergence of the model from itself, and
    `quantised_divergence` the mean one of the quantised model, at `tokens` positions.
    """
    compare: Compare = run.role("compare", fidelity)
    reference, candidate = (Decoder(load_weights(each)) for each in (model, quantised))
    text = draw_tokens(run, reference.architecture.vocab_size, tokens + 1)
    own = compare(reference, reference, text)
    run.record("own_divergence", max(0.0, own.greatest_divergence))
    found = compare(reference, candidate, text)
    run.record("quantised_divergence", max(0.0, found.mean_divergence))
    run.record("tokens", found.tokens)


@canary.counter_example("looks_at_the_reference_twice", of="compare")
def looks_at_the_reference_twice(compare: Compare) -> Compare:
    """Hold the reference against itself, and call it the candidate."""

    def blind(reference: Decoder, candidate: Decoder, tokens: list[int]) -> Fidelity:
        del candidate
        return compare(reference, reference, tokens)

    return blind


@canary.counter_example("first_token_only", of="compare")
def first_token_only(compare: Compare) -> Compare:
    """Compare after the first token, and leave the text out."""
    return lambda reference, candidate, tokens: compare(reference, candidate, tokens[:2])


@canary.counter_example("cries_always", of="compare")
def cries_always(compare: Compare) -> Compare:
    """Let the candidate compute another text: all differ, and so does the model from itself."""

    def other(reference: Decoder, candidate: Decoder, tokens: list[int]) -> Fidelity:
        return compare(reference, _Later(candidate.weights), tokens)

    return other


class _Later(Decoder):
    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return super().embed(tokens.roll(1, dims=-1))
