from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.investigation import (
    Investigation,
    InvestigationError,
    Why,
    investigation_files,
    load_investigation,
)

GOOD = """\
---
id: FINDING-1
title: A title
date: "2026-11-20"
status: open
falsifiers: [FALSIFY-SMALL-001]
evidence: [FALSIFY-SMALL-001]
interpretation: What it means
five_whys:
  - question: Why?
    answer: Because.
  - Why so?
hypotheses:
  - statement: It was the wind
    status: refuted
    by: FALSIFY-SMALL-001
---
# Text

--- not an end
"""


def load(folder: Path, text: str) -> Investigation:
    path = folder / "one.md"
    path.write_text(text, encoding="utf-8")
    return load_investigation(path)


def problems(folder: Path, text: str) -> list[tuple[str, str, str]]:
    """Return code, line:column and message of each problem."""
    with pytest.raises(InvestigationError) as caught:
        load(folder, text)
    return [(f.code, f"{f.where.line}:{f.where.column}", f.message) for f in caught.value.findings]


def test_front_matter_and_text_are_told_apart(tmp_path: Path) -> None:
    one = load(tmp_path, GOOD)
    assert (one.id, one.status, one.falsifiers) == ("FINDING-1", "open", ("FALSIFY-SMALL-001",))
    assert one.five_whys == (Why("Why?", "Because."), Why("Why so?", None))
    assert one.hypotheses[0].by == "FALSIFY-SMALL-001"
    assert one.withdrawn is None
    assert one.body == "# Text\n\n--- not an end\n"


def test_places_are_those_of_the_file(tmp_path: Path) -> None:
    one = load(tmp_path, GOOD)
    assert str(one.where("hypotheses", 0, "by")).endswith("one.md:16:9")


@pytest.mark.parametrize("text", [GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD], ids=["CRLF", "BOM"])
def test_how_a_file_was_saved_does_not_matter(tmp_path: Path, text: str) -> None:
    (tmp_path / "one.md").write_bytes(text.encode())
    assert load_investigation(tmp_path / "one.md").title == "A title"


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "message"),
    [
        ("title: A title\n", "", "002", "2:1", "title is missing"),
        ("title: A", "titel: A", "002", "3:1", "titel is no key of an investigation"),
        ('"2026-11-20"', '"2026-02-30"', "002", "4:7", "date: expected a date, YYYY-MM-DD"),
        ('"2026-11-20"', '"20261120"', "002", "4:7", "date: expected a date, YYYY-MM-DD"),
        ("status: open", "status: proved", "002", "5:9", "status: Input should be 'open', 'standing' or"),
        ("falsifiers: [FALSIFY-SMALL-001]", "falsifiers: []", "002", "6:13", "falsifiers: List should"),
        ("interpretation: What it means", "interpretation: '  '", "002", "8:17", "interpretation: String"),
        ("    status: refuted", "    status: likely", "002", "15:13", "hypotheses.0.status: Input should be"),
        ("  - Why so?", "  - {answer: only}", "002", "12:5", "five_whys.1"),
        ("  - Why so?", "  - 3", "002", "12:5", "five_whys.1"),
        ("title: A title", "title: A title\ntitle: Twice", "001", "4:1", "YAML-002: "),
        ("title: A title", "title: [", "001", "", "YAML-001: "),
        ("title: A title", "title: !thing x", "001", "", "YAML-008: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(
    tmp_path: Path, old: str, new: str, code: str, place: str, message: str
) -> None:
    assert GOOD.count(old) == 1
    found = problems(tmp_path, GOOD.replace(old, new))
    assert any(
        one[0] == f"PV-FINDING-{code}" and one[1].startswith(place) and one[2].startswith(message)
        for one in found
    ), found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# Text\n",
        "---\nid: x\n",
        "--- \nid",
        "---\n---\ntext",
        "---\n- a\n---\n",
        "---\ntext\n---\n",
        "\n" + GOOD,
    ],
)
def test_a_file_without_front_matter_is_no_investigation(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)[0][0] == "PV-FINDING-001"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "bytes.md").write_bytes(b"---\n\xff\n---\n")
    (tmp_path / "large.md").write_bytes(b"---\n" + b"#" * (1 << 20))
    os.mkfifo(tmp_path / "pipe.md")
    for name in ("nowhere", "folder", "bytes", "large", "pipe"):
        with pytest.raises(InvestigationError, match="this is no investigation"):
            load_investigation(tmp_path / f"{name}.md")


def test_withdrawn_without_a_clause_can_be_read_so_that_it_can_be_judged(tmp_path: Path) -> None:
    text = GOOD.replace("status: open", "status: withdrawn").replace(
        "hypotheses:", 'withdrawn: {date: "2026-11-21", reason: It was not so}\nhypotheses:'
    )
    withdrawn = load(tmp_path, text).withdrawn
    assert withdrawn is not None
    assert withdrawn.refuted_by == ""


def test_the_folder_is_searched_and_its_readme_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "findings"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.md", "a.md", "README.md", "notes.txt", "deeper/c.md"):
        (folder / name).write_text("x")
    names = [path.name for path in investigation_files(tmp_path)]
    assert names == ["a.md", "b.md", "c.md"]
    assert investigation_files(folder) == investigation_files(tmp_path)
    assert investigation_files(tmp_path / "elsewhere") == []


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.md"
        path.write_bytes(f"---\n{text}\n---\n".encode("utf-8", "surrogatepass"))
        with pytest.raises(InvestigationError) as caught:
            load_investigation(path)
        assert caught.value.findings
