"""The settings of ``[executors.slurm]``: how each is read, and what it must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["SETTINGS"]

_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def _word(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"{text!r} is no word")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is no positive number")
    return int(text)


def _minutes(text: str) -> int:
    """Read a time as Slurm does: minutes, MM:SS, HH:MM:SS, or D-HH[:MM[:SS]]; rounded up."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time: minutes, HH:MM:SS or D-HH:MM:SS")
    days, first, second, third = (None if part is None else int(part) for part in match.groups())
    if days is None and second is not None and third is None:
        seconds = first * 60 + second if first is not None else 0
    elif days is None and second is None:
        seconds = (first or 0) * 60
    else:
        seconds = (((days or 0) * 24 + (first or 0)) * 60 + (second or 0)) * 60 + (third or 0)
    if seconds < 1:
        raise ValueError(f"{text!r} is no time at all")
    return -(-seconds // 60)


def _memory(text: str) -> str:
    if not re.fullmatch(r"\d+[KMGT]?B?", text) or int(re.sub(r"\D", "", text)) < 1:
        raise ValueError(f"{text!r} is no amount of memory, such as 16G")
    return text


def _capability(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+", text):
        raise ValueError(f"{text!r} is no compute capability, such as 9.0")
    return text


def _kind(text: str) -> str:
    if text not in {"slurm", "local"}:
        raise ValueError(f"{text!r} is neither slurm nor local")
    return text


def _absolute(text: str) -> str:
    if not _word(text).startswith("/"):
        raise ValueError(f"{text!r} is no absolute path")
    return text


SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "kind": _kind,
    "partition": _word,
    "account": _word,
    "qos": _word,
    "constraint": _word,
    "nodelist": _word,
    "exclude": _word,
    "time": _minutes,
    "mem": _memory,
    "cpus": _count,
    "gpu": _capability,
    "gres": _word,
    "root": _absolute,
    "python": _absolute,
    "patience": _count,
}
