from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.chat_template import conversation, render
from pv_runtime.errors import ModelError
from pv_runtime.tokenizer import tokenizer_in

FOLDER = Path(__file__).resolve().parents[2] / "models/tiny-qwen2"
CHATML = tokenizer_in(FOLDER).chat_template or ""
GOLDEN = (
    b"<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    b"<|im_start|>user\nWhat is 2+2?<|im_end|>\n"
    b"<|im_start|>assistant\n"
)
ASKED = conversation("What is 2+2?", "You are a helpful assistant.")

LLAMA_3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ "
    "message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
RICH = """{%- if tools %}
    {{- tools | tojson }} {{ tools | tojson(indent=2) }}
{%- endif %}
{% for message in messages %}
    {%- if message.role == 'user' %}
U: {{ message.content }}
    {% elif message.role == 'skip' %}
        {%- continue %}
    {%- else %}
        {% generation %}
A: {{ message.content | tojson }}{{ eos_token }}
        {% endgeneration %}
    {%- endif %}
{% endfor %}
{%- set ns = namespace(found=false) %}{% set ns.found = true %}{{ ns.found }} {{ date is defined }}
"""


def test_chatml_is_the_golden_bytes() -> None:
    assert render(CHATML, ASKED).encode() == GOLDEN


@pytest.mark.parametrize(
    "changed",
    [
        conversation("What is 2+2?"),
        [ASKED[1], ASKED[0]],
        conversation("What is 2+2?", "You are a helpful assistant"),
        [{**ASKED[0], "role": "user"}, {**ASKED[1], "role": "system"}],
    ],
)
def test_other_messages_are_other_bytes(changed: Any) -> None:
    assert render(CHATML, changed).encode() != GOLDEN


def test_without_the_prompt_the_text_ends_with_the_conversation() -> None:
    assert (
        render(CHATML, ASKED, add_generation_prompt=False).encode()
        == GOLDEN[: -len(b"<|im_start|>assistant\n")]
    )


def test_special_tokens_and_the_time_are_given() -> None:
    now = dt.datetime(2026, 2, 3, tzinfo=dt.UTC)
    assert render(
        "{{ bos_token }}{{ strftime_now('%d %b %Y') }}", [], special={"bos_token": "<s>"}, now=now
    ) == ("<s>03 Feb 2026")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for x in range(10**9) %}x{% endfor %}", "Range too big"),
        ("{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}", "seconds"),
        ("{{ 'x' * 10**12 }}", "memory"),
        ("{% for x in range(9999) %}{{ 'x' * 10**6 }}{% endfor %}", "more than 4194304 characters"),
        ("{{ '%1000000000000d' % 1 }}", "memory|too big|fails"),
        ("{{ 9 ** (9 ** (9 ** 9)) }}", "seconds|memory"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "too deep"),
        ("{{ ''.__class__.__mro__ }}", "not allowed|not there"),
        ("{{ messages.append(1) }}", "not allowed"),
        ("{% include '/etc/passwd' %}", "fails|refuses|not there"),
        ("{% if %}", "broken in line 1"),
        ("\n\n{{ messages[0].nothing.at_all }}", "asks for what is not there"),
        ("{{ raise_exception('only users\x1b[2J') }}", r"refuses these messages: only users\\x1b\[2J"),
        ("{{ messages | tojson(indent=messages) }}", "fails"),
    ],
)
def test_hostile_and_broken_templates_end_in_a_named_error(template: str, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(ModelError, match=message):
        render(template, ASKED, seconds=1.0)
    assert time.monotonic() - started < 30


def test_what_escapes_into_the_message_is_never_code() -> None:
    user = "{{ 7 * 7 }}{% raw %}"
    assert user in render(CHATML, conversation(user))


def test_jinja_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        render(CHATML, ASKED)
    assert caught.value.name == "jinja2"


def test_messages_that_are_no_json_are_refused() -> None:
    with pytest.raises((ModelError, TypeError)):
        render(CHATML, [{"role": "user", "content": b"bytes"}])


@pytest.mark.oracle
@pytest.mark.parametrize("template", [CHATML, LLAMA_3, RICH])
@pytest.mark.parametrize("prompt", [True, False])
def test_transformers_renders_the_same(template: str, prompt: bool) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(FOLDER)
    theirs.add_special_tokens({"bos_token": "<|im_start|>"})
    tools = [{"type": "function", "function": {"name": "é<&>", "parameters": {"b": 1, "a": [None, True]}}}]
    messages = [
        *ASKED,
        {"role": "assistant", "content": "<4> 日本\n"},
        {"role": "user", "content": " and\t3? "},
    ]
    special = {"bos_token": "<|im_start|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    expected = theirs.apply_chat_template(
        messages, tools=tools, chat_template=template, tokenize=False, add_generation_prompt=prompt
    )
    assert render(template, messages, special=special, tools=tools, add_generation_prompt=prompt) == expected


def test_a_lower_limit_of_the_caller_is_kept() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
from pv_runtime.chat_template import conversation, render
assert render("{{ messages[0].content }}", conversation("hi")) == "hi"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
