"""``--no-cache``: nothing that was remembered is believed, and nothing is remembered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.result_cache.recorder import may_be_remembered

if TYPE_CHECKING:
    import argparse

__all__ = ["add_cache_argument", "believes_nothing", "minding_cache"]

_UNBELIEVING: list[bool] = []


def add_cache_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--no-cache``."""
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="look at everything anew: believe nothing that was remembered, and remember nothing",
    )


@contextlib.contextmanager
def minding_cache(arguments: argparse.Namespace) -> Iterator[None]:
    """Let what is done within be remembered, unless the `arguments` say otherwise or ask for a report."""
    if not arguments.no_cache:
        if not getattr(arguments, "report", None):  # a report is a file, which would have to be written again
            may_be_remembered()
        yield
        return
    _UNBELIEVING.append(True)
    try:
        yield
    finally:
        _UNBELIEVING.pop()


def believes_nothing() -> bool:
    """Tell whether the command that runs was told to believe nothing that was remembered."""
    return bool(_UNBELIEVING)
