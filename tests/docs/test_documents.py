"""What the documents say is so: pages are followed, keys and expressions are those of the code."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pv import config
from pv.contract import load_contract
from pv.digests import digest_path
from pv.expression import parse
from pv.schema import FALSIFIER, KINDS
from pv.status import LADDER

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
Blocks = Callable[[Path], list[Any]]
HEADED = re.compile(r"^## \[(.+?)\]$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


@pytest.mark.page
@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_a_how_to_can_be_followed(page: Path, follow: Callable[[Path], int]) -> None:
    assert follow(page) >= 3


def test_what_is_set_here_does_not_reach_the_commands_of_a_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """`make docs` once said in PV_SITE where its site lay, and the page on nights wrote another over it."""
    monkeypatch.setenv("PV_SITE", str(tmp_path / "site"))
    follow = request.getfixturevalue("follow")
    page = tmp_path / "page.md"
    page.write_text('<!-- in: here -->\n```console\n$ echo "[$PV_SITE]"\n[]\n```\n')
    assert follow(page) == 1


def test_every_block_of_commands_in_a_how_to_is_run(blocks_of: Blocks) -> None:
    for page in (DOCS / "how-to").glob("*.md"):
        for block in blocks_of(page):
            assert block.language not in {"console", "sh", "bash"} or block.how == "in", page.name


def table_keys(text: str) -> set[str]:
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def keys(schema: Any) -> set[str]:
    """Return the keys of a table's schema, which may be wrapped in a validator."""
    return set(schema["fields"] if "fields" in schema else schema["schema"]["fields"])


def test_every_key_of_the_configuration_is_documented_and_no_other() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    documented = {name: table_keys(part) for name, part in re.findall(HEADED, text) if table_keys(part)}
    assert documented == {
        "project": keys(config._PROJECT),
        "subjects.NAME": keys(config._SUBJECT),
        "store": keys(config._STORE),
        "ledger": keys(config._LEDGER),
        "gate": keys(config._GATE),
        "signatures": keys(config._SIGNATURES),
    }


def test_the_documented_digest_of_a_folder_is_ours(tmp_path: Path, blocks_of: Blocks) -> None:
    folder = tmp_path / "FOLDER"
    folder.mkdir()
    for name in ("b", "a", "C"):
        (folder / name).write_text(name * 3)
    (block,) = [block for block in blocks_of(DOCS / "configuration.md") if block.language == "sh"]
    command = block.text.replace("FILES…", "b C a")
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == digest_path(folder)[0]
    assert digest_path(folder)[0] != hashlib.sha256(b"").hexdigest()


def test_every_expression_that_is_shown_is_one(blocks_of: Blocks) -> None:
    (block,) = [block for block in blocks_of(DOCS / "expressions.md") if block.language == "yaml"]
    lines = yaml.safe_load(block.text)["expect"]
    assert len(lines) == 6
    for line in lines:
        assert parse(line).metrics


def test_the_keys_of_a_falsifier_are_those_of_the_schema() -> None:
    text = (DOCS / "how-to/write-a-contract.md").read_text(encoding="utf-8")
    documented = table_keys(text)
    known = set(FALSIFIER["fields"])
    assert documented <= known
    not_told = {"test", "test_harness", "name"}  # notes of the Rust tool, which nothing here reads
    assert known - documented == not_told
    assert all(f"`{kind}`" in text for kind in KINDS)


def test_the_readme_explains_every_status() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)
    assert rows == [*LADDER, "REFUTED", "EXCLUDED"]


def test_contracts_on_the_pages_load(tmp_path: Path, blocks_of: Blocks) -> None:
    count = 0
    for page in DOCS.rglob("*.md"):
        for block in blocks_of(page):
            if block.language == "yaml" and block.text.startswith("metadata:"):
                (tmp_path / "page.yaml").write_text(block.text, encoding="utf-8")
                assert load_contract(tmp_path / "page.yaml").falsifiers
                count += 1
    assert count >= 2


def test_the_template_of_the_configuration_is_toml() -> None:
    text = (ROOT / "pv/templates/pv.toml").read_text(encoding="utf-8")
    assert set(tomllib.loads(text)) == {"project", "subjects"}


def test_every_file_that_a_document_names_is_there() -> None:
    folders = "pv|runtime|kernels|tests|contracts|docs|benchmarks|models|evidence"
    found = 0
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for name in re.findall(rf"`((?:{folders})/[\w/.-]*\w(?:\.\w+)?)`", page.read_text(encoding="utf-8")):
            if name.startswith(("evidence/", "docs/style")) or "/x.py" in name or "test_x.py" in name:
                continue  # examples, and what a discharge writes
            assert (ROOT / name).exists(), f"{page.name}: {name}"
            found += 1
    assert found >= 30
