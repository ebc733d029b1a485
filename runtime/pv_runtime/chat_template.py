"""A conversation as the text that a model was trained on, by the Jinja template that it carries.

A template is a program out of somebody else's file. It is rendered in Jinja's sandbox, in a process of
its own whose time, memory and output are limited. It is given what transformers gives it
(``apply_chat_template``): ``messages``, ``tools``, ``documents``, ``add_generation_prompt``, the special
tokens by name, and the functions ``raise_exception``, ``strftime_now`` and ``tojson``.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pv_runtime.errors import ModelError, printable

__all__ = ["Message", "conversation", "render"]

Message = Mapping[str, object]
"""``role`` and ``content``, and what else the template asks for."""

_SANDBOX = Path(__file__).with_name("chat_template_sandbox.py")
_SECONDS = 10.0
_PATIENCE = 6
"""Times as long by the clock on the wall: a template cannot sleep, but the machine may be busy."""
_CHARACTERS = 4 << 20
_MEMORY = 512 << 20


def conversation(user: str, system: str | None = None) -> list[Message]:
    """Return the messages of a first question; without `system`, the template may put in one of its own."""
    asked = {"role": "user", "content": user}
    return [asked] if system is None else [{"role": "system", "content": system}, asked]


def render(
    template: str,
    messages: Sequence[Message],
    *,
    special: Mapping[str, str] | None = None,
    add_generation_prompt: bool = True,
    tools: Sequence[Mapping[str, object]] | None = None,
    now: dt.datetime | None = None,
    seconds: float = _SECONDS,
    characters: int = _CHARACTERS,
) -> str:
    """Render `template` for `messages`.

    Parameters
    ----------
    template
        Jinja.
    messages
        The conversation, oldest first.
    special
        Special tokens by name: ``bos_token``, ``eos_token``, …
    add_generation_prompt
        Whether the text ends where the assistant's answer begins.
    tools
        JSON schemas of functions that may be called.
    now
        What ``strftime_now`` formats; the present by default.
    seconds, characters
        The most time of the processor, and text, that it may take.

    Raises
    ------
    ModelError
        The template is broken, refuses the messages, or takes more than its limits.
    ModuleNotFoundError
        Jinja is not installed.
    """
    if importlib.util.find_spec("jinja2") is None:
        raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")
    variables = {
        "messages": list(messages),
        "tools": None if tools is None else list(tools),
        "documents": None,
        "add_generation_prompt": add_generation_prompt,
        **(special or {}),
    }
    moment = now or dt.datetime.now().astimezone()
    job = {
        "template": template,
        "variables": variables,
        "now": moment.isoformat(),
        "characters": characters,
        "memory": _MEMORY,
        "seconds": seconds,
    }
    try:
        # -P: the folder of the program holds modules of the names of others'.
        done = subprocess.run(
            [sys.executable, "-P", str(_SANDBOX)],
            input=json.dumps(job), capture_output=True, encoding="utf-8", check=False,
            timeout=_PATIENCE * seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired as expired:
        raise ModelError(f"the chat template takes more than {seconds:g} seconds") from expired
    except ValueError as error:
        raise ModelError(f"the messages are no values of JSON: {error}") from error
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise ModelError(f"the chat template takes more than {seconds:g} seconds")
    if done.returncode:
        said = printable(" ".join(done.stderr.split())[-200:])
        raise ModelError(f"the chat template cannot be rendered: exit code {done.returncode} {said}")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise ModelError(printable(answer["error"]))
    return str(answer["text"])
