from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pv.contract import Contract, NotAContractError, ShapeError
from pv.errors import DocumentError, SelectionError
from pv.loading import load_contracts
from pv.shared_work import FEW

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "tests" / "pv" / "rules" / "resources"
OTHERS = {
    "note.yaml": "schema: ont-sigma-1\n",
    "aliases-v1.yaml": "metadata: {version: &v '1', description: *v}\n",
}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More contracts than are few, each of a name of its own, and files that go another way."""
    top = tmp_path_factory.mktemp("many")
    good = [path.read_bytes() for path in sorted(RESOURCES.glob("*.good.yaml"))]
    for number in range(FEW + 50):
        path = top / f"f{number % 7}" / f"c{number:03}-v1.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(good[number % len(good)])
    for name, text in OTHERS.items():
        (top / name).write_text(text, encoding="utf-8")
    return top


def program(command: str, *words: str, processors: int) -> tuple[int, str, str]:
    """Run a command on some of the processors that this test may use."""
    allowed = sorted(os.sched_getaffinity(0))[:processors]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pv", command, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["graph", "--json"], '"c249-v1"'),
        (["audit"], "f6/c237-v1.yaml:"),
        (["coverage"], "c249-v1"),
    ],
    ids=["graph", "audit", "coverage"],
)
def test_several_processes_say_what_one_says(many: Path, words: list[str], shown: str) -> None:
    alone = program(*words, str(many), processors=1)
    assert program(*words, str(many), processors=2) == alone
    assert alone[0] in {0, 1}
    assert shown in alone[1]


@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "YAML-001"), ("metadata: {version: 1}\n", "expected text")]
)
def test_the_first_error_is_the_one_that_is_told(
    many: Path, tmp_path: Path, text: str, said: str, processors: int
) -> None:
    (tmp_path / "many").symlink_to(many)
    (tmp_path / "a-v1.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "b-v1.yaml").write_text("[]", encoding="utf-8")
    files = [str(tmp_path / "a-v1.yaml"), f"{tmp_path}/many/f1", str(tmp_path / "b-v1.yaml"), str(many)]
    code, out, err = program("graph", *files, processors=processors)
    assert (code, out) == (1, "")
    assert f"{tmp_path}/a-v1.yaml:" in err
    assert said in err
    assert "b-v1" not in err


def test_each_path_has_its_contract_or_its_error(tmp_path: Path) -> None:
    texts = {
        "a.yaml": (RESOURCES / "SCHEMA-001.good.yaml").read_text(encoding="utf-8"),
        "b.yaml": "a: [",
        "c.yaml": "[]",
        "d.yaml": "schema: ont-sigma-1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    paths = [tmp_path / name for name in (*texts, "e.yaml")]
    kinds = [type(one) for one in load_contracts(paths)]
    assert kinds == [Contract, DocumentError, ShapeError, NotAContractError, SelectionError]
    assert [*load_contracts([])] == []
