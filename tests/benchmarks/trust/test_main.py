from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from benchmarks.trust import __main__ as trust
from benchmarks.trust import parts
from benchmarks.trust.parts import Line, Scale


def line(*, right: bool, met: bool) -> Line:
    return Line("what", "came", "wanted", right, met, ("first detail",))


def only(monkeypatch: pytest.MonkeyPatch, *lines: Line) -> None:
    def made(_scale: Scale) -> Iterator[Line]:
        yield from lines

    monkeypatch.setattr(trust, "PARTS", {"made": made})


@pytest.mark.parametrize(
    ("right", "met", "words", "word", "ended"),
    [
        (True, True, [], "met", 0),
        (True, False, [], "MISSED", 1),
        (True, False, ["--quick"], "small", 0),
        (False, False, ["--quick"], "MISSED", 1),
        (False, False, [], "MISSED", 1),
    ],
)
def test_a_figure_that_is_not_met_is_said_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    right: bool,
    met: bool,
    words: list[str],
    word: str,
    ended: int,
) -> None:
    only(monkeypatch, line(right=right, met=met))
    assert trust.main(words) == ended
    assert capsys.readouterr().out.startswith(
        f"{word:6}  what: came  (wanted: wanted)\n            first detail"
    )


def test_one_miss_among_many_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, line(right=True, met=True), line(right=False, met=False), line(right=True, met=True))
    assert trust.main(["made"]) == 1


def test_several_parts_are_run_each_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that ends badly is not forgotten by the one after it."""
    asked: list[list[str]] = []
    ends = iter([0, 1, 0])

    def run(program: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        assert not check
        asked.append(program[-3:])
        return subprocess.CompletedProcess(program, next(ends))

    monkeypatch.setattr(subprocess, "run", run)
    assert trust.main(["--quick", "tamper", "kills", "files"]) == 1
    assert asked == [["benchmarks.trust", "--quick", name] for name in ("tamper", "kills", "files")]


def test_an_unknown_part_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        trust.main(["nothing"])
    assert ended.value.code == 2
    assert "no part is called nothing" in capsys.readouterr().err


def test_signatures_are_verified_as_the_table_says() -> None:
    few = Scale(fuzz_seconds=0, every=1, kills=0, signatures=20, trials=0, families=None)
    (said,) = parts.signatures(few)
    assert said.what == "signatures verified"
    assert said.came.startswith("20 in ")
    assert not said.met  # a thousand are wanted
