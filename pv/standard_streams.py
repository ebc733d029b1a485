"""The streams of the process, made fit to be printed to, whatever the caller made of them."""

from __future__ import annotations

import io
import os
import sys

__all__ = ["escape_what_cannot_be_encoded", "open_closed_streams"]

_ENDS_A_RUN = frozenset({"strict", "surrogateescape"})
"""How a stream handles what it cannot encode, where that is an error."""


def open_closed_streams() -> None:
    """Open what the caller closed (``pv … >&-``), lest a file or a pipe of ours become its output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  until the end


def escape_what_cannot_be_encoded() -> None:
    r"""Have what an output's encoding has no bytes for shown as an escape (``\u2264``).

    A contract may hold any character, and a terminal of ``LANG=C`` or a log of another age a few: that one
    cannot be shown is no reason not to say what was found. Who asked for something else (``ascii:ignore``)
    gets it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _ENDS_A_RUN:
            stream.reconfigure(errors="backslashreplace")
