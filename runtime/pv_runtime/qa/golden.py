"""The gate that reads what a model says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pv_runtime.chat_template import conversation, render
from pv_runtime.errors import ModelError, printable
from pv_runtime.generate import Generation
from pv_runtime.qa.gate import Finding, Settings
from pv_runtime.qa.subject import Subject

__all__ = ["golden_output", "problems_of", "prompt_of"]

_REPEATED = re.compile(r"(?s)(.{4,200}?)\1\1")
_LONG_ENOUGH = 16
_MOST_NOT_ASCII = 0.6


def golden_output(subject: Subject, settings: Settings) -> Finding:
    """Ask the settled question; the most likely answer must be one, and contain what is expected.

    Raises
    ------
    LoadError
        The model carries no tokenizer, or is broken.
    ModelError
        The question is too long, the template refuses it, or logits are not finite.
    """
    generation = Generation(
        subject.decoder, prompt_of(subject, settings), limit=settings.new_tokens, stop=subject.stop
    )
    text = subject.tokenizer.decode(list(generation), skip_special=True)
    shown = f"{printable(settings.prompt)!r} is answered by {printable(text)!r}"
    found = list(problems_of(text, settings.expected))
    return Finding(not found, f"{shown}: {'; '.join(found)}" if found else shown, len(found), 0)


def prompt_of(subject: Subject, settings: Settings) -> list[int]:
    """Return the token ids of the question, in the chat template where it is to be used.

    Raises
    ------
    ModelError
        It is to be used and there is none.
    """
    template = subject.tokenizer.chat_template
    if settings.chat and template is None:
        raise ModelError("the model carries no chat template")
    if template is None or settings.chat is False:
        return subject.tokenizer.encode(settings.prompt)
    text = render(template, conversation(settings.prompt), special=subject.tokenizer.special)
    return subject.tokenizer.encode(text, begin=False)


def problems_of(text: str, expected: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a text; `expected` are spellings of which it must contain one, in any case."""
    if not text.strip():
        yield "nothing is said"
    if "\ufffd" in text or "[UNK]" in text:
        yield "it has unknown characters or tokens"
    if "\0" in text:
        yield "it has NUL characters"
    if len(text) >= _LONG_ENOUGH and sum(ord(c) > 127 for c in text) > _MOST_NOT_ASCII * len(text):
        yield f"more than {_MOST_NOT_ASCII:.0%} of it is not ASCII"
    if said := [match[1] for match in _REPEATED.finditer(text) if match[1].strip()]:
        yield f"{printable(said[0][:40])!r} is said three times in a row"
    if expected and not any(each.lower() in text.lower() for each in expected):
        yield f"it does not contain {' or '.join(repr(printable(each)) for each in expected)}"
