"""The program ``pv``: looks first for what is remembered, which needs no parser; else runs :mod:`pv.cli`."""

from __future__ import annotations

import sys

from pv.result_cache.remembered import look_up, run_watched

__all__ = ["main"]


def main() -> int:
    """Run ``pv`` with the arguments of the process; return the exit code."""
    words = sys.argv[1:]
    known = look_up(words)
    if known is None:
        from pv.cli import main as run

        return run()
    if known.entry is None:
        from pv.cli import main as run

        return run_watched(known, words, run)
    from pv.result_cache.store import used

    used(known.place, known.key)
    try:
        return known.entry.replay()
    except (OSError, KeyboardInterrupt) as error:
        from pv.cli import ended_by

        return ended_by(error)
