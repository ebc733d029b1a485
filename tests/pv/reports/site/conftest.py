"""Pages of a site, read strictly."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pv.conftest import Project

VOID = {"meta", "link", "input", "br"}
DRAWN = {"path", "rect", "circle"}
"""Elements of SVG that end in themselves."""


class Page(HTMLParser):
    """A page: what is opened is closed, in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(self.text)
        self.close()
        assert not self.open

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in DRAWN
        self.tags.append((tag, dict(attrs)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def shown(self) -> str:
        """All of its text."""
        return " ".join("".join(self.words).split())

    @property
    def apart(self) -> str:
        """All of its text, with a blank wherever an element begins or ends."""
        return " ".join(" ".join(self.words).split())

    def attributes(self, tag: str, name: str) -> list[str]:
        """Return an attribute of every element `tag` that has it."""
        return [
            value for found, given in self.tags if found == tag and (value := given.get(name)) is not None
        ]

    def count(self, tag: str) -> int:
        """Return how many elements `tag` there are."""
        return sum(found == tag for found, _ in self.tags)


def make_site(project: Project, *arguments: str) -> Path:
    """Write the site of a project and return its folder."""
    ended = project.pv("report", "--html", "site", *arguments)
    assert ended.code == 0, ended.said
    return project.root / "site"


@pytest.fixture
def site_of() -> Callable[..., Path]:
    """Write a site."""
    return make_site
