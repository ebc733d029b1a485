from __future__ import annotations

from collections.abc import Callable

import pytest

from pv.record_facts import Compared, Facts


def made(number: int) -> Facts:
    """The facts of a run that differs from others by its number, in all that may differ."""
    return Facts(
        digest=f"{number:064x}",
        contract="c-v1",
        identifier=f"F-{number % 7}",
        level="live",
        base_level="live",
        subject="s",
        device="cpu",
        run="",
        host="linux, é",
        outcome="Pass" if number % 3 else "Fail",
        started_at=f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}+00:00",
        seconds=number / 8,
        commit="",
        dirty=number % 2 == 0,
        clause="0" * 64,
        inputs="1" * 64,
        compared=tuple(
            Compared(f"max(x{part})", number / 3, 0.1, None if part else 0.5, "ms" if part else None)
            for part in range(number % 4)
        ),
        decisive="max(x0)" if number % 4 else "",
    )


@pytest.fixture(name="made")
def made_fixture() -> Callable[[int], Facts]:
    """Return :func:`made`."""
    return made
