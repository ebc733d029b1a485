"""Which contracts mention a name, told from their bytes: of thousands, few are worth parsing.

A name that stands in a contract stands in its bytes, letter by letter, unless an escape of YAML spells it. A
contract that holds such an escape may therefore mention anything, and counts as if it did.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Search"]

_SPELLS = (b"\\x", b"\\u", b"\\U", b"\\/", b"\\\n", b"\\\r")
"""What in a double-quoted scalar can spell a character of a name, or join the halves of one."""
_KEY_BY_ALIAS = re.compile(rb"\*[\w.-]+[ \t]*:")
_OF_A_NAME = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_WORD = re.compile(rb"[A-Za-z0-9_-]+")
"""Of these characters and no others: what stands between two that are none is a whole word."""
_FEW = 64
_CHECK = re.compile(rb"check[\"']?\s*:\s*[\"']?([A-Za-z_][\w.]*)?")
_CODE = re.compile(rb"(?<![\w.])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):[A-Za-z_]")
_RUN = re.compile(rb"(?:pytest|command)[\"']?\s*:")
_GATE = re.compile(rb"basis[\"']?\s*:")
_BLOCKS = re.compile(rb"block(?:s|ed_by)[\"']?\s*:")
_END = b"\0\n"
"""Stands between two contracts: no YAML holds a NUL."""


class Search:
    """The bytes of many contracts, by path, joined so that one pass looks through all of them."""

    def __init__(self, paths: Sequence[str], blobs: Iterable[bytes]) -> None:
        self.paths = paths
        self._ends: list[int] = []
        parts: list[bytes] = []
        at = 0
        for blob in blobs:
            parts.append(blob)
            at += len(blob) + len(_END)
            self._ends.append(at)
        self._all = _END.join([*parts, b""])
        self._unsure = {path for escape in _SPELLS for path, _ in self._find(escape)}
        self._unsure |= {self._path(match.start()) for match in _KEY_BY_ALIAS.finditer(self._all)}

    def naming(self, names: Iterable[str]) -> dict[str, str]:
        """Return path → one of `names` that stands in it as a whole word, or ``?`` if unsure."""
        found = dict.fromkeys(sorted(self._unsure), "?")
        wanted = list(dict.fromkeys(names))
        if len(wanted) > _FEW:
            # Each name is a pass of its own: of many, all words are looked at instead, once.
            spelled = {name.encode("utf-8", "surrogateescape"): name for name in wanted}
            words = {word: name for word, name in spelled.items() if _WORD.fullmatch(word)}
            for match in _WORD.finditer(self._all):
                if name := words.get(match[0], ""):
                    path = self._path(match.start())
                    if found.get(path, "?") == "?":
                        found[path] = name
            wanted = [name for word, name in spelled.items() if word not in words]
        for name in wanted:
            needle = name.encode("utf-8", "surrogateescape")
            for path, at in self._find(needle):
                if found.get(path, "?") == "?" and self._is_whole(at, len(needle)):
                    found[path] = name
        return found

    def holding(self, texts: Iterable[str]) -> dict[str, str]:
        """Return path → the first of `texts` that stands in it, also within a longer word."""
        found = dict.fromkeys(sorted(self._unsure), "?")
        for text in texts:
            for path, _ in self._find(text.encode("utf-8", "surrogateescape")):
                if found.get(path, "?") == "?":
                    found[path] = text
        return found

    def checks(self) -> dict[str, set[str]]:
        """Return module → the paths that bind a check of it, or name code of it in an argument.

        Under an empty name are those that hide which.
        """
        found: dict[str, set[str]] = {"": set(self._unsure)}
        for pattern in (_CHECK, _CODE):
            for match in pattern.finditer(self._all):
                module = (match[1] or b"").decode("ascii", "replace")
                found.setdefault(module, set()).add(self._path(match.start()))
        return found

    def running(self) -> set[str]:
        """Return the paths that may bind a test or a command."""
        return self._matching(_RUN)

    def citing(self) -> set[str]:
        """Return the paths that may hold a gate, which cites the evidence of others."""
        return self._matching(_GATE)

    def blocking(self) -> set[str]:
        """Return the paths that may say who waits on whom."""
        return self._matching(_BLOCKS)

    def _matching(self, pattern: re.Pattern[bytes]) -> set[str]:
        return self._unsure | {self._path(match.start()) for match in pattern.finditer(self._all)}

    def _find(self, needle: bytes) -> Iterator[tuple[str, int]]:
        """Yield path and place of each contract's places of `needle`."""
        at = self._all.find(needle) if needle else -1
        while at >= 0:
            yield self._path(at), at
            at = self._all.find(needle, at + len(needle))

    def _path(self, at: int) -> str:
        return self.paths[bisect_right(self._ends, at)]

    def _is_whole(self, at: int, length: int) -> bool:
        before = self._all[at - 1] if at else 0
        behind = self._all[at + length]  # there is an end behind every contract
        return before not in _OF_A_NAME and behind not in _OF_A_NAME
