"""Watches which variables a run reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from pv.result_cache.probes import PROBES, VARIABLE, VARIABLES, Probe

__all__ = ["watched_environment"]


def watched_environment(note: Callable[[Probe, bytes], None]) -> Callable[[], None]:
    """Have `note` told of each variable that is read from here on; return what ends that."""
    kind = type(os.environ)

    class Watched(kind):  # type: ignore[misc, valid-type]
        """``os.environ``, which says what it is asked for."""

        def __getitem__(self, name: str) -> str:
            if isinstance(name, str):
                asked = os.fsencode(name)
                note((VARIABLE, asked), PROBES[VARIABLE](asked))
            found: str = super().__getitem__(name)
            return found

        def __iter__(self) -> Iterator[str]:
            note((VARIABLES, b""), PROBES[VARIABLES](b""))
            names: Iterator[str] = super().__iter__()
            return names

        def __len__(self) -> int:
            note((VARIABLES, b""), PROBES[VARIABLES](b""))
            count: int = super().__len__()
            return count

        def copy(self) -> dict[str, str]:
            note((VARIABLES, b""), PROBES[VARIABLES](b""))
            return dict(super().items())

    environ: Any = os.environ
    environ.__class__ = Watched

    def undo() -> None:
        environ.__class__ = kind

    return undo
