from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.contract import load_contract
from pv.references import Reference, complaint, find_references, texts_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tests/a.py::test_x", ["tests/a.py::test_x"]),
        ("pytest tests/a.py::TestA::test_x[1-b]", ["tests/a.py::TestA::test_x"]),
        ("a.py::test_x", ["a.py::test_x"]),
        ("`src/lib.rs::tests::holds`, then prose.", ["src/lib.rs::tests::holds"]),
        ("see ./docs/a.md, and (contracts/b-v1.yaml#FALSIFY-B-001).", ["docs/a.md", "contracts/b-v1.yaml"]),
        ("src/lib.rs:120", ["src/lib.rs"]),
        ("a.py", []),
        ("crate::tests::holds", []),
        ("cargo test -p aprender tests::holds", []),
        ("pv_runtime.checks.header:safetensors_header", []),
        ("https://github.com/a/b/blob/main/c.py", []),
        ("github.com/a/b/c.py", []),
        ("doi:10.1000/x.py", []),
        ("either/or, and/or", []),
        ("F <= 2.0/3.0", []),
    ],
)
def test_what_is_a_reference(text: str, found: list[str]) -> None:
    assert [str(reference) for reference in find_references(text)] == found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "tests/test_a.py": "import x\nclass TestA(x.Base):\n    def test_own(self): ...\n"
        "class TestB:\n    limit = 3\n    def test_own(self): ...\n"
        "try:\n    async def test_x(): ...\nexcept NameError:\n    def test_y(): ...\n"
        "test_z: object = None\n# def test_comment(): ...\n",
        "tests/broken.py": "def test_x(:\n",
        "tests/deep.py": f"x = {'-' * 100_000}1\n",
        "crates/core/src/lib.rs": "mod tests { fn holds() {} }\n// fn gone() {}\n/* fn lost() {} */\n",
        "contracts/data/a.json": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tests/test_a.py", ""),
        ("tests/test_a.py::TestA::test_own", ""),
        ("tests/test_a.py::TestA::test_inherited", ""),
        ("tests/test_a.py::TestB::limit", ""),
        ("tests/test_a.py::TestB::test_gone", "tests/test_a.py defines no TestB::test_gone"),
        ("tests/test_a.py::test_x", ""),
        ("tests/test_a.py::test_y", ""),
        ("tests/test_a.py::test_z", ""),
        ("tests/test_a.py::test_comment", "tests/test_a.py defines no test_comment"),
        ("tests/broken.py::test_x", "tests/broken.py defines no test_x"),
        ("tests/deep.py::x", "tests/deep.py defines no x"),
        ("tests/gone.py::test_x", "there is no file tests/gone.py"),
        ("src/lib.rs::tests::holds", ""),
        ("src/lib.rs::tests::gone", "src/lib.rs defines no tests::gone"),
        ("src/lib.rs::tests::lost", "src/lib.rs defines no tests::lost"),
        ("data/a.json", ""),
        ("../tests/gone.py", ""),
        (f"tests/{'a' * 256}.py", f"there is no file tests/{'a' * 54}…: no file can have so long a name"),
        (f"{'a/' * 5000}b.py", f"there is no file {'a/' * 30}…: no file can have so long a name"),
        (f"tests/{'a' * 252}.py", f"there is no file tests/{'a' * 252}.py"),
    ],
)
def test_what_is_not_there(root: Path, text: str, why: str) -> None:
    (reference,) = find_references(text)
    assert complaint(reference, root, root / "contracts") == why


@given(
    st.lists(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), min_size=2, max_size=4),
    st.lists(st.from_regex(r"[A-Za-z_]\w{0,8}", fullmatch=True).filter(str.isascii), max_size=3),
    st.sampled_from(["", "see ", "pytest -q "]),
)
def test_a_reference_is_read_as_it_is_shown(folders: list[str], symbols: list[str], before: str) -> None:
    reference = Reference("/".join(folders) + ".py", tuple(symbols))
    assert list(find_references(f"{before}{reference}")) == [reference]


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    assert all("/" in found.path or found.symbols for found in find_references(text))


def test_every_place_that_may_name_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a-v1.yaml"
    path.write_text(
        'metadata: {version: "1", description: x, references: [a/a.md]}\n'
        "falsification_tests:\n"
        "- {id: A, test: b/b.py, test_harness: c/c.py, pytest: 'd/d.py::t', harness: e/e.rs,\n"
        "   evidence_discharged_by: [f/f.py, {path: g/g.json, note: h/h.md}]}\n"
        "- {id: B, command: i/i.sh}\n"
        "- {id: C, command: [j/j.sh]}\n"
        "kani_harnesses: [{id: K, obligation: o, harness: k/k.rs}]\n",
        encoding="utf-8",
    )
    found = list(texts_of(load_contract(path)))
    assert sorted(text[0] for text, _, _ in found) == list("abcefgik")
    assert [text for text, _, cited in found if cited] == ["a/a.md"]
    lines = path.read_text(encoding="utf-8").splitlines()
    for text, where, _ in found:
        assert lines[where.line - 1][where.column - 1 :].lstrip("'").startswith(text)
