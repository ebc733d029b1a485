"""A text that tries everything at once, and what must not be left of it in any output."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

MARK = "PWNED"
PAYLOAD = (
    f"\x1b[31m{MARK}\x1b]8;;http://evil.example\x07link\x1b]8;;\x07\x9b2J\b\b"
    f"\u202e\u200b\u2066\ufeff\u2028 [red]{MARK}[/red] <script>alert('{MARK}')</script></script><!-- ]]> "
    f"](javascript:alert(1)) ![x](http://evil.example/x.png) | a | b `c` @everyone "
    f"\r\n::error::{MARK}%0a::warning::{MARK}\n"
    f"=cmd|' /C calc'!A0 \x00"
)
"""Terminal, bidi and zero-width characters, markup, HTML, Markdown, workflow commands, formulas, NUL."""

NAME = "\x1b[31mPWNED\u202e\n::error::PWNED <script>alert('PWNED')<"
"""The same for the name of a file, which can hold no slash and no NUL, and is at most 255 bytes long."""

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_COMMAND = re.compile(
    r"^\s*::(?!(?:error|warning|notice) (?:file|title)=|stop-commands::[0-9a-f]{32}$|[0-9a-f]{32}::$)|##\[",
    re.MULTILINE,
)
"""What a runner of GitHub's takes for a command, but those that `--report github` means to give."""


def unsafe(raw: bytes) -> list[str]:
    """Return what is wrong with text that a terminal, or the log of a CI job, is given."""
    commands = (match.string[match.start() :][:60] for match in _COMMAND.finditer(raw.decode("utf-8")))
    return [*unsafe_characters(raw), *(f"a workflow command: {each!a}" for each in commands)]


def unsafe_characters(raw: bytes) -> list[str]:
    """Return the characters that do not print as themselves; UTF-8 is read strictly."""
    found = sorted(set(raw.decode("utf-8")) - {"\n"})
    return [f"U+{ord(each):04X}" for each in found if unicodedata.category(each) in _UNSAFE]


class _Page(HTMLParser):
    """Finds in a page of HTML, or in Markdown, what would run or load."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = " ".join(value or "" for _, value in attrs)
        if (
            any(name.startswith("on") for name, _ in attrs)
            or "javascript:" in values
            or "evil.example" in values
        ):
            self.found.append(f"<{tag} {values}>")
        if tag == "script" and MARK in values:
            self.found.append(f"<{tag} {values}>")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem and MARK in data:
            self.found.append(f"a script says {data[:60]!r}")


def unsafe_html(raw: bytes) -> list[str]:
    """Return what is wrong with a page of HTML."""
    page = _Page()
    page.feed(raw.decode("utf-8"))
    page.close()
    return page.found + unsafe_characters(raw)


def unsafe_markdown(raw: bytes) -> list[str]:
    """Return what is wrong with Markdown: links and pictures of the payload, and HTML."""
    from markdown_it import MarkdownIt

    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(raw.decode("utf-8"))
    return unsafe_html(shown.encode())


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def unsafe_json(raw: bytes) -> list[str]:
    """Return what is wrong with JSON; what its strings hold is for whoever parses it."""
    json.loads(raw, parse_constant=_refuse)
    return unsafe(raw)


def unsafe_lines(raw: bytes) -> list[str]:
    """Return what is wrong with JSON of one value a line."""
    return [fault for line in raw.splitlines() for fault in unsafe_json(line)]


def unsafe_xml(raw: bytes) -> list[str]:
    """Return what is wrong with XML."""
    ET.fromstring(raw)  # noqa: S314 - ours
    return unsafe(raw)
