"""For commands that share their work among processes: what a worker looks at counts as looked at by the run.

A run that starts another process is not remembered, since nobody saw what that one looked at. Unless it was
forked within :func:`workers`, does its work through :func:`report`, and every report is opened by
:func:`heard`. Processes that were started in another way note nothing, and their reports say so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from pv.result_cache.recorder import Noted, current

__all__ = ["Report", "heard", "report", "workers"]

_T = TypeVar("_T")


class Report(NamedTuple, Generic[_T]):
    """What a worker returned or raised, and what it looked at for that; to be pickled if the former can."""

    returned: tuple[_T, ...]
    raised: Exception | None
    noted: Noted


@contextlib.contextmanager
def workers() -> Iterator[None]:
    """Say that what is forked within are workers, whose reports will be heard."""
    recorder = current()
    if recorder is None:
        yield
        return
    recorder.workers += 1
    try:
        yield
    finally:
        recorder.workers -= 1


def report(work: Callable[[], _T]) -> Report[_T]:
    """Do `work`, in the worker; return what it returns or raises, with what it looked at."""
    recorder = current()
    returned: tuple[_T, ...] = ()
    raised: Exception | None = None
    try:
        returned = (work(),)
    except Exception as error:  # what it looked at decided that, too
        raised = error
    return Report(returned, raised, recorder.hand_over() if recorder else Noted("an unwatched worker", ()))


def heard(made: Report[_T]) -> _T:
    """Count what the worker looked at, in the process that started it; return, or raise, what it made.

    Raises
    ------
    Exception
        What the work raised.
    """
    if (recorder := current()) is not None:
        recorder.adopt(made.noted)
    if made.raised is not None:
        raise made.raised
    return made.returned[0]
