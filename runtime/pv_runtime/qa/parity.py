"""Gates that hold the model against itself elsewhere: in another file, on another device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from pv_runtime.errors import LoadError
from pv_runtime.generate import Generation
from pv_runtime.lockstep import lockstep
from pv_runtime.model import Decoder
from pv_runtime.origin import recorded
from pv_runtime.qa.gate import DeclinedError, Finding, Settings
from pv_runtime.qa.golden import prompt_of
from pv_runtime.qa.subject import Subject

__all__ = ["format_parity", "gpu_state_isolation", "isolated", "ptx_parity"]


_LEAST_DIFFERENT = 8
"""Tokens, among which attention has something to choose from."""


def format_parity(subject: Subject, settings: Settings) -> Finding:
    """Go in lockstep with the reference, step by step through the cache, over what the reference says.

    A step where another token is most likely is let pass if the logits' cosine is `least_cosine` at
    least: two tokens may be as likely as each other.

    Raises
    ------
    DeclinedError
        There is no reference, or it shows nothing: it is the file itself, was made from it, or says the
        same over and over.
    """
    reference = subject.reference
    if reference is None:
        raise DeclinedError(
            "there is nothing to compare with: name the same model in another file, --reference"
        )
    if reference.sha256 == subject.sha256:
        raise DeclinedError("the reference is the model itself, and agreement with it would show nothing")
    if subject.sha256 in _sources(reference):
        raise DeclinedError(
            "the reference was made from the model, whose damage it would share; name its source"
        )
    prompt = prompt_of(subject, settings)
    if _asked(reference, settings) not in (None, prompt):
        return Finding(False, "the two tokenize the question differently")
    steps = lockstep(reference.decoder, subject.decoder, prompt, settings.steps)
    different = len(set(steps.reference_top))
    parted = steps.parted(settings.least_cosine)
    if parted:
        step = parted[0]
        tops = steps.reference_top[step], steps.candidate_top[step]
        return Finding(
            False,
            f"step {step} of {settings.steps}: the reference finds token {tops[0]} most likely, "
            f"the model {tops[1]}, at a cosine of {steps.cosine[step]:.4f}",
            steps.cosine[step],
            settings.least_cosine,
        )
    if different < _LEAST_DIFFERENT:
        raise DeclinedError(
            f"the reference says {different} different tokens in {settings.steps} steps: among equal tokens, "
            "wrong positions do not show; ask another question, --prompt"
        )
    return Finding(
        True,
        f"{settings.steps} steps in lockstep, {steps.same_top:.0%} with the same most likely token, "
        f"least cosine {min(steps.cosine):.4f}",
        min(steps.cosine),
        settings.least_cosine,
    )


def _asked(reference: Subject, settings: Settings) -> list[int] | None:
    """Return the question as the reference tokenizes it; None where it carries no tokenizer."""
    try:
        return prompt_of(reference, settings)
    except LoadError:
        return None


def _sources(subject: Subject) -> set[object]:
    """Digests of what the file was made from, and that from."""
    origins = recorded(subject.checkpoint.metadata)
    return {origin.get("sha256") for origin in origins if isinstance(origin, Mapping)}


def ptx_parity(_: Subject, __: Settings) -> Finding:
    """Hold each stage computed by compiled kernels against the processor's.

    Raises
    ------
    DeclinedError
        Always: no model is computed by kernels here yet.
    """
    missing = [] if torch.cuda.is_available() else ["there is no GPU here that torch can use"]
    raise DeclinedError("; ".join([*missing, "no kernels compute a whole model yet"]))


def gpu_state_isolation(subject: Subject, settings: Settings) -> Finding:
    """On a GPU, what was computed before must not show in what is computed after.

    Raises
    ------
    DeclinedError
        There is no GPU.
    """
    if not torch.cuda.is_available():
        raise DeclinedError("there is no GPU here that torch can use")
    prompt = prompt_of(subject, settings)
    same = isolated(subject.decoder_on("cuda"), prompt, settings.new_tokens)
    return Finding(
        same, "the same text twice, with another between" if same else "the text changed", float(same), 1
    )


def isolated(decoder: Decoder, prompt: Sequence[int], new_tokens: int) -> bool:
    """Whether a text comes out the same after another one was computed in between."""
    first = list(Generation(decoder, prompt, limit=new_tokens))
    list(Generation(decoder, [*prompt[::-1], *first], limit=new_tokens))
    return list(Generation(decoder, prompt, limit=new_tokens)) == first
