"""The commands on the page about Ray that take a cluster: `make services` runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/sweep-with-ray.md"


@pytest.mark.service
def test_the_page_on_ray_shows_what_happens(
    tmp_path: Path, programs: dict[str, str], blocks_of: Callable[[Path], list[Any]]
) -> None:
    from tests.docs.conftest import matches, run_steps

    subprocess.run(["pv", "init"], cwd=tmp_path, env=programs, capture_output=True, check=True)
    (block,) = [block for block in blocks_of(PAGE) if block.name == "services"]
    ended = [*run_steps(block, tmp_path, programs)]
    assert len(ended) == 1
    for command, promised, came in ended:
        assert promised
        assert matches(promised, came), f"$ {command}\n" + "\n".join(came)


@pytest.mark.service
def test_every_option_of_ray_that_the_page_names_is_one() -> None:
    named = {
        word
        for line in re.findall(r"^\$ ray start (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        for word in line.split()
        if word.startswith("--")
    }
    assert named == {"--head", "--num-cpus", "--address"}
    told = subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", "start", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(re.search(rf"{word}\b", told.stdout) for word in named)
