from __future__ import annotations

import pytest

from tests.compatibility.rust import Judge, judge


@pytest.fixture(scope="session")
def rust() -> Judge:
    """What the Rust tool says, by a second implementation of its rules."""
    return judge
