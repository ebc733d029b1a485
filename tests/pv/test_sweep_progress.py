from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pv.outcome import Discharge
from pv.sweep_progress import Shown, show_sweep

WORDS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="#"), min_size=1)
LONG = "a-contract-with-a-long-name-v1#FALSIFY-SOMETHING-LONG-001"


class Terminal(io.StringIO):
    """What is written to a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def lines(width: int, *addresses: str, what: str = "live", height: int = 24) -> list[str]:
    """Return what is drawn while `addresses` run."""
    with show_sweep(Terminal(), [*addresses, "c#WAITS"], {"c#WAITS": 60.0}) as shown:
        for address in addresses:
            shown.started(address)
            shown.told(address, what, 3, 100)
        return drawn(shown, width, height)


def drawn(shown: Shown, width: int, height: int) -> list[str]:
    console = Console(file=Terminal(), width=width, height=height)
    with console.capture() as captured:
        console.print(shown)
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in captured.get().splitlines() if line]


@given(st.integers(20, 200), st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6, unique=True), WORDS)
def test_no_line_is_wider_than_the_terminal(width: int, parts: list[tuple[str, str]], what: str) -> None:
    told = lines(width, *(f"{stem}#{identifier}" for stem, identifier in parts), what=what)
    assert len(told) == 1 + len(parts)
    assert all(len(line) <= width for line in told)


def test_a_wide_terminal_has_the_bar_the_contract_and_how_far_each_is() -> None:
    first, second = lines(140, LONG)
    assert re.fullmatch(r"sweep  0 of 2  ─+  0 s so far, about \d+ min.* to go", first)
    assert second.split("  ")[-2:] == [LONG, "live 3/100"]


def test_a_narrow_one_has_what_tells_them_apart() -> None:
    first, second = lines(40, LONG)
    assert re.fullmatch(r"sweep  0 of 2  \d+ min.* to go", first)
    assert LONG.partition("#")[2][-20:] in second


def test_more_than_fit_are_counted() -> None:
    told = lines(100, *(f"c#{number:03}" for number in range(40)), height=12)
    assert len(told) == 10
    assert told[-1].strip() == "and 32 more"


def test_a_failure_is_told_at_once_and_counted() -> None:
    stream = Terminal()
    with show_sweep(stream, ["c#A", "c#B"], {}) as shown:
        shown.started("c#A")
        shown.ended(Discharge("c#A", "r", "Fail", message="it was [bold]scaled[/bold]\nmore"))
        shown.retried(Discharge("c#B", "r", "Error", message="killed"))
        first, *_ = drawn(shown, 100, 24)
    assert "FAIL  c#A: it was [bold]scaled[/bold]\n" in stream.getvalue().replace("\r", "")
    assert "AGAIN  c#B: killed" in stream.getvalue()
    assert "1 of 2, 1 failed" in first
