"""The program ``pv``: looks first for what is remembered, which needs no parser; else runs :mod:`pv.cli`."""

from __future__ import annotations

import sys

from pv.result_cache.remembered import look_up, run_watched
from pv.standard_streams import escape_what_cannot_be_encoded

__all__ = ["main"]


def main() -> int:
    """Run ``pv`` with the arguments of the process; return the exit code."""
    words = sys.argv[1:]
    escape_what_cannot_be_encoded()
    try:
        known = look_up(words)
        if known is not None and known.entry is not None:
            from pv.result_cache.store import used

            used(known.place, known.key)
            return known.entry.replay()
        from pv.cli import main as run

        return run() if known is None else run_watched(known, words, run)
    except (Exception, KeyboardInterrupt) as error:
        from pv.cli import ended_by

        return ended_by(error)
