"""Small contracts in every style that the Rust tool's authors write, and what is said of each.

Each file of ``resources/`` says in its first three lines what the tool of February, the newest rules and we
say of it. The first two are held against the second judge, the third against us, and every file is put
through the command as well.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pv.cli import main
from pv.schema import KINDS, OBLIGATION_TYPES
from tests.compatibility.rust import UNKNOWN, Judge
from tests.compatibility.verdicts import Verdict, our_verdict, rejects, shown, without_ours

RESOURCES = Path(__file__).parent / "resources"
FILES = sorted(RESOURCES.glob("*.yaml"))
OWNER = """
schema:
  required_fields: [model_id, license, artifact_url, sha256, size_bytes, provenance]
  provenance_required_fields: [pipeline, recipe]
"""
DIFFERENT = {
    # For a key that occurs twice in a block that it types, the Rust tool has a parse failure.
    "a-key-twice-in-a-block-that-is-typed",
}
"""Files on which the verdict is the same, and its words are not."""


def said(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()[:3]
    return dict(line.removeprefix("# ").split(": ", 1) for line in lines)


def verdicts(path: Path, rust: Judge, folder: Path) -> dict[str, Verdict]:
    text = path.read_text(encoding="utf-8")
    copy = folder / path.name
    copy.write_text(text, encoding="utf-8")
    folder.joinpath("publish-manifest-v1.yaml").write_text(OWNER, encoding="utf-8")
    return {
        "february": rust(text, "february"),
        "newest": rust(text, "newest", owner=OWNER),
        "ours": our_verdict(text, copy),
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_says_what_is_said_of_it(path: Path, rust: Judge, tmp_path: Path) -> None:
    found = verdicts(path, rust, tmp_path)
    assert {who: shown(verdict) for who, verdict in found.items()} == said(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_finding_for_finding_we_say_what_the_newest_rules_say(
    path: Path, rust: Judge, tmp_path: Path
) -> None:
    found = verdicts(path, rust, tmp_path)
    if found["newest"] == UNKNOWN:
        assert path.stem == "kind-competitive-parity"
    elif path.stem in DIFFERENT:
        assert rejects(found["ours"]) == rejects(found["newest"])
    else:
        assert without_ours(found["ours"]) == found["newest"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_command_ends_as_the_verdict_says(
    path: Path, rust: Judge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = verdicts(path, rust, tmp_path)["ours"]
    assert main(["validate", str(tmp_path / path.name)]) == int(rejects(ours))
    shown_to_people = capsys.readouterr()
    assert "error(s)" in shown_to_people.out
    assert "Traceback" not in shown_to_people.err


def test_every_kind_and_every_type_is_there() -> None:
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    for kind in KINDS:
        assert any(f"kind: {kind}\n" in text for text in texts), kind
    for word in OBLIGATION_TYPES:
        assert any(f"type: {word}" in text for text in texts), word
