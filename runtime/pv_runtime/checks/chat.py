"""A conversation as the model was trained to read it: byte for byte what its template should give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pv.check import Metric, Run, check
from pv_runtime import chat_template_sandbox
from pv_runtime.chat_template import Message, render
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.tokenizer import Tokenizer, tokenizer_of

__all__ = ["rendered_chat"]

PROGRAM = chat_template_sandbox
"""What renders, in a process of its own; imported, so that evidence names it."""

Render = Callable[[Tokenizer, Sequence[Message]], str]


@check(
    metrics=[
        Metric("conversations", unit="1", kind="count"),
        Metric("formats", unit="1", kind="count"),
        Metric("differing_bytes", unit="1", kind="count"),
        Metric("expected_bytes", unit="1", kind="count"),
        Metric("special_tokens", unit="1", kind="count"),
        Metric("expected_specials", unit="1", kind="count"),
    ]
)
def rendered_chat(
    run: Run, *, model: Checkpoint, conversations: Sequence[Mapping[str, object]], markers: Sequence[str]
) -> None:
    """Render each of `conversations` by the template that `model` carries, in three formats.

    A conversation has ``messages`` and the text ``expected``. `differing_bytes` counts the positions at
    which the two differ in UTF-8, and what one is longer. `special_tokens` counts the `markers` that the
    model's tokenizer reads as one token each, and `expected_specials` those in the expected text: a marker
    that is spelt out is not the one that the model was trained with.
    """
    rendering: Render = run.role("render", _by_template)
    folder = Path(model.path).parent
    for form in ("safetensors", "gguf", "apr"):
        target = Path(run.scratch()) / ("folder" if form == "safetensors" else f"model.{form}")
        export(run.undamaged("model"), str(target), form, folder=folder)
        tokenizer = tokenizer_of(open_checkpoint(target), target if target.is_dir() else None)
        if tokenizer.chat_template is None:
            run.record("differing_bytes", 1, label=f"{form}: it carries no template")
            continue
        single = {token for marker in markers if (token := tokenizer.id_of(marker)) is not None}
        for index, conversation in enumerate(conversations):
            text = rendering(tokenizer, list(conversation["messages"]))  # type: ignore[call-overload]
            expected = str(conversation["expected"])
            label = f"{form}: conversation {index}"
            ours, theirs = text.encode(), expected.encode()
            differing = sum(a != b for a, b in zip(ours, theirs, strict=False)) + abs(len(ours) - len(theirs))
            run.record("differing_bytes", differing, label=label)
            run.record("expected_bytes", len(theirs), label=label)
            found = sum(number in single for number in tokenizer.encode(text))
            run.record("special_tokens", found, label=label)
            run.record("expected_specials", sum(expected.count(marker) for marker in markers), label=label)
    run.record("formats", 3)
    run.record("conversations", len(conversations))


def _by_template(tokenizer: Tokenizer, messages: Sequence[Message]) -> str:
    return render(tokenizer.chat_template or "", messages, special=tokenizer.special)


@rendered_chat.counter_example("answer_not_begun", of="render")
def answer_not_begun(rendering: Render) -> Render:
    """Leave out the line with which the assistant's answer begins."""
    return lambda tokenizer, messages: rendering(tokenizer, messages).removesuffix("<|im_start|>assistant\n")


@rendered_chat.counter_example("roles_exchanged", of="render")
def roles_exchanged(rendering: Render) -> Render:
    """Let the system ask and the user instruct."""
    other = {"system": "user", "user": "system"}
    return lambda tokenizer, messages: rendering(
        tokenizer, [{**m, "role": other.get(str(m["role"]), m["role"])} for m in messages]
    )


@rendered_chat.counter_example("template_of_another_family", of="render")
def template_of_another_family(rendering: Render) -> Render:
    """Write as llama 2 reads."""
    del rendering
    return lambda _tokenizer, messages: "".join(
        f"[INST] {message['content']} [/INST]" for message in messages
    )


@rendered_chat.counter_example("one_byte", of="render")
def one_byte(rendering: Render) -> Render:
    """Write one blank for a line's end."""
    return lambda tokenizer, messages: rendering(tokenizer, messages).replace("\n", " ", 1)


@rendered_chat.counter_example("nothing", of="render")
def nothing(rendering: Render) -> Render:
    """Write nothing."""
    del rendering
    return lambda _tokenizer, _messages: ""


@rendered_chat.counter_example("a_system_message_of_its_own", of="render")
def a_system_message_of_its_own(rendering: Render) -> Render:
    """Put in a system message where none was given, as some templates do."""
    own: Message = {"role": "system", "content": "You are a helpful assistant."}
    return lambda tokenizer, messages: rendering(
        tokenizer, messages if messages[0]["role"] == "system" else [own, *messages]
    )


@rendered_chat.counter_example("marker_spelt_out", of="render")
def marker_spelt_out(rendering: Render) -> Render:
    """Write the markers with a blank in them, which no tokenizer reads as one token."""
    return lambda tokenizer, messages: rendering(tokenizer, messages).replace("<|im_start|>", "<|im_start |>")
