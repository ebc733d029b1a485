"""Here what is written must last: what the kernel is asked to flush is what these tests are about."""

from __future__ import annotations

import os
import posix

import pytest


@pytest.fixture(autouse=True)
def what_is_written_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what ``tests/conftest.py`` does to `os.fsync`, for this process and those that it forks."""
    monkeypatch.setattr(os, "fsync", posix.fsync)
