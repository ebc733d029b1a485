"""What commands that run checks have in common: their options, read and made portable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pv.config import Config
from pv.errors import ConfigError
from pv.masking import masked

__all__ = ["check_device", "portable", "subjects_given"]


def check_device(device: str) -> None:
    """Refuse a ``--device`` that means nothing.

    Raises
    ------
    ConfigError
        It is none of ``auto``, ``cpu``, ``cuda`` and ``cuda:N``.
    """
    known = device in {"auto", "cpu", "cuda"} or (device.startswith("cuda:") and device[5:].isdigit())
    if not known:
        raise ConfigError(f"--device {device!r} is none of auto, cpu, cuda, cuda:N", remedy="correct it")


def portable(argv: Sequence[str], config: Config) -> tuple[str, ...]:
    """Spell paths in `argv` relative to the root, and mask secrets, so that neither is recorded."""

    def one(word: str) -> str:
        name, sign, path = word.rpartition("=")
        return f"{name}{sign}{config.relative(Path(path))}" if path.startswith("/") else masked(word)

    return tuple(one(word) for word in argv)


def subjects_given(words: Sequence[str]) -> dict[str, Path]:
    """Return name → path of the ``NAME=PATH`` that ``--subject`` was given.

    Raises
    ------
    ConfigError
        A word is not of that form.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, sign, path = word.partition("=")
        if not sign or not name or not path:
            raise ConfigError(f"--subject {word!r} is not NAME=PATH", remedy="write --subject NAME=PATH")
        found[name] = Path(path).resolve()
    return found
