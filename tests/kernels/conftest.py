"""Kernels run by the interpreter in this process, whenever triton was imported; nothing stays changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pv_kernels.interpreter import Launch, interpreting


@pytest.fixture
def launches() -> Iterator[list[Launch]]:
    """What is launched in a test, which the interpreter runs."""
    with interpreting() as found:
        yield found
