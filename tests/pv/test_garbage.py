from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from pv.garbage import uncollected


def test_nothing_is_collected_within_and_all_is_as_it_was_after() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_leaves_the_collector_on() -> None:
    with pytest.raises(ValueError, match="within"), uncollected():
        raise ValueError("within")
    assert gc.isenabled()


def test_what_is_left_is_not_looked_through_again() -> None:
    text = (
        "import gc\nfrom pv.garbage import uncollected\nkept = []\n"
        "with uncollected():\n    kept.extend([i] for i in range(9999))\n"
        "print(gc.get_freeze_count() >= 9999)"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
