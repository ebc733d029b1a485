"""Each kind of thing that a verdict reads, changed in turn: it is judged anew, and as without the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pv.conftest import CLAUSE, Project
from tests.pv.result_cache.conftest import ROOT, Runs

CLAIMED = {**CLAUSE, "discharge_status": "DISCHARGED", "test": "docs/numbers.md"}
OTHER = {"id": "FALSIFY-OTHER-001", "rule": "r", "prediction": "p", "if_fails": "f"}
Change = Callable[[Project], object]


@pytest.fixture(scope="module")
def claimed_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a claim that its evidence supports, a reference, and another contract."""
    made = Project(tmp_path_factory.mktemp("claimed") / "project")
    (made.root / "docs").mkdir()
    (made.root / "docs" / "numbers.md").write_text("numbers\n", encoding="utf-8")
    made.contract(CLAIMED)
    made.contract(OTHER, stem="other-v1")
    ended = made.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 0, ended.said
    return made


@pytest.fixture
def claimed(claimed_once: Project, tmp_path: Path) -> Project:
    return claimed_once.copy(tmp_path / "project")


def replaced(name: str, old: str, new: str) -> Change:
    return lambda project: project.edit(name, old, new)


def edited_record(project: Project) -> None:
    path = project.record()
    text = path.read_text(encoding="utf-8")
    assert text.count("0.25") > 1
    path.write_text(text.replace("0.25", "0.20"), encoding="utf-8")


def one_byte(project: Project) -> None:
    """Change a byte and set the modification time back: size and times are as they were."""
    path = project.root / "contracts" / "small-v1.yaml"
    before = path.stat()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"<= 0.25", b"<= 0.35"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def linked(project: Project) -> None:
    """Put a link to what stands elsewhere in the place of the folder of evidence."""
    (project.root / "evidence").rename(project.root / "elsewhere")
    (project.root / "empty").mkdir()
    (project.root / "evidence").symlink_to("empty")


def nearer_module(project: Project) -> None:
    """Make a package of a module that a check imports: the package comes first."""
    folder = project.root / "small_checks" / "scale"
    folder.mkdir()
    (folder / "__init__.py").write_text("SCALE = 2.0\n", encoding="utf-8")


CHANGES: dict[str, tuple[Change, bytes]] = {
    "a byte of the contract": (one_byte, b"PV-VERSION-001"),
    "the id of another contract": (
        replaced("contracts/other-v1.yaml", "FALSIFY-OTHER-001", "FALSIFY-SMALL-001"),
        b"FALSIFY-SMALL-001",
    ),
    "a new contract in the folder": (
        lambda project: project.contract(OTHER, stem="third-v1"),
        b"3 contracts are valid",
    ),
    "a contract taken away": (
        lambda project: (project.root / "contracts" / "other-v1.yaml").unlink(),
        b"Contract is valid",
    ),
    "a number in a record": (edited_record, b"altered"),
    "a record taken away": (lambda project: project.record().unlink(), b"PV-STATUS-001"),
    "the evidence replaced by a link": (linked, b"never run"),
    "the source of the check": (
        replaced("small_checks/wholeness.py", "len(run.undamaged", "1 + len(run.undamaged"),
        b"PV-STATUS-002",
    ),
    "a module that it imports": (
        replaced("small_checks/distance.py", "* SCALE", "* SCALE * 2"),
        b"small_checks/distance.py changed",
    ),
    "a module that is imported within a function": (
        replaced("small_checks/scale.py", "1.0", "2.0"),
        b"small_checks/scale.py changed",
    ),
    "a module that comes before another": (nearer_module, b"small_checks/scale"),
    "a module taken away": (
        lambda project: (project.root / "small_checks" / "wholeness.py").unlink(),
        b"small_checks.wholeness",
    ),
    "pv.toml": (replaced("pv.toml", 'evidence = "evidence"', 'evidence = "nowhere"'), b"never run"),
    "a pin in pv.toml": (
        lambda project: (project.root / "pv.toml").write_text(
            (project.root / "pv.toml").read_text().replace('sha256 = "', 'sha256 = "0000', 1).replace(
                '0000"', '"', 1
            )
        ),
        b"pv.toml",
    ),
    "a referenced file taken away": (
        lambda project: (project.root / "docs" / "numbers.md").unlink(),
        b"PV-REF-001",
    ),
    "the folder of a referenced file taken away": (
        lambda project: shutil.rmtree(project.root / "docs"),
        b"PV-REF-001",
    ),
    "what makes a project taken away": (lambda project: (project.root / "pv.toml").unlink(), b"PV-CHECK-001"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen(claimed: Project, runs: Runs, what: str) -> None:
    change, said = CHANGES[what]
    before = runs(claimed.root, "validate", "contracts")
    assert before.code == 0, before
    assert runs.hits(claimed.root, "validate", "contracts")
    change(claimed)
    truth = runs.anew(claimed.root, "validate", "contracts")
    assert truth != before
    assert said in truth.out + truth.err
    kept = runs.kept()
    assert runs(claimed.root, "validate", "contracts") == truth
    assert runs.kept() != kept or truth.code not in {0, 1}, "it was not judged anew"
    assert runs(claimed.root, "validate", "contracts") == truth


def test_what_is_changed_back_and_what_no_verdict_reads_make_no_difference(
    claimed: Project, runs: Runs
) -> None:
    assert runs.hits(claimed.root, "validate", "contracts")
    kept = runs.kept()
    path = claimed.root / "small_checks" / "scale.py"
    text = path.read_text(encoding="utf-8")
    path.write_text("SCALE = 3.0\n", encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    os.utime(claimed.root / "contracts" / "small-v1.yaml")
    (claimed.root / "docs" / "more.md").write_text("more", encoding="utf-8")
    runs(claimed.root, "validate", "contracts")
    assert runs.kept() == kept


def test_a_file_that_was_missing_is_found_when_it_comes(claimed: Project, runs: Runs) -> None:
    missing = claimed.root / "docs" / "numbers.md"
    missing.unlink()
    (claimed.root / "docs").rmdir()
    assert runs.hits(claimed.root, "validate", "contracts")
    assert b"PV-REF-001" in runs(claimed.root, "validate", "contracts").out
    missing.parent.mkdir()
    missing.write_text("here", encoding="utf-8")
    assert b"PV-REF-001" not in runs(claimed.root, "validate", "contracts").out


def test_a_repository_that_begins_or_a_commit_is_judged_as_without_the_cache(
    claimed: Project, runs: Runs
) -> None:
    (claimed.root / "pv.toml").unlink()
    (claimed.root / "docs" / "numbers.md").unlink()
    assert runs.hits(claimed.root, "validate", "contracts")
    before = runs(claimed.root, "validate", "contracts")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q"], cwd=claimed.root, check=True)
    truth = runs.anew(claimed.root, "validate", "contracts")
    assert truth != before, "references are relative to the repository"
    assert runs(claimed.root, "validate", "contracts") == truth
    subprocess.run([*git, "add", "."], cwd=claimed.root, check=True)
    subprocess.run([*git, "commit", "-qm", "all"], cwd=claimed.root, check=True)
    for words in (["validate", "contracts"], ["graph", "contracts"]):
        assert runs(claimed.root, *words) == runs.anew(claimed.root, *words)


def test_where_it_runs_and_how_paths_are_written_counts(claimed: Project, runs: Runs) -> None:
    first = runs(claimed.root, "validate", "contracts/small-v1.yaml")
    (claimed.root / "small_checks" / "scale.py").write_text("SCALE = 2.0\n", encoding="utf-8")
    for folder, word in (
        (claimed.root, "./contracts/small-v1.yaml"),
        (claimed.root / "contracts", "small-v1.yaml"),
        (claimed.root, str(claimed.root / "contracts" / "small-v1.yaml")),
        (claimed.root, "contracts/small-v1.yaml"),
    ):
        kept = runs.kept()
        said = runs(folder, "validate", word)
        assert word.removeprefix("./").encode() in said.out, "a place is shown as it was written"
        assert runs.kept() != kept
        assert said == runs.anew(folder, "validate", word) != first


def test_a_link_to_itself_beside_the_contracts_hides_no_new_one(claimed: Project, runs: Runs) -> None:
    """A repository may hold such a link: what comes beside it later must not stay unseen."""
    (claimed.root / "contracts" / "loop").symlink_to("loop")
    assert runs.hits(claimed.root, "validate", "contracts")
    (claimed.root / "contracts" / "broken-v1.yaml").write_text("a: [", encoding="utf-8")
    assert runs(claimed.root, "validate", "contracts").code == 1
    (claimed.root / "contracts" / "broken-v1.yaml").unlink()
    assert runs(claimed.root, "validate", "contracts") == runs.anew(claimed.root, "validate", "contracts")


def test_two_files_that_become_one_are_seen(claimed: Project, runs: Runs) -> None:
    """A counter-example that puts a file in its own place shows nothing: a hard link is such a one."""
    tests = claimed.root / "tests"
    tests.mkdir()
    (tests / "test_it.py").write_text("import tool\n\ndef test_it(): pass\n", encoding="utf-8")
    (claimed.root / "tool.py").write_text("X = 1\n", encoding="utf-8")
    (claimed.root / "other.py").write_text("X = 1\n", encoding="utf-8")
    claimed.contract(
        {
            **OTHER,
            "pytest": "tests/test_it.py::test_it",
            "counter_examples": {"x": {"modules": {"tool.py": "other.py"}}},
        },
        stem="other-v1",
    )
    words = ("validate", "contracts/other-v1.yaml")
    assert runs.hits(claimed.root, *words)
    (claimed.root / "other.py").unlink()
    (claimed.root / "other.py").hardlink_to(claimed.root / "tool.py")
    truth = runs.anew(claimed.root, *words)
    assert b"in its own place" in truth.out
    assert runs(claimed.root, *words) == truth


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_encoding_of_names_counts(claimed: Project, runs: Runs, encoding: str) -> None:
    folder = claimed.root / "contracts" / "\xe9"
    folder.mkdir()
    (folder / "broken-v1.yaml").write_text("a: [", encoding="utf-8")
    said = []
    for locale in ("C.UTF-8", "C"):
        variables = {name: value for name, value in runs.variables.items() if not name.startswith("LC_")}
        variables |= {
            "LANG": "", "LC_CTYPE": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": encoding,
        }  # fmt: skip
        for words in (["--no-cache"], [], []):
            done = subprocess.run(
                [sys.executable, "-P", "-m", "pv", "validate", "contracts", *words],
                cwd=claimed.root, env=variables, capture_output=True, check=False,
            )  # fmt: skip
            said.append((done.returncode, done.stdout, done.stderr))
    assert said[0] == said[1] == said[2]
    assert said[3] == said[4] == said[5] != said[0]
    assert said[0][0] == 1


@pytest.mark.parametrize(
    "words",
    [["validate", "contracts"], ["graph"], ["coverage", "--minimum", "100"],
     ["coverage", "--json", "--minimum", "100"]],
    ids=" ".join,
)  # fmt: skip
def test_what_goes_to_one_place_has_the_same_order(claimed: Project, runs: Runs, words: list[str]) -> None:
    """Both streams in one pipe: what is printed first stands first, remembered or not."""
    obligation = "proof_obligations:\n- {id: O-1, type: invariant, property: p}\n- {id: O-1}\n"
    with (claimed.root / "contracts" / "other-v1.yaml").open("a", encoding="utf-8") as file:
        file.write(obligation if words[0] == "validate" else obligation.replace("- {id: O-1}\n", ""))
    variables = {name: value for name, value in runs.variables.items() if name != "PYTHONUNBUFFERED"}

    def run(*more: str) -> tuple[int, bytes]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pv", *words, *more],
            cwd=claimed.root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    truth = run("--no-cache")
    assert run() == truth
    kept = runs.kept()
    assert kept
    assert run() == truth
    assert runs.kept() == kept


def test_options_count(claimed: Project, runs: Runs) -> None:
    claimed.edit("small_checks/scale.py", "1.0", "2.0")
    for words in (
        ["validate", "contracts"],
        ["validate", "contracts", "--strict"],
        ["validate", "--strict", "contracts"],
        ["validate", "--json", "contracts"],
        ["coverage", "contracts"],
        ["graph", "contracts"],
        ["graph", "--contracts", "contracts"],
        ["graph", "--format", "dot"],
    ):
        kept = runs.kept()
        assert runs.hits(claimed.root, *words) or words[0] == "coverage"
        assert runs(claimed.root, *words) == runs.anew(claimed.root, *words)
        assert runs.kept() != kept or words[0] == "coverage"


@pytest.mark.parametrize("variables", [{"COLUMNS": "33"}, {"LANGUAGE": "xx"}, {"LC_ALL": "C"}], ids=str)
def test_a_variable_that_is_read_counts(claimed: Project, runs: Runs, variables: dict[str, str]) -> None:
    assert runs.hits(claimed.root, "validate", "contracts")
    kept = runs.kept()
    runs(claimed.root, "validate", "contracts", UNRELATED="1")
    assert runs.kept() == kept
    runs(claimed.root, "validate", "contracts", **variables)
    assert runs.kept() != kept


def test_no_cache_neither_believes_nor_remembers(claimed: Project, runs: Runs) -> None:
    for words in (
        ["validate", "--no-cache", "contracts"],
        ["validate", "contracts", "--no-ca"],
        ["graph", "--no-cache"],
        ["coverage", "--no-cache", "contracts"],
    ):
        runs(claimed.root, *words)
        assert runs.kept() == {}
    report = str(claimed.root / "report.json")
    for _ in range(2):
        assert runs(claimed.root, "validate", "contracts", "--report", f"json:{report}").code == 0
        Path(report).unlink()
    assert runs.kept() == {}


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"PV_NO_CACHE": "1"}], ids=str)
def test_variables_turn_it_off(claimed: Project, runs: Runs, variables: dict[str, str]) -> None:
    runs(claimed.root, "validate", "contracts", **variables)
    assert runs.kept() == {}


def test_what_is_no_verdict_is_not_remembered(claimed: Project, runs: Runs) -> None:
    assert runs(claimed.root, "validate", "nowhere").code == 2
    assert runs(claimed.root, "validate").code == 2
    assert runs(claimed.root, "validate", "--help").code == 0
    assert runs.kept() == {}


def test_a_folder_of_caches_in_the_repository_is_neither_read_nor_written(
    claimed: Project, runs: Runs
) -> None:
    assert runs.hits(claimed.root, "validate", "contracts")
    inside = claimed.root / "sub" / ".cache"
    shutil.copytree(runs.caches, inside)
    (inside / "pv" / "results").chmod(0o700)
    (claimed.root / "small_checks" / "scale.py").write_text("SCALE = 2.0\n", encoding="utf-8")
    for folder in (claimed.root, claimed.root / "contracts"):
        word = "contracts" if folder == claimed.root else "."
        before = {path: path.read_bytes() for path in inside.rglob("*") if path.is_file()}
        said = runs(folder, "validate", word, XDG_CACHE_HOME=str(inside))
        assert said == runs.anew(folder, "validate", word)
        assert {path: path.read_bytes() for path in inside.rglob("*") if path.is_file()} == before


def test_an_edit_of_the_engine_is_seen(claimed: Project, runs: Runs, tmp_path: Path) -> None:
    """A rule's source, and the version: the engine is a copy, which is edited between runs."""
    copy = tmp_path / "engine"
    shutil.copytree(ROOT / "pv", copy / "pv", ignore=shutil.ignore_patterns("__pycache__"))
    variables = runs.variables | {"PYTHONPATH": str(copy)}
    claimed.edit("small_checks/scale.py", "1.0", "2.0")

    def run(*words: str) -> str:
        command = [sys.executable, "-P", "-m", "pv", "validate", "contracts", *words]
        done = subprocess.run(
            command, cwd=claimed.root, env=variables, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    first = run()
    assert runs.kept() == {}, "what changed a moment ago is not known by its times"
    time.sleep(2.2)
    assert run() == run() == first
    assert len(runs.kept()) == 1
    rule = copy / "pv" / "rules" / "status_stale.py"
    before = rule.stat()
    rule.write_text(
        rule.read_text(encoding="utf-8").replace("Discharge it", "Discharge I7"), encoding="utf-8"
    )
    claims = copy / "pv" / "claims.py"
    text = claims.read_text(encoding="utf-8")
    claims.write_text(text.replace("evidence is stale", "evidence is st@le"), encoding="utf-8")
    os.utime(rule, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "st@le" in run("--no-cache")
    assert "st@le" in run()
