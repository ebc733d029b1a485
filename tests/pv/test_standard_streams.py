"""What the encoding of an output has no bytes for is shown as an escape, by every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pv.conftest import CLAUSE, Project

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {
    "rule": "The shipped numbers are \xe9 \u2264 \U0001d11e",
    "prediction": "\u2264 a quarter",
    "if_fails": "\u65e5\u672c",
}
WORDS = [
    "validate contracts",
    "validate --fix contracts",
    "validate --baseline known.json --write-baseline contracts",
    "validate nowhere-\xe9",
    "graph",
    "coverage",
    "status",
    "equations",
    "equations --format latex",
    "roofline contracts",
    "audit contracts",
    "migrate --dry-run contracts",
    "diff contracts/small-v1.yaml contracts/\xe9-v1.yaml",
    "explain FALSIFY-SMALL-001",
    "scaffold --dry-run contracts",
    "sync --dry-run",
    "waivers list",
    "evidence",
    "doctor --json",
    "--help",
]


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose contracts are full of what ASCII does not have, in names of files as well."""
    made = Project(tmp_path_factory.mktemp("strange") / "project")
    path = made.contract({**CLAUSE, **TEXTS, "check": "small_checks.n\xf6:n\xf6"})
    text = path.read_text(encoding="utf-8")
    obligation = "proof_obligations:\n- {id: O-1, type: bound, property: '\u2264', formal: 'a \u2264 b'}\n"
    equation = "equations:\n  \xe9:\n    formula: 'y = \u03b1 x \u2264 1'\n    \u2264: 1\n"
    misspelt = "falsification:\n- {id: B-1, rule: '\u2264'}\n"
    path.with_name("\xe9-v1.yaml").write_text(text + obligation + equation + misspelt, encoding="utf-8")
    return made


def run(project: Project, encoding: str, words: str) -> tuple[int, bytes, bytes]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    variables |= {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT), "PV_NO_CACHE": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pv", *words.split()],
        cwd=project.root, env=variables, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "encoding"), [*((words, "ascii") for words in WORDS), (WORDS[0], "latin-1")]
)
def test_what_cannot_be_encoded_is_an_escape(
    strange: Project, tmp_path: Path, words: str, encoding: str
) -> None:
    # Of this process the output is text, and is encoded nowhere.
    truth = strange.copy(tmp_path / "one" / "project").pv(*words.split())
    said = run(strange.copy(tmp_path / "two" / "project"), encoding, words)
    assert b"a defect of pv" not in said[2]
    one, two = str(tmp_path / "one").encode(), str(tmp_path / "two").encode()
    assert said[0] == truth.code
    told = [text.encode(encoding, "backslashreplace") for text in (truth.out, truth.err)]
    assert [text.replace(two, one) for text in said[1:]] == told


def test_the_texts_reach_the_output(strange: Project) -> None:
    """Else the tests above would compare nothing."""
    plain = ("validate contracts", "status", "equations", "audit contracts")
    for words in plain:
        _, out, err = run(strange, "ascii", words)
        assert b"\\u" in out + err or b"\\x" in out + err, words


def test_the_schema_stays_json(strange: Project) -> None:
    code, out, _ = run(strange, "ascii", "schema")
    assert code == 0
    assert json.loads(out.decode("ascii")) == json.loads(run(strange, "utf-8", "schema")[1])


def test_who_asks_for_something_else_gets_it(strange: Project) -> None:
    words = "validate contracts"
    truth = run(strange, "utf-8", words)
    assert run(strange, "ascii:replace", words)[1] == truth[1].decode("utf-8").encode("ascii", "replace")
