"""Random edits of a small project: after each, what the cache says is what is said without it."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.pv.conftest import CLAUSE, Project
from tests.pv.result_cache.conftest import Runs

EXAMPLES = int(os.environ.get("PV_EDIT_EXAMPLES", "5"))
"""Each of fifteen edits; a long search sets the variable."""
STEMS = st.sampled_from(["small-v1", "one-v1", "two-v1", "deep/three-v1"])
IDENTIFIERS = st.sampled_from(["FALSIFY-SMALL-001", "FALSIFY-SMALL-002", "FALSIFY-smaII-001"])
TEXTS = {
    "small_checks/scale.py": ["SCALE = 1.0\n", "SCALE = 2.0\n", "SCALE = (\n", "SCALE = 1.0  # one\n"],
    "small_checks/wholeness.py": ["", "from .scale import SCALE\n"],
    "small_checks/scale/__init__.py": ["SCALE = 1.0\n"],
    "docs/numbers.md": ["numbers\n", "figures\n"],
    "evidence/small-v1/FALSIFY-SMALL-001/live-shipped-cpu.json": ["", "{}"],
    "data/shipped.txt": ["0\n1\n"],
    "pv.toml": ['[project]\nevidence = "elsewhere"\n', "[project\n", '[project]\nsources = ["docs"]\n'],
    "contracts/one-v1.yaml": ["a: [", "target_crate: x\nbindings: []\n"],
    "waivers.yaml": ["[]\n"],
    ".git/HEAD": ["ref: refs/heads/main\n"],
}
COMMANDS = [["validate", "contracts"], ["validate", "--json", "contracts/small-v1.yaml"], ["graph"]]


class Edits(RuleBasedStateMachine):
    """A project that is edited; after each edit, a command is run with the cache and without."""

    first: Project
    runs: Runs
    scratch: Path
    counter = itertools.count()
    hits = 0
    misses = 0

    @initialize()
    def begin(self) -> None:
        self.project = self.first.copy(self.scratch / str(next(self.counter)))
        self.root = self.project.root
        self.words = COMMANDS[0]

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule(
        stem=STEMS, identifier=IDENTIFIERS, claim=st.sampled_from([None, "DISCHARGED"]), refers=st.booleans()
    )
    def write_contract(self, stem: str, identifier: str, claim: str | None, refers: bool) -> None:
        (self.root / "contracts" / stem).parent.mkdir(exist_ok=True, parents=True)
        clause = {**CLAUSE, "id": identifier, "discharge_status": claim}
        self.project.contract({**clause, "test": "docs/numbers.md" if refers else None}, stem=stem)

    @rule(name=st.sampled_from([*TEXTS]), which=st.integers(0, 3))
    def write(self, name: str, which: int) -> None:
        path = self.root / name
        if not any(each.is_file() for each in path.parents) and not path.is_dir():
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(TEXTS[name][which % len(TEXTS[name])], encoding="utf-8")

    @rule(name=st.sampled_from([*TEXTS, "docs", "evidence", "contracts/small-v1.yaml", "small_checks/scale"]))
    def take_away(self, name: str) -> None:
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    @rule(name=st.sampled_from([*TEXTS, "evidence", "docs", "small_checks", "contracts"]))
    def restore(self, name: str) -> None:
        self.take_away(name)
        source = self.first.root / name
        if source.is_dir():
            shutil.copytree(source, self.root / name)
        elif source.is_file() and (self.root / name).parent.is_dir():
            shutil.copy2(source, self.root / name)

    @rule(
        name=st.sampled_from(
            ["docs/numbers.md", "evidence", "contracts/one-v1.yaml", "small_checks/scale.py"]
        )
    )
    def put_behind_a_link(self, name: str) -> None:
        path = self.root / name
        if path.exists() and not path.is_symlink():
            aside = self.root / f"aside-{path.name}"
            if not aside.exists():
                path.rename(aside)
                path.symlink_to(aside)

    @rule(name=st.sampled_from(["contracts/small-v1.yaml", "small_checks/scale.py"]))
    def edit_at_the_same_time(self, name: str) -> None:
        """Change a byte, and set size and modification time back."""
        path = self.root / name
        if path.is_file():
            before = path.stat()
            path.write_bytes(path.read_bytes().replace(b"1.0", b"3.0", 1).replace(b"0.25", b"0.75", 1))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(which=st.integers(0, len(COMMANDS) - 1))
    def run_another_command(self, which: int) -> None:
        self.words = COMMANDS[which]

    @rule()
    def change_nothing(self) -> None:
        pass

    @invariant()
    def the_cache_says_the_truth(self) -> None:
        before = self.runs.kept()
        said = self.runs(self.root, *self.words)
        hit = self.runs.kept() == before and said.code in {0, 1}
        assert said == self.runs.anew(self.root, *self.words)
        type(self).hits += hit
        type(self).misses += not hit


def discharged(root: Path) -> Project:
    """Make a project with a claim that its evidence supports."""
    project = Project(root)
    (project.root / "docs").mkdir()
    (project.root / "docs" / "numbers.md").write_text("numbers\n", encoding="utf-8")
    project.contract({**CLAUSE, "discharge_status": "DISCHARGED", "test": "docs/numbers.md"})
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    return project


def test_the_cache_says_what_is_said_without_it(runs: Runs, tmp_path: Path) -> None:
    class Here(Edits):
        pass

    Here.first, Here.runs, Here.scratch = discharged(tmp_path / "first"), runs, tmp_path
    few = settings(
        max_examples=EXAMPLES, stateful_step_count=12, deadline=None, suppress_health_check=[*HealthCheck]
    )
    run_state_machine_as_test(Here, settings=few)
    assert Here.hits > EXAMPLES
    assert Here.misses > EXAMPLES
