"""Hears what a run prints, and lets it through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

__all__ = ["Heard", "joined"]

_BEYOND = frozenset({"buffer", "detach", "fileno", "reconfigure"})
"""By which something could be written that is not heard."""


class Heard:
    """Stands in the place of a text stream: what is written to it is kept in `said` as well."""

    def __init__(
        self, name: str, stream: Any, said: list[tuple[str, str]], refuse: Callable[[str], None]
    ) -> None:
        self._name, self._stream, self._said, self._refuse = name, stream, said, refuse

    def write(self, text: str) -> int:
        """Write `text`; return how many characters that is."""
        count: int = self._stream.write(text)
        self._said.append((self._name, text))
        return count

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name in _BEYOND:
            self._refuse(f"{self._name}.{name}")
        return getattr(self._stream, name)


def joined(said: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what was said with the pieces that follow each other on one stream in one."""
    return [
        (name, "".join(text for _, text in pieces))
        for name, pieces in groupby(said, key=lambda each: each[0])
    ]
