"""Every command of pv over hostile texts, through real processes: nothing of them drives what shows it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pv.cli import COMMANDS
from pv.reports.destinations import FORMATS
from tests.injection.payload import (
    MARK,
    NAME,
    PAYLOAD,
    unsafe,
    unsafe_html,
    unsafe_json,
    unsafe_lines,
    unsafe_markdown,
    unsafe_xml,
)
from tests.injection.project import plant

pytestmark = pytest.mark.injection
ROOT = Path(__file__).parents[2]
TEXTS = {"characters": PAYLOAD, "commands": f"::error::{MARK} ##[error]{MARK}"}
FILES: dict[str, Callable[[bytes], list[str]]] = {
    "json": unsafe_json,
    "jsonl": unsafe_lines,
    "junit": unsafe_xml,
    "sarif": unsafe_json,
    "github": unsafe,
    "markdown": unsafe_markdown,
}
Command = tuple[Sequence[str], Callable[[bytes], list[str]]]


def reported(*words: str) -> Iterator[Command]:
    """The text, then each report, into files that are looked at later."""
    yield (
        (
            *words,
            *(word for form in FORMATS for word in ("--report", f"{form}:{'-'.join(words[:1])}.{form}")),
        ),
        unsafe,
    )
    yield (*words, "--report", "github"), unsafe


def both(*words: str) -> Iterator[Command]:
    yield words, unsafe
    yield (*words, "--json"), unsafe_json


RECORDING: list[Command] = [
    *reported("discharge", "--force", "contracts"),
    *both("sweep", "--force", "contracts"),
]
LOOKING: list[Command] = [
    *reported("validate", "contracts", "bad", "findings"),
    *both("validate", "bad"),
    *reported("sweep", "--no-record", "--force", "contracts"),
    *both("sweep", "--dry-run", "contracts"),
    *reported("gate", "--all-files"),
    *both("gate", "--all-files"),
    (("gate", "--all-files", "--format", "markdown"), unsafe_markdown),
    *reported("status"),
    *both("status"),
    (("status", "--format", "markdown"), unsafe_markdown),
    *both("coverage"),
    *reported("audit", "contracts", "bad"),
    *both("audit", "contracts"),
    *both("diff", "contracts", "bad"),
    *both("diff", "before", "contracts"),
    *both("diff", "contracts", "before"),
    *both("graph"),
    *((("graph", "--format", form), unsafe) for form in ("dot", "mermaid")),
    *both("equations"),
    (("equations", "--format", "latex"), unsafe),
    *both("roofline"),
    *both("roofline", "--hardware", "h200"),
    *both("explain", "small-v1"),
    *(each for number in (1, 2, 3, 5, 6, 7) for each in both("explain", f"FALSIFY-SMALL-00{number}")),
    *both("evidence", "show"),
    *both("evidence", "verify"),
    *both("evidence", "ledger"),
    (("evidence", "history", "FALSIFY-SMALL-003"), unsafe),
    *both("waivers", "list"),
    *both("waivers", "lint"),
    *both("doctor"),
    (("fetch", "--all"), unsafe),
    (("scaffold", "--dry-run", "--into", "small_checks.made", "contracts"), unsafe),
    *both("scaffold", "--properties", "contracts"),
    (("sync", "--check"), unsafe),
    (("migrate", "contracts", "--check"), unsafe),
    *both("migrate", "bad", "--check"),
    (("migrate", "contracts", "--dry-run"), unsafe),
    (("validate", "contracts", "bad", "--baseline", "known.baseline", "--write-baseline"), unsafe),
    *both("validate", "contracts", "bad", "--baseline", "known.baseline"),
    (("report", "--html", "site"), unsafe),
    (("schema",), unsafe_json),
    (("schema", "--with-checks"), unsafe_json),
    *(
        ((*words, NAME), unsafe)
        for words in (
            *(("validate",), ("discharge",), ("status",), ("coverage",), ("graph",), ("equations",),
            ("roofline",), ("roofline", "--params", "1", "--hardware"), ("explain",), ("fetch",
            ), ("migrate",)),
            *(("evidence", "show"), ("evidence", "import"), ("evidence", "push"), ("sweep", "--select")),
            *(("audit",), ("audit", "contracts", "--binding"), ("diff", "contracts")),
            *(("status", "--against"), ("gate", "--base"), ("scaffold",), ("waivers", "list", "--on"),
            ("init",)),
            *(("sync", "--date"), ("report", "--html", "x", "--"), (f"-{NAME}",), (NAME,)),
        )
    ),
]  # fmt: skip


def run(root: Path, words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "pv", *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


def faults(root: Path, command: Command) -> str:
    """What is wrong with a command's output; empty where nothing is."""
    words, look = command
    ended = run(root, words)
    try:
        found = [*look(ended.stdout or b"{}" * (look is unsafe_json)), *unsafe(ended.stderr)]
    except (ValueError, SyntaxError) as error:
        found = [f"cannot be read: {error!r}"]
    if b"a defect of pv" in ended.stderr:
        found.append(ended.stderr[-400:].decode())
    return f"{' '.join(words)!a}: {found}" if found else ""


@pytest.fixture(scope="module", params=TEXTS)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp(request.param) / "p", TEXTS[request.param])


def test_every_command_is_here() -> None:
    assert {words[0] for words, _ in [*RECORDING, *LOOKING]} >= set(COMMANDS)


def test_no_output_is_driven_by_what_a_project_says(project: Path) -> None:
    assert [fault for command in RECORDING if (fault := faults(project, command))] == []
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda command: faults(project, command), LOOKING))
    assert [fault for fault in found if fault] == []
    reports = sorted(path for path in project.glob("*.*") if path.suffix[1:] in FILES)
    assert len(reports) == 5 * len(FILES) + len(FILES)
    for report in reports:
        raw = report.read_bytes()
        assert FILES[report.suffix[1:]](raw) == [], report.name
    assert any(MARK.encode() in report.read_bytes() for report in reports)
    pages = sorted((project / "site").rglob("*.html"))
    assert len(pages) > 5
    for page in pages:
        assert unsafe_html(page.read_bytes()) == [], page.name
    assert sum(MARK.encode() in page.read_bytes() for page in pages) > 2  # shown, and driving nothing


@pytest.mark.parametrize(
    "words", [("discharge", "--no-record", "--force", "contracts"), ("sweep", "--no-record", "--force")]
)
def test_a_terminal_is_driven_by_nobody_else(project: Path, words: Sequence[str]) -> None:
    """What is drawn for a terminal has escapes of our own, none of the text's."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pv", *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "200"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    ):
        os.close(theirs)
        drawn = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    assert MARK.encode() in drawn
    for piece in (f"\x1b[31m{MARK}", "\x1b]8;;http", "\x9b2J", "\u202e", "\u200b", "\x07", "\b\b"):
        assert piece.encode() not in drawn
    assert not [line for line in drawn.splitlines() if line.lstrip().startswith(b"::error")]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other end is closed
        return b""
